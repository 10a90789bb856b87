//! The server's settings about outgoing connections.

use std::time::Duration;

use crate::egress::Egress;
use crate::file_feeds::FileFeeds;

/// The rules of one process, the same for every importer.
#[derive(Debug, Clone)]
pub struct FetchPolicy {
    /// The addresses that may be reached.
    pub egress: Egress,
    /// The folders of this machine that may be feeds.
    pub files: FileFeeds,
    /// Requests in flight to one host and port, over all importers.
    pub max_per_host: usize,
    /// The rules that say how often and when a request is tried again.
    pub retry: RetryPolicy,
    /// Redirects followed for one request.
    pub max_redirects: usize,
    /// The slowest body that is still waited for.
    pub slowest: Slowest,
    /// One file takes no longer than this, over all mirrors and attempts.
    pub longest: Duration,
}

/// The slowest body that is still waited for: without this a server that sends a byte now and then could hold a download
/// for ever, since each single read succeeds in time.
#[derive(Debug, Clone, Copy)]
pub struct Slowest {
    /// The bytes that must arrive at least…
    pub bytes: u64,
    /// … in this much time spent waiting for the server. (Time spent on our disk or speed limit does not count.)
    pub window: Duration,
}

impl Default for Slowest {
    fn default() -> Self {
        Self {
            bytes: 60 << 10,
            window: Duration::from_mins(1),
        }
    }
}

impl Slowest {
    /// The rule for so many bytes a second.
    #[must_use]
    pub fn per_second(bytes: u64) -> Self {
        let Self { window, .. } = Self::default();
        Self {
            bytes: bytes.saturating_mul(window.as_secs()),
            window,
        }
    }
}

impl Default for FetchPolicy {
    fn default() -> Self {
        Self {
            egress: Egress::default(),
            files: FileFeeds::default(),
            max_per_host: 32,
            retry: RetryPolicy::default(),
            max_redirects: 5,
            slowest: Slowest::default(),
            longest: Duration::from_hours(12),
        }
    }
}

/// The rules that say how often and when a request is tried again.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Tries per mirror, the first one included; at least one is made.
    pub attempts: u32,
    /// The longest wait before the second try; it doubles with each further one. The actual wait is drawn between half
    /// of that and all of it, so that many downloads which failed together do not come back together.
    pub base: Duration,
    /// No wait that we choose is longer than this.
    pub cap: Duration,
    /// No wait that the server chooses (`Retry-After`) is longer than this.
    pub retry_after_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(20),
            retry_after_cap: Duration::from_mins(1),
        }
    }
}

impl RetryPolicy {
    /// Returns how long to wait after `failed` tries (from 1), when the server asked for `asked`; `jitter` is drawn from 0
    /// to 1.
    #[must_use]
    pub fn wait(&self, failed: u32, asked: Option<Duration>, jitter: f64) -> Duration {
        let doublings = failed.saturating_sub(1).min(16);
        let full = self.base.saturating_mul(1 << doublings).min(self.cap);
        let ours = full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        asked.map_or(ours, |asked| asked.min(self.retry_after_cap).max(ours))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_jitter_takes_at_most_half() {
        let retry = RetryPolicy::default();
        assert_eq!(retry.wait(1, None, 1.0), Duration::from_secs(1));
        assert_eq!(retry.wait(1, None, 0.0), Duration::from_millis(500));
        assert_eq!(retry.wait(3, None, 1.0), Duration::from_secs(4));
        assert_eq!(retry.wait(1000, None, 1.0), Duration::from_secs(20));
    }

    #[test]
    fn the_server_may_ask_for_a_longer_wait_but_not_for_ever() {
        let retry = RetryPolicy::default();
        assert_eq!(
            retry.wait(1, Some(Duration::from_secs(7)), 1.0),
            Duration::from_secs(7)
        );
        assert_eq!(
            retry.wait(1, Some(Duration::from_secs(86_400)), 1.0),
            Duration::from_mins(1)
        );
        assert_eq!(
            retry.wait(2, Some(Duration::ZERO), 1.0),
            Duration::from_secs(2)
        );
    }
}
