//! The times at which schedules run (pulp2/schedules): their intervals, and the instants that follow from them. Nothing here asks
//! for the time of day.

use jiff::Timestamp;

use crate::iso8601::{DateTime, Period};

/// Longest interval that is looked at, in bytes.
const MAX_TEXT: usize = 300;

/// `[R<n>/][<start>/]P<duration>`, in any order, separated by `/` or `--`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// The most runs that it has.
    pub recurrences: Option<i64>,
    /// The first run.
    pub start: Option<DateTime>,
    /// The time from one run to the next.
    pub period: Period,
}

/// The reason why a text is no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// One of the parts is none of the three kinds.
    #[error(
        "'{0}' is neither a number of runs (R3), a date with a time (2030-01-01T00:00:00Z) nor a duration (P1D)"
    )]
    Part(String),
    /// Two parts of one kind.
    #[error("an interval has only one {0}")]
    Twice(&'static str),
    /// No duration.
    #[error("an interval needs a duration, such as P1D")]
    NoDuration,
    /// The next run would be now, for ever.
    #[error("the duration of an interval must be longer than nothing")]
    Zero,
    /// Months and years are of no length without a day to begin with.
    #[error("a duration with months or years needs a start, such as 2030-01-01T00:00:00Z/P1M")]
    NeedsStart,
}

fn once<T>(
    slot: &mut Option<T>,
    value: Option<T>,
    part: &str,
    kind: &'static str,
) -> Result<(), IntervalError> {
    let value = value.ok_or_else(|| IntervalError::Part(part.to_owned()))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(IntervalError::Twice(kind)),
    }
}

fn recurrences(digits: &str) -> Option<i64> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|count| plain && *count >= 1)
}

impl Interval {
    /// Reads an interval.
    ///
    /// # Errors
    /// [`IntervalError`], for the first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, IntervalError> {
        if text.len() > MAX_TEXT {
            let start = text.chars().take(20).collect::<String>();
            return Err(IntervalError::Part(format!("{start}…")));
        }
        let separator = if text.contains("--") { "--" } else { "/" };
        let (mut count, mut start, mut period) = (None, None, None);
        for part in text.split(separator) {
            if part.starts_with('P') {
                once(&mut period, Period::parse(part), part, "duration")?;
            } else if let Some(digits) = part.strip_prefix('R') {
                once(&mut count, recurrences(digits), part, "number of runs")?;
            } else {
                once(&mut start, DateTime::parse(part), part, "start")?;
            }
        }
        let period = period.ok_or(IntervalError::NoDuration)?;
        if period.is_zero() {
            return Err(IntervalError::Zero);
        }
        if period.is_calendar() && start.is_none() {
            return Err(IntervalError::NeedsStart);
        }
        Ok(Self {
            recurrences: count,
            start,
            period,
        })
    }

    /// The first run of a schedule made at `now`: the start, or now.
    #[must_use]
    pub fn first_run(&self, now: Timestamp) -> DateTime {
        self.start.unwrap_or_else(|| DateTime::utc(now))
    }
}

/// The instants at which a schedule runs: the first run, and again after each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    first: DateTime,
    period: Period,
}

impl Timetable {
    /// Runs from `first` on.
    #[must_use]
    pub fn new(first: DateTime, period: Period) -> Self {
        Self { first, period }
    }

    /// Returns when a schedule that ran at `last_run`, or never, has to run: at the first run, or at the first instant after the
    /// last run. However many instants were missed, it runs once for them. `None` when that is never.
    #[must_use]
    pub fn due(&self, last_run: Option<Timestamp>) -> Option<Timestamp> {
        let first = self.first.timestamp()?;
        match last_run {
            Some(last) if last >= first => self.instant_after(last),
            _ => Some(first),
        }
    }

    /// Returns what `next_run` shows at `now` (pulp2/schedules#run-times): the first run while that is to come, now when
    /// there was none, else the next instant. The end of time when that is never.
    #[must_use]
    pub fn next_run(&self, total_run_count: i64, now: Timestamp) -> Timestamp {
        let first = self.first.timestamp().unwrap_or(Timestamp::MAX);
        if first > now {
            first
        } else if total_run_count == 0 {
            now
        } else {
            self.instant_after(now).unwrap_or(Timestamp::MAX)
        }
    }

    /// The first instant later than `at`, which is not earlier than the first run.
    fn instant_after(&self, at: Timestamp) -> Option<Timestamp> {
        if self.period.is_calendar() {
            return self.calendar_instant_after(at);
        }
        let first = self.first.timestamp()?.as_nanosecond();
        let step = self.period.exact.as_nanos();
        let periods = (at.as_nanosecond() - first).checked_div_euclid(step)? + 1;
        Timestamp::from_nanosecond(first.checked_add(periods.checked_mul(step)?)?).ok()
    }

    /// The same by adding again and again, as Pulp does: from the 31st it comes to the 28th and stays there. A step
    /// is a month at least, so that even a start in the year 1 takes few of them.
    fn calendar_instant_after(&self, at: Timestamp) -> Option<Timestamp> {
        let mut next = self.first;
        loop {
            let instant = next.timestamp()?;
            if instant > at {
                return Some(instant);
            }
            next.civil = self.period.after(next.civil)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::iso;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timetable(text: &str, now: &str) -> Timetable {
        let interval = Interval::parse(text).unwrap();
        Timetable::new(interval.first_run(at(now)), interval.period)
    }

    #[test]
    fn parts_come_in_any_order_and_with_either_separator() {
        let one = Interval::parse("R3/2014-01-01T00:00:00Z/PT1H").unwrap();
        assert_eq!(one.recurrences, Some(3));
        for same in [
            "PT1H/R3/2014-01-01T00:00:00Z",
            "2014-01-01T00:00:00Z--R3--PT1H",
            "R0003/2014W013T00Z/PT60M",
        ] {
            assert_eq!(Interval::parse(same), Ok(one.clone()), "{same}");
        }
        assert_eq!(Interval::parse("P1W").unwrap().start, None);
    }

    #[test]
    fn what_is_no_interval_says_why() {
        let part = |text: &str| IntervalError::Part(text.to_owned());
        for (text, error) in [
            ("", part("")),
            ("bogus", part("bogus")),
            ("R/PT1H", part("R")),
            ("R0/PT1H", part("R0")),
            ("R-1/PT1H", part("R-1")),
            ("R+1/PT1H", part("R+1")),
            ("-PT1H", part("-PT1H")),
            ("P", part("P")),
            ("P1D/", part("")),
            ("2014-01-01/P1D", part("2014-01-01")),
            ("00:00:00Z/P1DT", part("00:00:00Z")),
            ("R3", IntervalError::NoDuration),
            ("2030-01-01T00:00:00Z", IntervalError::NoDuration),
            ("PT0S", IntervalError::Zero),
            ("PT", IntervalError::Zero),
            ("P1M", IntervalError::NeedsStart),
            ("R2/P1Y", IntervalError::NeedsStart),
            ("R2/R2/P1D", IntervalError::Twice("number of runs")),
            ("P1D/P1D", IntervalError::Twice("duration")),
            (
                "2014-01-01T00Z/2015-01-01T00Z/P1D",
                IntervalError::Twice("start"),
            ),
        ] {
            assert_eq!(Interval::parse(text).unwrap_err(), error, "{text}");
        }
        assert!(Interval::parse(&"P1D/".repeat(1000)).is_err());
    }

    #[test]
    fn missed_runs_are_made_up_for_once() {
        let daily = timetable("2016-01-01T06:00:00+02:00/P1D", "2016-01-01T00:00:00Z");
        assert_eq!(daily.due(None), Some(at("2016-01-01T04:00:00Z")));
        let before = Some(at("2015-12-31T00:00:00Z"));
        assert_eq!(
            daily.due(before),
            daily.due(None),
            "a new start counts from itself"
        );
        let late = at("2016-01-09T05:00:00Z");
        assert_eq!(daily.due(Some(late)), Some(at("2016-01-10T04:00:00Z")));
        assert_eq!(daily.next_run(1, late), at("2016-01-10T04:00:00Z"));
    }

    #[test]
    fn the_next_run_of_a_schedule_that_never_ran_is_now() {
        let hourly = timetable("PT1H", "2016-01-01T00:00:00Z");
        let later = at("2016-01-01T05:30:00Z");
        assert_eq!(hourly.next_run(0, later), later);
        assert_eq!(hourly.next_run(1, later), at("2016-01-01T06:00:00Z"));
        let future = timetable("2030-01-01T00:00:00+02:00/P1D", "2016-01-01T00:00:00Z");
        assert_eq!(iso(future.next_run(0, later)), "2029-12-31T22:00:00Z");
    }

    #[test]
    fn months_are_added_one_by_one_and_clip_the_day() {
        let monthly = timetable("2016-01-31T00:00:00Z/P1M", "2016-01-01T00:00:00Z");
        let mut last = None;
        let mut days = Vec::new();
        for _ in 0..4 {
            last = monthly.due(last);
            days.push(iso(last.unwrap())[5..10].to_owned());
        }
        assert_eq!(days, ["01-31", "02-29", "03-29", "04-29"]);
    }

    #[test]
    fn the_end_of_time_is_no_error() {
        let rare = timetable("9990-01-01T00:00:00Z/P9000Y", "2016-01-01T00:00:00Z");
        let last = rare.due(None);
        assert!(last.is_some());
        assert_eq!(rare.due(last), None);
        assert_eq!(rare.next_run(1, at("9995-01-01T00:00:00Z")), Timestamp::MAX);
        let old = timetable("0001-01-01T00:00:00Z/P1M", "2016-01-01T00:00:00Z");
        assert_eq!(
            old.due(Some(at("2016-01-15T00:00:00Z"))),
            Some(at("2016-02-01T00:00:00Z"))
        );
    }

    prop_compose! {
        fn instant()(seconds in 0i64..4_000_000_000) -> Timestamp {
            Timestamp::from_second(seconds).unwrap()
        }
    }

    proptest! {
        #[test]
        fn intervals_of_any_text_never_panic(text in "[PRTZDYMHS0-9:/.-]{0,40}") {
            if let Ok(interval) = Interval::parse(&text) {
                let now = Timestamp::from_second(1_700_000_000).unwrap();
                let table = Timetable::new(interval.first_run(now), interval.period);
                let due = table.due(Some(now));
                prop_assert!(due.is_none_or(|due| due > now));
                prop_assert!(table.next_run(1, now) > now);
            }
        }

        #[test]
        fn exact_runs_lie_on_the_grid_and_none_is_left_out(first in instant(), last in instant(), step in 1i64..10_000_000) {
            let period = Period::parse(&format!("PT{step}S")).unwrap();
            let table = Timetable::new(DateTime::utc(first), period);
            let due = table.due(Some(last)).unwrap();
            prop_assert!(due >= first);
            prop_assert_eq!((due.as_second() - first.as_second()) % step, 0);
            if last >= first {
                prop_assert!(due > last && due.as_second() - step <= last.as_second());
            } else {
                prop_assert_eq!(due, first);
            }
        }

        #[test]
        fn calendar_runs_only_go_forward_and_start_at_the_first(first in instant(), years in 0i32..3, months in 0i32..20, days in 0i32..40) {
            prop_assume!(years + months > 0);
            let text = format!("P{years}Y{months}M{days}D");
            let table = Timetable::new(DateTime::utc(first), Period::parse(&text).unwrap());
            let mut last = table.due(None);
            prop_assert_eq!(last, Some(first));
            for _ in 0..5 {
                let next = table.due(last);
                prop_assert!(next > last);
                prop_assert_eq!(next, Some(table.next_run(1, last.unwrap())));
                last = next;
            }
        }
    }
}
