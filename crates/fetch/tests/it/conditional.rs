//! Requests for what is new only.

use pith_fetch::{ErrorKind, Outcome, Validators};
use pith_testkit::upstream::{Fault, LAST_MODIFIED};

use crate::*;

async fn unless(known: &Validators, request: Request) -> Result<Outcome, FetchError> {
    let mut sink = VecSink::default();
    let outcome = session().get_unless(known, request, &mut sink).await;
    if let Ok(Outcome::NotModified { .. }) = outcome {
        assert!(sink.bytes.is_empty());
    }
    outcome
}

#[tokio::test]
async fn what_is_known_does_not_come_again() {
    let fake = fake_with(b"one").await;
    let (first, _) = fetch(&session(), request(&fake, "/f")).await.unwrap();
    let known = first.validators;
    assert!(known.etag.is_some());
    let by_date = Validators {
        etag: None,
        last_modified: Some(LAST_MODIFIED.to_owned()),
    };
    for asked in [&known, &by_date] {
        let Outcome::NotModified { validators, .. } =
            unless(asked, request(&fake, "/f")).await.unwrap()
        else {
            panic!("it came again");
        };
        assert_eq!(validators, known);
    }
    fake.put("/f", "two");
    let Outcome::Fetched(fetched) = unless(&known, request(&fake, "/f")).await.unwrap() else {
        panic!("the new version did not come");
    };
    assert_ne!(fetched.validators.etag, known.etag);
    assert_eq!(fetched.hashed.size, 3);
}

#[tokio::test]
async fn nothing_known_asks_for_everything_and_nonsense_is_no_condition() {
    let fake = fake_with(b"x").await;
    let nonsense = Validators {
        etag: Some("\r\n".to_owned()),
        last_modified: None,
    };
    for known in [Validators::default(), nonsense] {
        let outcome = unless(&known, request(&fake, "/f")).await.unwrap();
        assert!(matches!(outcome, Outcome::Fetched(_)));
    }
    for sent in fake.log("/f") {
        assert_eq!(sent.header("if-none-match"), None);
        assert_eq!(sent.header("if-modified-since"), None);
    }
}

#[tokio::test]
async fn a_broken_body_is_resumed_without_the_condition() {
    let fake = fake_with(&body(1000)).await;
    let known = Validators {
        etag: Some("\"older\"".to_owned()),
        last_modified: None,
    };
    fake.fault_times("/f", Fault::CutAfter(300), 1);
    let outcome = unless(&known, request(&fake, "/f")).await.unwrap();
    assert!(matches!(outcome, Outcome::Fetched(fetched) if fetched.hashed.size == 1000));
    let log = fake.log("/f");
    assert_eq!(log[0].header("if-none-match"), Some("\"older\""));
    assert_eq!(log[1].header("if-none-match"), None);
    assert!(log[1].header("range").is_some());
}

#[tokio::test]
async fn a_server_that_was_not_asked_cannot_say_that_nothing_is_new() {
    let fake = fake_with(b"x").await;
    fake.fault("/f", Fault::Status(304));
    let error = fetch(&session(), request(&fake, "/f")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Status { status: 304 });
    let error = unless(&Validators::default(), request(&fake, "/f")).await;
    assert_eq!(error.unwrap_err().kind, ErrorKind::Status { status: 304 });
}
