//! Headers that a request carries and that an answer tells.

use pith_fetch::{ErrorKind, RequestHeaders};
use pith_testkit::upstream::Fault;

use crate::*;

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

#[tokio::test]
async fn headers_go_along_and_those_that_are_asked_for_come_back() {
    let fake = fake_with(b"x").await;
    let told = vec![
        header("Link", "</v2/?n=2>; rel=\"next\""),
        header("Docker-Content-Digest", "sha256:ff"),
        header("Link", "</b>"),
        header("X-Other", "y"),
    ];
    fake.fault("/f", Fault::Headers(told));
    let mut headers = RequestHeaders::default();
    headers.add("accept", "a/b").unwrap();
    headers.add("Accept", "c/d").unwrap();
    headers.add("Cache-Control", "no-cache").unwrap();
    let request = Request {
        headers,
        tell: vec!["link", "Docker-Content-Digest", "x-absent"],
        ..request(&fake, "/f")
    };
    let (fetched, _) = fetch(&session(), request).await.unwrap();
    let expected = [
        ("link", "</v2/?n=2>; rel=\"next\"".to_owned()),
        ("link", "</b>".to_owned()),
        ("Docker-Content-Digest", "sha256:ff".to_owned()),
    ];
    assert_eq!(fetched.told, expected);
    assert_eq!(
        fetched.validators.last_modified.as_deref(),
        Some(pith_testkit::upstream::LAST_MODIFIED)
    );
    let sent = &fake.log("/f")[0];
    let accepted = sent.headers.iter().filter(|(name, _)| name == "accept");
    let accepted: Vec<&str> = accepted.map(|(_, value)| &**value).collect();
    assert_eq!(accepted, ["a/b", "c/d"]);
    assert_eq!(sent.header("cache-control"), Some("no-cache"));
    assert_eq!(sent.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn headers_that_are_asked_for_have_a_size() {
    let fake = fake_with(b"x").await;
    let large = header("Link", "l".repeat(17 << 10));
    fake.fault("/f", Fault::Headers(vec![large]));
    let asking = Request {
        tell: vec!["link"],
        ..request(&fake, "/f")
    };
    let error = fetch(&session(), asking).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::TooLarge { .. }), "{error}");
    fetch(&session(), request(&fake, "/f")).await.unwrap();
}

#[test]
fn no_header_that_carries_a_secret_can_be_set() {
    let mut headers = RequestHeaders::default();
    for name in [
        "Authorization",
        "Cookie",
        "Host",
        "Range",
        "X-Token",
        "",
        "a b",
    ] {
        assert!(headers.add(name, "x").is_err(), "{name}");
    }
    for value in ["a\r\nCookie: b".to_owned(), "x".repeat(9 << 10)] {
        assert!(headers.add("Accept", &value).is_err());
    }
}
