//! Names under two spellings: percent-encoded as dnf asks for them, and as they stand.

use pith_fetch::ErrorKind;
use pith_testkit::upstream::Fault;

use crate::*;

#[tokio::test]
async fn the_second_spelling_is_asked_for_when_the_first_is_not_there() {
    let fake = Fake::start().await.unwrap();
    fake.put("/a+b", "plus");
    let urls = [at(&fake, "/a%2Bb"), at(&fake, "/a+b")];
    let (fetched, got) = fetch(&session(), Request::new(urls.clone(), MAX))
        .await
        .unwrap();
    assert_eq!(got, b"plus");
    assert!(fetched.respelt && fetched.failed_mirrors.is_empty());
    assert_eq!(fetched.mirror, 1);
    fake.put("/a%2Bb", "plus");
    let (fetched, _) = fetch(&session(), Request::new(urls.clone(), MAX))
        .await
        .unwrap();
    assert!(!fetched.respelt);
    // Nowhere under either: said once.
    fake.remove("/a%2Bb");
    fake.remove("/a+b");
    let error = fetch(&session(), Request::new(urls, MAX))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound { status: 404 });
    assert!(error.url.ends_with("/a%2Bb") && error.earlier.is_empty());
}

#[tokio::test]
async fn a_server_that_fails_is_not_asked_for_the_other_spelling() {
    let (bad, good) = (Fake::start().await.unwrap(), Fake::start().await.unwrap());
    bad.fault("/a%2Bb", Fault::Status(503));
    good.put("/a+b", "plus");
    let urls = [
        at(&bad, "/a%2Bb"),
        at(&bad, "/a+b"),
        at(&good, "/a%2Bb"),
        at(&good, "/a+b"),
    ];
    let (fetched, _) = fetch(&session(), Request::new(urls, MAX)).await.unwrap();
    assert_eq!((bad.requests("/a%2Bb"), bad.requests("/a+b")), (3, 0));
    assert_eq!(fetched.failed_mirrors.len(), 1);
    assert_eq!(fetched.mirror, 3);
}
