//! Dates and durations of ISO 8601, in the forms that Pulp's clients may send (pulp2/schedules#intervals).
//!
//! A library for time stamps reads one profile of the standard; clients use the others too: basic and extended,
//! weeks, days of the year, decimals, a duration written like a date.

use std::fmt;

use jiff::civil::{self, ISOWeekDate, Weekday};
use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp};

/// Longest text that is looked at, in bytes.
const MAX_TEXT: usize = 100;
/// Longest exact part of a period: ten thousand years, beyond which no date can be written anyway.
const MAX_SECONDS: i128 = 10_000 * 366 * 86_400;
const NANOS: i128 = 1_000_000_000;

/// A date with a time, and the offset from UTC if the text has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// The date and time as a local clock shows them.
    pub civil: civil::DateTime,
    /// The distance of that clock from UTC; `None` stands for UTC.
    pub offset: Option<Offset>,
}

impl DateTime {
    /// Reads a combined date and time: `2014-01-02T03:04:05Z`, `20140102T0304+02`, `2014-W05-2T10,5`, `2014-032T10`.
    /// `None` for anything else; a date alone is not enough.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (date, time) = text.split_once('T')?;
        let (time, offset) = split_offset(time)?;
        Some(Self {
            civil: parse_date(date)?.to_datetime(parse_time(time)?),
            offset,
        })
    }

    /// The instant `at` in UTC.
    #[must_use]
    pub fn utc(at: Timestamp) -> Self {
        Self {
            civil: Offset::UTC.to_datetime(at),
            offset: Some(Offset::UTC),
        }
    }

    /// The instant; without an offset that of UTC. `None` beyond the end of time.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.offset
            .unwrap_or(Offset::UTC)
            .to_timestamp(self.civil)
            .ok()
    }
}

impl fmt::Display for DateTime {
    /// `YYYY-MM-DDTHH:MM:SS` with `Z`, `+02:00` or nothing, as it was given. Sub-seconds are cut.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.civil.strftime("%Y-%m-%dT%H:%M:%S"))?;
        match self.offset {
            None => Ok(()),
            Some(offset) if offset.seconds() == 0 => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset.seconds() < 0 { '-' } else { '+' };
                let minutes = offset.seconds().abs() / 60;
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

/// A length of time: whole years and months, which are as long as the calendar says, and an exact rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Period {
    /// Years.
    pub years: i32,
    /// Months.
    pub months: i32,
    /// Weeks, days (of 24 hours) and what is shorter.
    pub exact: SignedDuration,
}

impl Period {
    /// Reads `PnYnMnWnDTnHnMnS` (decimals with `.` or `,`; of years and months none) or `PYYYY-MM-DDThh:mm:ss`.
    /// `None` for anything else, and for what no calendar can add.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('P').filter(|rest| !rest.is_empty())?;
        if text.len() > MAX_TEXT {
            return None;
        }
        let period = Self::of_units(rest).or_else(|| Self::of_date(rest))?;
        // Longer ones cannot be added to any date.
        (period.years <= 9999 && period.months <= 120_000).then_some(period)
    }

    /// Tells whether it has no length.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// Tells whether its length depends on when it begins.
    #[must_use]
    pub fn is_calendar(&self) -> bool {
        self.years != 0 || self.months != 0
    }

    /// `at` plus this: first years and months, the day clipped to the length of the month, then the rest.
    #[must_use]
    pub fn after(&self, at: civil::DateTime) -> Option<civil::DateTime> {
        let span = Span::new()
            .try_years(self.years)
            .and_then(|span| span.try_months(self.months))
            .ok()?;
        at.checked_add(span).ok()?.checked_add(self.exact).ok()
    }

    fn of_units(text: &str) -> Option<Self> {
        let (date, time) = match text.split_once('T') {
            Some((date, time)) => (date, time),
            None => (text, ""),
        };
        let mut date = Units(date);
        let years = whole(date.next('Y')?)?;
        let months = whole(date.next('M')?)?;
        let mut nanos = 0;
        for (designator, seconds) in [('W', 604_800), ('D', 86_400)] {
            nanos += date.next(designator)?.unwrap_or(0) * seconds;
        }
        let mut time = Units(time);
        for (designator, seconds) in [('H', 3600), ('M', 60), ('S', 1)] {
            nanos += time.next(designator)?.unwrap_or(0) * seconds;
        }
        let all_read = date.0.is_empty() && time.0.is_empty();
        Some(Self {
            years,
            months,
            exact: duration(nanos).filter(|_| all_read)?,
        })
    }

    fn of_date(text: &str) -> Option<Self> {
        let DateTime { civil, offset } = DateTime::parse(text)?;
        if offset.is_some() {
            return None;
        }
        let time = civil.time();
        let nanos = time.duration_since(civil::Time::midnight()).as_nanos();
        Some(Self {
            years: i32::from(civil.year()),
            months: i32::from(civil.month()),
            exact: duration(nanos + i128::from(civil.day()) * 86_400 * NANOS)?,
        })
    }
}

fn duration(nanos: i128) -> Option<SignedDuration> {
    let seconds = nanos / NANOS;
    if seconds > MAX_SECONDS {
        return None;
    }
    let rest = i32::try_from(nanos % NANOS).ok()?;
    Some(SignedDuration::new(i64::try_from(seconds).ok()?, rest))
}

/// A number in billionths that has no fraction.
fn whole(billionths: Option<i128>) -> Option<i32> {
    let billionths = billionths.unwrap_or(0);
    (billionths % NANOS == 0)
        .then(|| i32::try_from(billionths / NANOS).ok())
        .flatten()
}

/// Numbers with designators, in a fixed order, each of which may be left out.
struct Units<'a>(&'a str);

impl Units<'_> {
    /// The number before `designator`, in billionths; `Some(None)` when it is left out, `None` when it is unreadable.
    fn next(&mut self, designator: char) -> Option<Option<i128>> {
        let end = self
            .0
            .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
        let Some(end) = end.filter(|end| self.0[*end..].starts_with(designator)) else {
            return Some(None);
        };
        let number = &self.0[..end];
        self.0 = &self.0[end + designator.len_utf8()..];
        let (digits, fraction) = match number.split_once(['.', ',']) {
            None => (number, 0),
            Some((digits, fraction)) => (digits, billionths(fraction)?),
        };
        // Twelve digits of the largest unit still fit.
        let fits = (1..=12).contains(&digits.len()) && is_digits(digits);
        let digits: i128 = digits.parse().ok().filter(|_| fits)?;
        Some(Some(digits * NANOS + fraction))
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// Digits behind a decimal sign, in billionths; finer ones are cut.
fn billionths(digits: &str) -> Option<i128> {
    if digits.is_empty() || !is_digits(digits) {
        return None;
    }
    format!("{digits:0<9.9}").parse().ok()
}

/// The numbers in `text` when it has the form of `pattern`: a run of one small letter is a number of so many digits,
/// anything else stands for itself.
fn numbers<const N: usize>(text: &str, pattern: &str) -> Option<[i16; N]> {
    if text.len() != pattern.len() || !text.is_ascii() {
        return None;
    }
    let (mut found, mut at, mut last) = ([0i16; N], 0, None);
    for (given, wanted) in text.bytes().zip(pattern.bytes()) {
        if !wanted.is_ascii_lowercase() {
            if given != wanted {
                return None;
            }
        } else if given.is_ascii_digit() {
            if last.is_some_and(|last| last != wanted) {
                at += 1;
            }
            last = Some(wanted);
            let number = found.get_mut(at)?;
            *number = *number * 10 + i16::from(given - b'0');
        } else {
            return None;
        }
    }
    Some(found)
}

fn parse_date(text: &str) -> Option<civil::Date> {
    let date = if let Some([year, month, day]) = either(text, ["yyyy-mm-dd", "yyyymmdd"]) {
        civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?
    } else if let Some([year, week, day]) = either(text, ["yyyy-Www-d", "yyyyWwwd"]) {
        week_date(year, week, day)?
    } else if let Some([year, week]) = either(text, ["yyyy-Www", "yyyyWww"]) {
        week_date(year, week, 1)?
    } else if let Some([year, day]) = either(text, ["yyyy-ddd", "yyyyddd"]) {
        let first = civil::Date::new(year, 1, 1).ok()?;
        first.with().day_of_year(day).build().ok()?
    } else if let Some([year, month]) = numbers(text, "yyyy-mm") {
        civil::Date::new(year, i8::try_from(month).ok()?, 1).ok()?
    } else {
        let [year] = numbers(text, "yyyy")?;
        civil::Date::new(year, 1, 1).ok()?
    };
    (date.year() >= 1).then_some(date)
}

fn either<const N: usize>(text: &str, patterns: [&str; 2]) -> Option<[i16; N]> {
    patterns
        .into_iter()
        .find_map(|pattern| numbers(text, pattern))
}

fn week_date(year: i16, week: i16, day: i16) -> Option<civil::Date> {
    let day = Weekday::from_monday_one_offset(i8::try_from(day).ok()?).ok()?;
    let date = ISOWeekDate::new(year, i8::try_from(week).ok()?, day).ok()?;
    Some(date.date())
}

fn parse_time(text: &str) -> Option<civil::Time> {
    let (text, fraction) = match text.split_once(['.', ',']) {
        None => (text, 0),
        Some((text, fraction)) => (text, billionths(fraction)?),
    };
    let (hour, minute, second, unit) =
        if let Some([hour, minute, second]) = either(text, ["hh:mm:ss", "hhmmss"]) {
            (hour, minute, second, 1)
        } else if let Some([hour, minute]) = either(text, ["hh:mm", "hhmm"]) {
            (hour, minute, 0, 60)
        } else {
            let [hour] = numbers(text, "hh")?;
            (hour, 0, 0, 3600)
        };
    let time = civil::Time::new(
        i8::try_from(hour).ok()?,
        i8::try_from(minute).ok()?,
        i8::try_from(second).ok()?,
        0,
    );
    // Less than the last unit, so that it never carries over.
    time.ok()?.checked_add(duration(fraction * unit)?).ok()
}

/// Splits `Z`, `+hh`, `+hhmm` or `+hh:mm` off.
fn split_offset(time: &str) -> Option<(&str, Option<Offset>)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, Some(Offset::UTC)));
    }
    let Some(at) = time.find(['+', '-']) else {
        return Some((time, None));
    };
    let (time, offset) = time.split_at(at);
    let (sign, digits) = offset.split_at(1);
    let [hours, minutes] = match either(digits, ["hh:mm", "hhmm"]) {
        Some(both) => both,
        None => numbers::<1>(digits, "hh").map(|[hours]| [hours, 0])?,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
    let seconds = if sign == "-" { -seconds } else { seconds };
    Some((time, Some(Offset::from_seconds(seconds).ok()?)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> Option<String> {
        DateTime::parse(text).map(|date| date.to_string())
    }

    #[test]
    fn dates_are_read_in_every_form_and_keep_their_offset() {
        for (text, same) in [
            ("2014-01-02T03:04:05Z", "2014-01-02T03:04:05Z"),
            ("20140102T030405", "2014-01-02T03:04:05"),
            ("2014-01-02T03:04:05.999", "2014-01-02T03:04:05"),
            ("2014-01-02T03:04+02:00", "2014-01-02T03:04:00+02:00"),
            ("2014-01-02T0304-0330", "2014-01-02T03:04:00-03:30"),
            ("2014-W05-2T10Z", "2014-01-28T10:00:00Z"),
            ("2014W05T10,5+00", "2014-01-27T10:30:00Z"),
            ("2014-032T10:30.5", "2014-02-01T10:30:30"),
            ("2016366T00", "2016-12-31T00:00:00"),
            ("2014-02T00:00", "2014-02-01T00:00:00"),
            ("2014T00:00", "2014-01-01T00:00:00"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(same), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_with_a_time_is_refused() {
        for text in [
            "2014-01-01",
            "00:00:00Z",
            "T00:00Z",
            "2014-01-01T",
            "2014-02-30T00:00",
            "2014-366T00:00",
            "2014-W54-1T00",
            "2014-W05-8T00",
            "2014-01-01T24:00",
            "2014-01-01T23:59:60",
            "2014-01-01t00:00z",
            "2014-01-01T00:00.",
            "2014-01-01T00:00+24:00",
            "0000-01-01T00:00",
            "2014-01-01T00:00ZZ",
            "2014-01-01 00:00",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    fn period(text: &str) -> Option<(i32, i32, f64)> {
        Period::parse(text).map(|p| (p.years, p.months, p.exact.as_secs_f64()))
    }

    #[test]
    fn periods_are_read_with_weeks_decimals_and_like_dates() {
        assert_eq!(period("P1DT"), Some((0, 0, 86_400.0)));
        assert_eq!(period("P1DT2H"), Some((0, 0, 93_600.0)));
        assert_eq!(
            period("P1Y2M3W4DT5H6M7.5S"),
            Some((1, 2, 2_178_367.5)),
            "weeks and days count together"
        );
        assert_eq!(period("PT0,5M"), Some((0, 0, 30.0)));
        assert_eq!(period("P0001-01-01T00:00:00"), Some((1, 1, 86_400.0)));
        assert!(Period::parse("PT").unwrap().is_zero() && Period::parse("P0Y").unwrap().is_zero());
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for text in [
            "",
            "P",
            "p1D",
            "P1",
            "P1H",
            "PT1D",
            "P1D1W",
            "P-1D",
            "-P1D",
            "+P1D",
            "P1.D",
            "P1,5Y",
            "P0.5M",
            "PT1H2",
            "P1DTT1H",
            "P99999999999999D",
            "P9999999999D",
            "P1Y1Y",
            "P10000Y",
            "P0001-01-01T00:00Z",
            "P1²D",
        ] {
            assert_eq!(period(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in "[PRTWZDYMHS0-9:.,+/ä-]{0,30}") {
            let _ = (DateTime::parse(&text), Period::parse(&text));
        }

        #[test]
        fn what_is_shown_reads_back(seconds in -60_000_000_000i64..250_000_000_000, offset in -1439i32..1439) {
            let offset = Offset::from_seconds(offset * 60).unwrap();
            let civil = offset.to_datetime(Timestamp::from_second(seconds).unwrap());
            for offset in [Some(offset), None] {
                let date = DateTime { civil, offset };
                prop_assert_eq!(DateTime::parse(&date.to_string()), Some(date));
            }
        }
    }
}
