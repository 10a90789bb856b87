//! A broken body goes on where it stopped, when that is safe.

use pith_testkit::upstream::Fault;

use crate::*;

/// Returns what the second request asked for after the first broke off at byte 4000 of 10,000, and whether it all arrived.
async fn second_request(
    first: Fault,
    second: Option<Fault>,
) -> (Option<String>, Option<String>, u32) {
    let bytes = body(10_000);
    let fake = fake_with(&bytes).await;
    fake.fault_times("/f", first, 1);
    if let Some(second) = second {
        fake.fault_times("/f", second, 1);
    }
    let mut sink = VecSink::default();
    let request = Request {
        expect: vec![sha256(&bytes)],
        ..request(&fake, "/f")
    };
    session().get(request, &mut sink).await.unwrap();
    assert_eq!(sink.bytes, bytes);
    let log = fake.log("/f");
    let header = |name| log[1].header(name).map(str::to_owned);
    (header("range"), header("if-range"), sink.restarts)
}

#[tokio::test]
async fn the_rest_is_asked_for_under_the_condition_that_nothing_changed() {
    let (range, condition, restarts) = second_request(Fault::CutAfter(4000), None).await;
    assert_eq!((range.as_deref(), restarts), (Some("bytes=4000-"), 0));
    assert!(condition.unwrap().starts_with('"'));
}

#[tokio::test]
async fn a_body_without_length_resumes_when_the_promised_size_shows_the_cut() {
    let bytes = body(10_000);
    let fake = fake_with(&bytes).await;
    fake.fault_times("/f", Fault::NoLengthCutAfter(4000), 1);
    let request = Request {
        expect_size: Some(10_000),
        ..request(&fake, "/f")
    };
    let (_, got) = fetch(&session(), request).await.unwrap();
    assert_eq!(got, bytes);
    assert_eq!(fake.log("/f")[1].header("range"), Some("bytes=4000-"));
}

#[tokio::test]
async fn a_server_that_ignores_the_range_makes_the_sink_start_over() {
    let (range, _, restarts) =
        second_request(Fault::CutAfter(4000), Some(Fault::IgnoreRange)).await;
    assert_eq!((range.as_deref(), restarts), (Some("bytes=4000-"), 1));
}

#[tokio::test]
async fn a_server_that_resumes_elsewhere_is_not_believed() {
    let (range, _, restarts) =
        second_request(Fault::CutAfter(4000), Some(Fault::WrongContentRange)).await;
    assert_eq!((range.as_deref(), restarts), (Some("bytes=4000-"), 1));
}

#[tokio::test]
async fn a_file_that_changed_in_between_starts_over() {
    let (first, second) = (body(10_000), vec![7; 9000]);
    let fake = fake_with(&first).await;
    fake.fault_times("/f", Fault::CutAfter(4000), 1);
    fake.fault_times("/f", Fault::Status(503), 1);
    let fetching = tokio::spawn({
        let request = request(&fake, "/f");
        async move { fetch(&session(), request).await }
    });
    while fake.requests("/f") < 1 {
        tokio::task::yield_now().await;
    }
    fake.put("/f", second.clone());
    let (_, got) = fetching.await.unwrap().unwrap();
    assert!(got == second, "a mixture of two versions");
}

#[tokio::test]
async fn without_a_strong_validator_everything_is_asked_for_again() {
    let (range, condition, restarts) = second_request(Fault::WeakCutAfter(4000), None).await;
    assert_eq!((range, condition, restarts), (None, None, 1));
}
