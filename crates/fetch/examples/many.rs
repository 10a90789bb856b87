//! Fetches `<base>/<n>` for n below `count` with `in-flight` downloads at once, hashing into nowhere: the fetcher's share
//! of a sync. `many <base> <count> <in-flight>`
#![allow(
    clippy::expect_used,
    reason = "a measuring tool may stop at the first surprise"
)]

use std::time::Instant;

use pith_fetch::{DownloadSettings, FetchPolicy, Fetcher, NullSink, Request};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let base = args.next().expect("many <base> <count> <in-flight>");
    let count: usize = args
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10_000);
    let in_flight: usize = args.next().and_then(|text| text.parse().ok()).unwrap_or(16);
    let fetcher = Fetcher::new(FetchPolicy::default());
    let session = fetcher
        .session(DownloadSettings {
            max_downloads: in_flight,
            ..DownloadSettings::default()
        })
        .expect("settings");
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for worker in 0..in_flight {
        let (session, base) = (session.clone(), base.clone());
        workers.spawn(async move {
            let mut bytes = 0;
            for n in (worker..count).step_by(in_flight) {
                let url = format!("{base}/{n}").parse().expect("a URL");
                let fetched = session
                    .get(Request::new([url], 1 << 40), &mut NullSink)
                    .await
                    .expect("a file");
                bytes += fetched.hashed.size;
            }
            bytes
        });
    }
    let mut bytes = 0;
    while let Some(done) = workers.join_next().await {
        bytes += done.expect("a worker");
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{count} files, {bytes} bytes, {seconds:.3} s, {:.0} files/s",
        count as f64 / seconds
    );
}
