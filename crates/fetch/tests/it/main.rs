//! Downloads against a fake upstream over real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bearer;
mod checks;
mod conditional;
mod faults;
mod files;
mod headers;
mod limits;
mod packed;
mod redirects;
mod resume;
mod secrets;
mod spelling;
mod tls;

use std::time::Duration;

use pith_core::{Algorithm, Digest, Sha256};
use pith_fetch::{
    DownloadSettings, FetchError, FetchPolicy, Fetched, Fetcher, Request, RetryPolicy, Session,
    VecSink,
};
use pith_testkit::upstream::Upstream as Fake;
use url::Url;

const MAX: u64 = 1 << 20;

/// A policy whose retries do not make tests wait.
fn policy() -> FetchPolicy {
    let retry = RetryPolicy {
        base: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    FetchPolicy {
        retry,
        ..FetchPolicy::default()
    }
}

/// Settings under which a silent server is noticed soon.
fn impatient() -> DownloadSettings {
    DownloadSettings {
        read_timeout: Duration::from_millis(200),
        ..DownloadSettings::default()
    }
}

/// Settings under which a busy machine is not mistaken for a silent server.
fn patient() -> DownloadSettings {
    DownloadSettings {
        read_timeout: Duration::from_secs(60),
        connect_timeout: Duration::from_secs(60),
        ..DownloadSettings::default()
    }
}

fn session() -> Session {
    Fetcher::new(policy()).session(patient()).unwrap()
}

fn url(text: impl AsRef<str>) -> Url {
    text.as_ref().parse().unwrap()
}

fn at(fake: &Fake, path: &str) -> Url {
    url(format!("{}{path}", fake.url()))
}

fn request(fake: &Fake, path: &str) -> Request {
    Request::new([at(fake, path)], MAX)
}

async fn fetch(session: &Session, request: Request) -> Result<(Fetched, Vec<u8>), FetchError> {
    let mut sink = VecSink::default();
    let fetched = session.get(request, &mut sink).await?;
    Ok((fetched, sink.bytes))
}

/// A small document, of at most `max` bytes.
async fn bytes(session: &Session, url: Url, max: u64) -> Result<Vec<u8>, FetchError> {
    let (_, bytes) = fetch(session, Request::new([url], max)).await?;
    Ok(bytes)
}

/// Bytes of which every part is different.
fn body(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n / 251 + n % 251) as u8).collect()
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::new(Algorithm::Sha256, &Sha256::of(bytes).to_string()).unwrap()
}

/// A fake with one file at `/f`.
async fn fake_with(bytes: &[u8]) -> Fake {
    let fake = Fake::start().await.unwrap();
    fake.put("/f", bytes.to_vec());
    fake
}
