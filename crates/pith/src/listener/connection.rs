//! One connection: who is at the other end, and how far they keep up.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pith_core::Network;
use tokio::task::AbortHandle;

use super::unread::{Sum, Unread};

/// Bytes of a body or an answer that a client takes or sends within the time it has, at least.
const PROGRESS: u64 = 32 * 1024;

/// The state of a connection. It is written by what serves the connection and read by who looks after all of them, without a lock.
pub(super) struct Connection {
    /// The client's network; `None` for a proxy, behind which there are many.
    pub(super) network: Option<Network>,
    accepted: Instant,
    /// Is true once it has sent a request of HTTP/2.
    pub(super) is_http2: AtomicBool,
    /// Requests whose heads have come.
    heads: AtomicU64,
    /// Requests that are not answered to the end.
    open: AtomicUsize,
    /// The time at which the last request was answered, in milliseconds after `accepted`.
    quiet: AtomicU64,
    /// Bytes that came and wait to be read.
    pub(super) unread: Unread,
    /// Bodies of requests whose next bytes are waited for.
    pub(super) reading: AtomicUsize,
    /// Bytes of bodies that have come.
    pub(super) received: AtomicU64,
    /// The socket takes nothing more at the moment.
    pub(super) is_blocked: AtomicBool,
    /// Bytes that the socket took, of HTTP/1.
    pub(super) sent: AtomicU64,
    /// Pieces of HTTP/2 answers that are not sent yet.
    pub(super) unsent: AtomicUsize,
    /// Bytes of such pieces that were sent.
    pub(super) delivered: AtomicU64,
    /// Since when the client has been waited for, in milliseconds after `accepted` and one more; zero for not at all. Like the next,
    /// it is for [`Connection::look`] alone.
    waiting: AtomicU64,
    /// The bytes that had moved by then.
    moved: AtomicU64,
    /// Since when hardly anything has moved, whoever is waited for, in milliseconds after `accepted`.
    idle: AtomicU64,
    /// The bytes of both directions that had moved by then.
    idle_from: AtomicU64,
    task: OnceLock<AbortHandle>,
}

/// The use of a connection, compared to find one to give up: the worst use is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// Its client takes and sends as it should.
    Busy,
    /// The first head has not come, and may be on its way.
    New,
    /// The client waits, for a file that does not come from elsewhere or hardly does.
    Kept,
    /// The client keeps us waiting.
    Waiting,
    /// Between two requests.
    Quiet,
    /// The first head has been waited for long.
    Headless,
}

/// The time after which a client is noticed that sends no head, or takes nothing.
const SOON: Duration = Duration::from_secs(1);
/// The time in which [`PROGRESS`] is to move, so that a connection is used more than one that is new.
const LONG: Duration = Duration::from_secs(5);

impl Connection {
    pub(super) fn new(network: Option<Network>, unread: Sum) -> Self {
        Self {
            network,
            accepted: Instant::now(),
            is_http2: AtomicBool::new(false),
            heads: AtomicU64::new(0),
            open: AtomicUsize::new(0),
            quiet: AtomicU64::new(0),
            unread: Unread::new(unread),
            reading: AtomicUsize::new(0),
            received: AtomicU64::new(0),
            is_blocked: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            unsent: AtomicUsize::new(0),
            delivered: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            idle_from: AtomicU64::new(0),
            task: OnceLock::new(),
        }
    }

    /// Names the task that serves the connection.
    pub(super) fn served_by(&self, task: AbortHandle) {
        let _ = self.task.set(task);
    }

    /// Ends the connection; false when it is not served yet.
    pub(super) fn cut(&self) -> bool {
        self.task.get().map(AbortHandle::abort).is_some()
    }

    /// Milliseconds since the connection was accepted.
    fn age(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that a request's head has come.
    pub(super) fn begin(&self) {
        if self.heads.fetch_add(1, Ordering::Relaxed) == 0 {
            self.unread.clear();
        }
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a request has been answered, or given up.
    pub(super) fn end(&self) {
        self.quiet.store(self.age(), Ordering::Relaxed);
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    pub(super) fn is_headless(&self) -> bool {
        self.heads.load(Ordering::Relaxed) == 0
    }

    /// The bytes that tell whether the client keeps up; `None` while it is not waited for.
    fn progress(&self) -> Option<u64> {
        let set = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 0;
        let sum = |count: &AtomicU64| count.load(Ordering::Relaxed);
        if set(&self.reading) {
            Some(sum(&self.received))
        } else if set(&self.unsent) {
            Some(sum(&self.delivered))
        } else if self.is_blocked.load(Ordering::Relaxed) {
            Some(sum(&self.sent))
        } else {
            None
        }
    }

    /// Notes how far the client keeps up, from time to time. Returns what it did too slowly, in `patience` for the first head and
    /// for each so many bytes of a body or an answer.
    pub(super) fn look(&self, patience: Duration) -> Option<&'static str> {
        let now = self.age();
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        if self.is_headless() {
            return (now >= patience).then_some("sent no request");
        }
        self.watch(now);
        let Some(progress) = self.progress() else {
            self.waiting.store(0, Ordering::Relaxed);
            return None;
        };
        let (since, from) = (
            self.waiting.load(Ordering::Relaxed),
            self.moved.load(Ordering::Relaxed),
        );
        // Another direction than before begins anew as well.
        let moved = progress.checked_sub(from).filter(|_| since > 0);
        match moved {
            Some(moved) if moved < PROGRESS => {
                (now + 1 - since >= patience).then_some("takes or sends too little")
            }
            _ => {
                self.moved.store(progress, Ordering::Relaxed);
                self.waiting.store(now + 1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Notes since when hardly anything has moved.
    fn watch(&self, now: u64) {
        let counts = [&self.received, &self.delivered, &self.sent];
        let moved: u64 = counts
            .map(|count| count.load(Ordering::Relaxed))
            .iter()
            .sum();
        let from = self.idle_from.load(Ordering::Relaxed);
        if self.open() == 0 || moved.saturating_sub(from) >= PROGRESS {
            self.idle_from.store(moved, Ordering::Relaxed);
            self.idle.store(now, Ordering::Relaxed);
        }
    }

    /// The use of the connection, and for how many milliseconds it has been so.
    pub(super) fn used(&self) -> (Use, u64) {
        let now = self.age();
        let soon = u64::try_from(SOON.as_millis()).unwrap_or(u64::MAX);
        if self.is_headless() {
            let kind = if now >= soon { Use::Headless } else { Use::New };
            return (kind, now);
        }
        if self.open() == 0 {
            return (
                Use::Quiet,
                now - self.quiet.load(Ordering::Relaxed).min(now),
            );
        }
        let since = self.waiting.load(Ordering::Relaxed);
        let waited = (now + 1).saturating_sub(since);
        if since > 0 && waited >= soon {
            return (Use::Waiting, waited);
        }
        let idle = now.saturating_sub(self.idle.load(Ordering::Relaxed));
        if u128::from(idle) >= LONG.as_millis() {
            return (Use::Kept, idle);
        }
        (Use::Busy, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_what_hardly_comes_gives_way_to_somebody_new() {
        let ago = Instant::now().checked_sub(LONG * 4).unwrap();
        let connection = Connection {
            accepted: ago,
            ..Connection::new(None, Sum::default())
        };
        let patience = Duration::from_secs(60);
        let send = |bytes: u64| {
            connection.sent.fetch_add(bytes, Ordering::Relaxed);
            connection.look(patience);
            connection.used().0
        };
        connection.begin();
        assert_eq!(send(100), Use::Kept);
        assert_eq!(send(PROGRESS), Use::Busy);
        connection.idle.store(0, Ordering::Relaxed);
        assert_eq!(send(PROGRESS / 2), Use::Kept, "a drip");
        assert_eq!(send(PROGRESS / 2), Use::Busy);
        assert!(Use::Kept > Use::New && Use::Kept < Use::Waiting);
    }
}
