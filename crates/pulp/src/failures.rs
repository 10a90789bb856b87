//! Logins that failed: counted for a while, so that guessing is slow and nobody is locked out.
//!
//! Whoever comes from one network and fails often with one login is refused there for that login, and nowhere else. Failures of a
//! network or of a login altogether slow the answers to further failures, never those to right passwords.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use parking_lot::Mutex;
use pith_core::Network;
use pith_core::clock::Timestamp;

/// Entries kept; when there are more, those that count for nothing any more go, or all.
const MOST: usize = 20_000;

/// An allowance of failures: so many at once, and one more each so many milliseconds.
struct Allowance {
    at_once: f64,
    each: f64,
}

/// Failures of one network with one login.
const PAIR: Allowance = Allowance {
    at_once: 20.0,
    each: 1000.0,
};
/// Failures of one network.
const NETWORK: Allowance = Allowance {
    at_once: 100.0,
    each: 200.0,
};
/// Failures of one login.
const LOGIN: Allowance = Allowance {
    at_once: 50.0,
    each: 1000.0,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    Pair(Network, u64),
    Network(Network),
    Login(u64),
}

impl Who {
    fn allowance(self) -> &'static Allowance {
        match self {
            Self::Pair(..) => &PAIR,
            Self::Network(_) => &NETWORK,
            Self::Login(_) => &LOGIN,
        }
    }
}

/// Failures as of an instant.
#[derive(Debug, Clone, Copy)]
struct Count {
    failures: f64,
    at: Timestamp,
}

/// The answer to whoever wants to try once more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Yes.
    Try,
    /// Yes, and when it fails the answer is to take its time.
    Slowly,
    /// No.
    Refuse,
}

/// The failures of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct LoginFailures {
    hasher: RandomState,
    counts: Mutex<HashMap<Who, Count>>,
}

impl Count {
    /// The failures that still count.
    fn now(self, now: Timestamp, allowance: &Allowance) -> f64 {
        let passed = now.duration_since(self.at).as_millis_f64();
        (self.failures - passed.max(0.0) / allowance.each).max(0.0)
    }
}

impl LoginFailures {
    fn of(&self, network: Network, login: &str) -> [Who; 3] {
        let login = self.hasher.hash_one(login);
        [
            Who::Pair(network, login),
            Who::Network(network),
            Who::Login(login),
        ]
    }

    /// The number of the line in which a login waits. There are few, so that nobody gets more than a handful.
    pub(crate) fn line(&self, login: &str) -> u8 {
        u8::try_from(self.hasher.hash_one(login) % 16).unwrap_or(0)
    }

    /// Counts a try before its end is known, so that tries at the same time count too.
    pub(crate) fn begin(&self, now: Timestamp, network: Network, login: &str) -> Verdict {
        let mut counts = self.counts.lock();
        if counts.len() >= MOST {
            counts.retain(|who, count| count.now(now, who.allowance()) > 0.0);
            if counts.len() >= MOST {
                counts.clear();
            }
        }
        let mut verdict = Verdict::Try;
        for who in self.of(network, login) {
            let allowance = who.allowance();
            let count = counts.entry(who).or_insert(Count {
                failures: 0.0,
                at: now,
            });
            let failures = count.now(now, allowance);
            let is_over = failures + 1.0 > allowance.at_once;
            if is_over && matches!(who, Who::Pair(..)) {
                return Verdict::Refuse;
            }
            if is_over {
                verdict = Verdict::Slowly;
            }
            *count = Count {
                failures: (failures + 1.0).min(allowance.at_once),
                at: now,
            };
        }
        verdict
    }

    /// Takes back what [`LoginFailures::begin`] counted: the password was right.
    pub(crate) fn succeed(&self, now: Timestamp, network: Network, login: &str) {
        let mut counts = self.counts.lock();
        for who in self.of(network, login) {
            if let Some(count) = counts.get_mut(&who) {
                let failures = count.now(now, who.allowance());
                *count = Count {
                    failures: (failures - 1.0).max(0.0),
                    at: now,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use pith_core::SignedDuration;

    use super::*;

    #[test]
    fn who_fails_often_is_refused_there_and_for_that_login_alone() {
        let failures = LoginFailures::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let network = |last: u8| Network::of([192, 0, 2, last].into());
        for _ in 0..20 {
            assert_eq!(failures.begin(now, network(1), "ann"), Verdict::Try);
        }
        assert_eq!(failures.begin(now, network(1), "ann"), Verdict::Refuse);
        let soon = now + SignedDuration::from_millis(900);
        assert_eq!(failures.begin(soon, network(1), "ann"), Verdict::Refuse);
        assert_eq!(failures.begin(now, network(1), "bob"), Verdict::Try);
        assert_eq!(failures.begin(now, network(2), "ann"), Verdict::Try);
        let later = now + SignedDuration::from_secs(2);
        assert_eq!(failures.begin(later, network(1), "ann"), Verdict::Try);
    }

    #[test]
    fn right_passwords_do_not_count() {
        let failures = LoginFailures::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let network = Network::of([192, 0, 2, 1].into());
        for _ in 0..100 {
            assert_eq!(failures.begin(now, network, "ann"), Verdict::Try);
            failures.succeed(now, network, "ann");
        }
    }

    #[test]
    fn many_networks_that_guess_one_login_are_slowed_and_not_refused() {
        let failures = LoginFailures::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let verdicts = (0..60).map(|last| {
            let network = Network::of([192, 0, 2, last].into());
            failures.begin(now, network, "ann")
        });
        let verdicts: Vec<Verdict> = verdicts.collect();
        assert!(verdicts[..50].iter().all(|one| *one == Verdict::Try));
        assert!(verdicts[50..].iter().all(|one| *one == Verdict::Slowly));
    }
}
