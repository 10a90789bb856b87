//! Each fault ends in its kind, names the URL, and is retried exactly as promised.

use std::time::Duration;

use pith_fetch::{ErrorKind, FetchPolicy, Fetcher, RetryPolicy};
use pith_testkit::upstream::{Fault, Upstream as Fake};

use crate::*;

/// The error of a file of 1000 bytes that always meets `fault`, after the number of requests it took.
async fn failure(fault: Fault) -> (FetchError, usize) {
    let fake = fake_with(&body(1000)).await;
    let stalls = matches!(fault, Fault::StallAfter(_));
    fake.fault("/f", fault);
    let upstream = if stalls { impatient() } else { patient() };
    let session = Fetcher::new(policy()).session(upstream).unwrap();
    let error = fetch(&session, request(&fake, "/f")).await.unwrap_err();
    assert_eq!(*error.url, *format!("{}/f", fake.url()), "{error}");
    assert!(error.to_string().contains(&*error.url), "{error}");
    assert_eq!(error.attempts as usize, fake.requests("/f"));
    assert_eq!(error.mirror().unwrap(), fake.address().to_string());
    (error, fake.requests("/f"))
}

#[tokio::test]
async fn final_statuses_are_asked_for_once() {
    for status in [400, 401, 403, 404, 410, 416, 501] {
        let (error, requests) = failure(Fault::Status(status)).await;
        assert_eq!(requests, 1, "{status}");
        assert!(!error.retryable());
        assert_eq!(error.kind.status(), Some(status));
        match status {
            404 | 410 => assert_eq!(error.kind, ErrorKind::NotFound { status }),
            401 | 403 => assert_eq!(error.kind, ErrorKind::Denied { status }),
            _ => assert_eq!(error.kind, ErrorKind::Status { status }),
        }
    }
}

#[tokio::test]
async fn passing_statuses_are_asked_for_three_times() {
    for status in [408, 429, 500, 502, 503, 504] {
        let (error, requests) = failure(Fault::Status(status)).await;
        assert_eq!(
            (error.kind.clone(), requests),
            (ErrorKind::Status { status }, 3)
        );
        assert!(error.retryable());
    }
}

#[tokio::test]
async fn silence_is_noticed_before_and_inside_the_body() {
    let (error, requests) = failure(Fault::StallAfter(10)).await;
    assert_eq!((error.kind, requests), (ErrorKind::Stalled, 3));
    let fake = fake_with(b"x").await;
    fake.fault("/f", Fault::StallBeforeHead);
    let hasty = DownloadSettings {
        connect_timeout: Duration::from_millis(200),
        ..impatient()
    };
    let session = Fetcher::new(policy()).session(hasty).unwrap();
    let error = fetch(&session, request(&fake, "/f")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout);
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    for fault in [
        Fault::CutAfter(10),
        Fault::Hangup,
        Fault::ContentLength(1001),
    ] {
        let (error, requests) = failure(fault.clone()).await;
        assert_eq!(
            (error.kind, requests),
            (ErrorKind::Truncated, 3),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_called_so() {
    for fault in [Fault::ChunkedGarbage, Fault::NotHttp] {
        let (error, _) = failure(fault.clone()).await;
        assert_eq!(error.kind, ErrorKind::Protocol, "{fault:?}: {error}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_limit() {
    let (error, requests) = failure(Fault::Endless).await;
    assert_eq!(
        (error.kind, requests),
        (ErrorKind::TooLarge { limit: MAX }, 1)
    );
}

#[tokio::test]
async fn an_announced_size_beyond_the_limit_is_refused_before_the_body() {
    let (error, requests) = failure(Fault::ContentLength(10 << 30)).await;
    assert_eq!(
        (error.kind, requests),
        (ErrorKind::TooLarge { limit: MAX }, 1)
    );
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_three_times() {
    let fake = fake_with(b"x").await;
    let request = request(&fake, "/f");
    drop(fake);
    // The listener closes when its task has ended; until then a connection may be accepted and dropped.
    let error = fetch(&session(), request).await.unwrap_err();
    assert!(
        matches!(error.kind, ErrorKind::Connect | ErrorKind::Truncated),
        "{error}"
    );
    assert_eq!(error.attempts, 3);
}

#[tokio::test]
async fn a_passing_fault_is_survived() {
    let bytes = body(5000);
    for fault in [
        Fault::Status(503),
        Fault::Hangup,
        Fault::NotHttp,
        Fault::CutAfter(7),
        Fault::ChunkedGarbage,
    ] {
        let fake = fake_with(&bytes).await;
        fake.fault_times("/f", fault.clone(), 2);
        let (fetched, got) = fetch(&session(), request(&fake, "/f")).await.unwrap();
        assert_eq!((got == bytes, fetched.attempts), (true, 3), "{fault:?}");
        assert_eq!(fetched.hashed.sha256, Sha256::of(&bytes), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_obeyed_up_to_a_minute() {
    // The clock is paused, so waits are exact and cost nothing; the sockets' work does not move it.
    for (asked, waited) in [("7", 7), ("86400", 60)] {
        let fake = fake_with(b"x").await;
        fake.fault_times(
            "/f",
            Fault::RetryAfter {
                status: 429,
                value: asked.into(),
            },
            1,
        );
        let day = Duration::from_secs(86_400);
        let calm = DownloadSettings {
            read_timeout: day,
            connect_timeout: day,
            ..DownloadSettings::default()
        };
        let session = Fetcher::new(policy()).session(calm).unwrap();
        let start = tokio::time::Instant::now();
        fetch(&session, request(&fake, "/f")).await.unwrap();
        assert_eq!(fake.requests("/f"), 2);
        assert!(start.elapsed() >= Duration::from_secs(waited), "{asked}");
    }
}

#[tokio::test]
async fn one_attempt_means_one_request() {
    let fake = fake_with(b"x").await;
    fake.fault("/f", Fault::Status(503));
    let retry = RetryPolicy {
        attempts: 1,
        ..RetryPolicy::default()
    };
    let session = Fetcher::new(FetchPolicy { retry, ..policy() })
        .session(patient())
        .unwrap();
    fetch(&session, request(&fake, "/f")).await.unwrap_err();
    assert_eq!(fake.requests("/f"), 1);
}

#[tokio::test]
async fn the_next_mirror_has_it_and_the_bad_ones_are_named() {
    let bytes = body(3000);
    let (gone, wrong, busy, good) = (
        Fake::start().await.unwrap(),
        fake_with(&bytes).await,
        fake_with(&bytes).await,
        fake_with(&bytes).await,
    );
    wrong.fault("/f", Fault::WrongBytes);
    busy.fault("/f", Fault::Status(503));
    let urls = [&gone, &wrong, &busy, &good].map(|fake| at(fake, "/f"));
    let request = Request {
        expect: vec![sha256(&bytes)],
        ..Request::new(urls, MAX)
    };
    let (fetched, got) = fetch(&session(), request).await.unwrap();
    assert_eq!((got, fetched.mirror), (bytes, 3));
    assert_eq!(
        [&gone, &wrong, &busy, &good].map(|fake| fake.requests("/f")),
        [1, 1, 3, 1]
    );
    let named: Vec<_> = fetched
        .failed_mirrors
        .iter()
        .filter_map(FetchError::mirror)
        .collect();
    assert_eq!(
        named,
        [&gone, &wrong, &busy].map(|fake| fake.address().to_string())
    );
}

#[tokio::test]
async fn when_no_mirror_has_it_all_failures_are_told() {
    let (first, second) = (Fake::start().await.unwrap(), Fake::start().await.unwrap());
    second.fault("/f", Fault::Status(403));
    let error = fetch(
        &session(),
        Request::new([at(&first, "/f"), at(&second, "/f")], MAX),
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied { status: 403 });
    assert_eq!(error.earlier[0].kind, ErrorKind::NotFound { status: 404 });
    assert!(error.to_string().contains(&first.url()), "{error}");
}

#[tokio::test]
async fn a_mirror_that_asks_for_a_wait_is_left_for_the_next() {
    let (busy, good) = (fake_with(b"x").await, fake_with(b"x").await);
    busy.fault(
        "/f",
        Fault::RetryAfter {
            status: 503,
            value: "3600".into(),
        },
    );
    let request = Request::new([at(&busy, "/f"), at(&good, "/f")], MAX);
    fetch(&session(), request).await.unwrap();
    assert_eq!((busy.requests("/f"), good.requests("/f")), (1, 1));
}
