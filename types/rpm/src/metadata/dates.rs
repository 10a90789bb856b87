//! Dates of advisories: free text, of which everything that upstreams write can be compared.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

/// The point in time that a date means: seconds since 1970, or a date with or without a time, a fraction and a zone
/// (UTC when it names none); `None` when nobody can tell.
#[must_use]
pub fn moment(date: &str) -> Option<Timestamp> {
    let text = date.trim();
    if let Some(seconds) = seconds(text) {
        return Some(seconds);
    }
    calendar(text).or_else(|| {
        jiff::fmt::rfc2822::parse(text)
            .ok()
            .map(|at| at.timestamp())
    })
}

/// Seconds since 1970 with an optional fraction, as SUSE writes them.
fn seconds(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Timestamp::new(whole.parse().ok()?, nanos).ok()
}

/// `YYYY-MM-DD`, then perhaps `T` or blanks and `HH:MM`, `:SS`, `.fraction`, then perhaps a zone.
fn calendar(text: &str) -> Option<Timestamp> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let date = date_of(date)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest).trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && !matches!(c, ':' | '.' | ','))
        .unwrap_or(rest.len());
    let (time, zone) = rest.split_at(end);
    let time = if time.is_empty() {
        Time::midnight()
    } else {
        time_of(time)?
    };
    let at = DateTime::from_parts(date, time);
    zone_of(zone.trim())?.to_timestamp(at).ok()
}

fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split(['-', '/']);
    let mut number = |length: usize| {
        parts
            .next()
            .filter(|part| part.len() == length)?
            .parse()
            .ok()
    };
    let (year, month, day): (i16, i16, i16) = (number(4)?, number(2)?, number(2)?);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

fn time_of(text: &str) -> Option<Time> {
    let (clock, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let mut parts = clock.split(':');
    let mut number = || {
        parts
            .next()
            .filter(|part| (1..=2).contains(&part.len()))?
            .parse()
            .ok()
    };
    let (hour, minute): (i8, i8) = (number()?, number()?);
    let second: i8 = if clock.matches(':').count() > 1 {
        number()?
    } else {
        0
    };
    let nanos: i32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let whole = parts.next().is_none();
    // A leap second is the last one of its minute.
    let time = Time::new(hour, minute, second.min(59), nanos).ok()?;
    (whole && second <= 60).then_some(time)
}

/// `UTC`, `GMT`, `Z`, `+02:00`, `-0700`, `+01`, or nothing.
fn zone_of(text: &str) -> Option<Offset> {
    if text.is_empty() || ["utc", "gmt", "z"].contains(&text.to_ascii_lowercase().as_str()) {
        return Some(Offset::UTC);
    }
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = rest.chars().filter(|c| *c != ':').collect();
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits.get(..2)?.parse().ok()?;
    let minutes: i32 = digits
        .get(2..)
        .filter(|m| !m.is_empty())
        .map_or(Some(0), |m| m.parse().ok())?;
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// The order of two advisories with one id, each given by its `updated` and its version: by date, then by version
/// (pulp2/rpm-sync#advisories). Without a date that can be read on the first, the version alone decides.
#[must_use]
pub fn compare(first: (&str, &str), second: (&str, &str)) -> Ordering {
    let by_version = || versions(first.1, second.1);
    let Some(at) = moment(first.0) else {
        return by_version();
    };
    let other = moment(second.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.cmp(&other).then_with(by_version)
}

fn versions(first: &str, second: &str) -> Ordering {
    let (first, second) = (first.trim(), second.trim());
    if first.is_empty() || first == second {
        return Ordering::Equal;
    }
    let second = if second.is_empty() { "0" } else { second };
    match (first.parse::<f64>(), second.parse::<f64>()) {
        (Ok(first), Ok(second)) => first.total_cmp(&second),
        // What is no number was changed by somebody, and the change came later.
        _ => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_upstreams_write_is_a_date() {
        let noon = moment("2024-01-01T12:00:00Z").unwrap();
        for same in [
            "2024-01-01 12:00:00",
            "2024-01-01 12:00",
            " 2024-01-01 12:00:00 UTC ",
            "2024-01-01T12:00:00+00:00",
            "2024-01-01T14:00:00+02:00",
            "2024-01-01 05:00:00 -0700",
            "2024-01-01T13:00+01",
            "2024-01-01t12:00:00.000000z",
            "2024/01/01 12:00:00",
            "1704110400",
            "1704110400.0",
            "Mon, 01 Jan 2024 12:00:00 +0000",
        ] {
            assert_eq!(moment(same), Some(noon), "{same}");
        }
        assert!(moment("2024-01-01 12:00:00.123456").unwrap() > noon);
        assert!(moment("2024-01-02").unwrap() > noon);
        assert!(moment("2016-12-31 23:59:60").is_some());
        for bad in [
            "",
            "soon",
            "2024-02-31",
            "2024-1-1",
            "2024-01-01 25:00",
            "2024-01-01 12:00 XYZ",
            "2024-01-01 12:00:00:00",
            "-5",
            "2024-01-01T12:00:00+2:0:0",
        ] {
            assert_eq!(moment(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_then_versions_decide_what_is_newer() {
        use Ordering::{Equal, Greater, Less};
        for (first, second, expected) in [
            (("2020-01-02", "1"), ("2020-01-01 10:00:00", "9"), Greater),
            (("2020-01-01 00:00 UTC", "2"), ("2020-01-01", "1"), Greater),
            (("1577836801", "1"), ("2020-01-01T00:00:00Z", "1"), Greater),
            (("2020-01-01", "1"), ("2020-01-01", "1"), Equal),
            (("2020-01-01", "1"), ("2020-01-01", "2"), Less),
            (("2019-01-01", "5"), ("2020-01-01", "1"), Less),
            (("", "2"), ("2020-01-01", "1"), Greater),
            (("", ""), ("2020-01-01", "1"), Equal),
            (("2020-01-01", "1"), ("", "1"), Greater),
            (("soon", "1"), ("2020-01-01", "1"), Equal),
            (("2020-01-01", "x"), ("2020-01-01", "1"), Greater),
        ] {
            assert_eq!(
                compare(first, second),
                expected,
                "{first:?} against {second:?}"
            );
        }
    }
}
