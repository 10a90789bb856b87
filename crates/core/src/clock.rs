//! Time as an argument: nothing outside this module asks the system what time it is.

use std::fmt::Debug;

use parking_lot::Mutex;

pub use jiff::{SignedDuration, Timestamp};

/// The source of "now". Tests pass a [`ManualClock`] and never wait.
pub trait Clock: Debug + Send + Sync {
    /// The present instant, UTC.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that everybody else is sent to"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that moves only when told to.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock forward by `by`; saturates at the end of time.
    pub fn advance(&self, by: SignedDuration) {
        let mut now = self.0.lock();
        *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ`, the form of every date on the wire (pulp2/conventions#dates). Sub-seconds are cut.
#[must_use]
pub fn iso(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads what [`iso`] writes, and any RFC 3339 time stamp with an offset. `None` for anything else.
#[must_use]
pub fn parse_iso(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_cuts_sub_seconds_and_reads_back() {
        let at: Timestamp = "2016-01-02T03:04:05.999Z".parse().unwrap();
        assert_eq!(iso(at), "2016-01-02T03:04:05Z");
        assert_eq!(
            parse_iso(&iso(at)),
            Some("2016-01-02T03:04:05Z".parse().unwrap())
        );
        assert_eq!(parse_iso("2016-01-02"), None);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new("2020-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(clock.now(), clock.now());
        clock.advance(SignedDuration::from_secs(61));
        assert_eq!(iso(clock.now()), "2020-01-01T00:01:01Z");
    }
}
