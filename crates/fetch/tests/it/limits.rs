//! Limits hold over concurrent downloads.

use std::sync::Arc;
use std::time::Duration;

use pith_fetch::{ErrorKind, FetchPolicy, Fetcher, NullSink, Slowest};
use pith_testkit::upstream::{Fault, Upstream as Fake};

use crate::*;

/// Runs `count` downloads of a file that takes its time, over the sessions in turn; the most that overlapped.
async fn peak(fake: &Arc<Fake>, sessions: &[Session], count: usize) -> usize {
    fake.put("/f", body(200));
    fake.fault(
        "/f",
        Fault::Slow {
            chunk: 20,
            every: Duration::from_millis(1),
        },
    );
    let tasks: Vec<_> = (0..count)
        .map(|n| {
            let (session, request) = (sessions[n % sessions.len()].clone(), request(fake, "/f"));
            tokio::spawn(async move { session.get(request, &mut NullSink).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    fake.peak_in_flight()
}

#[tokio::test]
async fn a_session_keeps_to_its_downloads_and_its_connections() {
    let fake = Arc::new(Fake::start().await.unwrap());
    let session = Fetcher::new(policy())
        .session(DownloadSettings {
            max_downloads: 3,
            ..patient()
        })
        .unwrap();
    let peak = peak(&fake, &[session], 30).await;
    assert!((2..=3).contains(&peak), "{peak}");
    // A few more may be opened than are used, never one per file.
    assert!(
        fake.peak_connections() <= 6,
        "{} connections at once",
        fake.peak_connections()
    );
    assert!(
        fake.connections() < 15,
        "{} connections for 30 files",
        fake.connections()
    );
}

#[tokio::test]
async fn all_sessions_together_keep_to_the_hosts_limit() {
    let fake = Arc::new(Fake::start().await.unwrap());
    let fetcher = Fetcher::new(FetchPolicy {
        max_per_host: 2,
        ..policy()
    });
    let sessions: Vec<_> = (0..4)
        .map(|_| fetcher.session(patient()).unwrap())
        .collect();
    assert!(peak(&fake, &sessions, 20).await <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_keeps_to_its_speed() {
    let fake = fake_with(&body(1000)).await;
    let day = Duration::from_secs(86_400);
    let upstream = DownloadSettings {
        max_speed: Some(100),
        read_timeout: day,
        connect_timeout: day,
        ..patient()
    };
    let session = Fetcher::new(policy()).session(upstream).unwrap();
    let start = tokio::time::Instant::now();
    fetch(&session, request(&fake, "/f")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_only_drips_is_given_up() {
    let fake = fake_with(&body(1000)).await;
    let every = Duration::from_secs(1);
    fake.fault("/f", Fault::Slow { chunk: 1, every });
    let slowest = Slowest {
        bytes: 100,
        window: Duration::from_secs(10),
    };
    let day = Duration::from_secs(86_400);
    let upstream = DownloadSettings {
        read_timeout: day,
        connect_timeout: day,
        ..patient()
    };
    let session = Fetcher::new(FetchPolicy {
        slowest,
        ..policy()
    })
    .session(upstream)
    .unwrap();
    let error = fetch(&session, request(&fake, "/f")).await.unwrap_err();
    assert_eq!((error.kind, error.attempts), (ErrorKind::Stalled, 3));
}
