//! Limits that downloads share: requests per host, bytes per second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

use crate::policy::Slowest;

/// Hosts remembered before idle ones are forgotten.
const MAX_HOSTS: usize = 1024;

/// The number of requests that may be in flight to each host and port.
#[derive(Debug)]
pub(crate) struct HostLimits {
    per_host: usize,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl HostLimits {
    pub(crate) fn new(per_host: usize) -> Self {
        Self {
            per_host: per_host.clamp(1, Semaphore::MAX_PERMITS),
            hosts: Mutex::default(),
        }
    }

    /// Waits for a place at the URL's host. `None` only if the semaphore was closed, which nobody does.
    pub(crate) async fn enter(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        let host = format!(
            "{}:{}",
            url.host_str()?,
            url.port_or_known_default().unwrap_or_default()
        );
        let semaphore = {
            let mut hosts = self.hosts.lock();
            if hosts.len() >= MAX_HOSTS {
                hosts.retain(|_, semaphore| semaphore.available_permits() < self.per_host);
            }
            Arc::clone(
                hosts
                    .entry(host)
                    .or_insert_with(|| Arc::new(Semaphore::new(self.per_host))),
            )
        };
        semaphore.acquire_owned().await.ok()
    }
}

/// A leaky bucket: whoever takes bytes learns how long to wait first, so that never more than `rate` bytes a second pass.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    /// The time at which everything taken so far has had its time.
    free_at: Option<Instant>,
}

impl Bucket {
    pub(crate) fn new(bytes_per_second: u64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "speeds beyond 2^53 bytes a second do not exist"
        )]
        Self {
            rate: bytes_per_second.max(1) as f64,
            free_at: None,
        }
    }

    /// Takes `bytes`; they may pass after the wait returned.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let from = self.free_at.map_or(now, |free_at| free_at.max(now));
        #[expect(clippy::cast_precision_loss, reason = "a chunk is small")]
        let free_at = from + Duration::from_secs_f64(bytes as f64 / self.rate);
        self.free_at = Some(free_at);
        free_at - now
    }
}

/// Notices a body that only drips.
#[derive(Debug)]
pub(crate) struct Drip {
    slowest: Slowest,
    waited: Duration,
    bytes: u64,
}

impl Drip {
    pub(crate) fn new(slowest: Slowest) -> Self {
        Self {
            slowest,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Tells whether the body is still fast enough after another read of `bytes` that took `waited`.
    pub(crate) fn goes_on(&mut self, bytes: usize, waited: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.waited < self.slowest.window {
            return true;
        }
        let enough = self.bytes >= self.slowest.bytes;
        *self = Self::new(self.slowest);
        enough
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the pattern of takers, nothing passes before the rate allows it.
        #[test]
        fn no_pattern_of_takers_beats_the_rate(
            rate in 1_u64..1_000_000,
            takes in proptest::collection::vec((0_u64..5_000, 0_usize..100_000), 1..50),
        ) {
            let start = Instant::now();
            let mut bucket = Bucket::new(rate);
            let (mut now, mut taken) = (start, 0_usize);
            for (pause, bytes) in takes {
                now += Duration::from_millis(pause);
                taken += bytes;
                let passes_at = now + bucket.take(bytes, now);
                let allowed = (passes_at - start).as_secs_f64() * rate as f64;
                prop_assert!(taken as f64 <= allowed + 1.0, "{taken} bytes, {allowed} allowed");
            }
        }
    }

    #[test]
    fn an_idle_bucket_saves_nothing_up_and_a_busy_one_is_fully_used() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000);
        assert_eq!(bucket.take(500, start), Duration::from_millis(500));
        assert_eq!(bucket.take(500, start), Duration::from_secs(1));
        let later = start + Duration::from_secs(60);
        assert_eq!(bucket.take(1000, later), Duration::from_secs(1));
    }

    #[test]
    fn a_drip_is_noticed_within_its_window() {
        let slowest = Slowest {
            bytes: 100,
            window: Duration::from_secs(10),
        };
        let reads = |bytes: usize| {
            let mut drip = Drip::new(slowest);
            (0..100)
                .take_while(|_| drip.goes_on(bytes, Duration::from_secs(1)))
                .count()
        };
        assert_eq!(reads(9), 9);
        assert_eq!(reads(10), 100);
    }

    #[tokio::test]
    async fn idle_hosts_are_forgotten_and_busy_ones_kept() {
        let limits = HostLimits::new(1);
        let busy = limits
            .enter(&"http://busy.example/".parse().unwrap())
            .await
            .unwrap();
        for n in 0..MAX_HOSTS * 2 {
            let idle = limits
                .enter(&format!("http://h{n}.example/").parse().unwrap())
                .await
                .unwrap();
            drop(idle);
        }
        assert!(limits.hosts.lock().len() <= MAX_HOSTS);
        assert!(limits.hosts.lock().contains_key("busy.example:80"));
        drop(busy);
    }
}
