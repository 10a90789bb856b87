//! Text for people: sizes, times and values, without what could rewrite a terminal.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Names shown of one kind of what a sync had to bend.
const BENT_NAMES: usize = 5;

/// Text from outside without control characters, which could rewrite what the terminal shows. Line ends and
/// tabs become blanks.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A size in bytes for people: `1.5 MiB`.
#[must_use]
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Tenths, in integers: a float cannot hold every size.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A time of the API (`2015-11-03T16:40:12Z`) in `zone`, to the second; other text as it is, and `-` for none.
#[must_use]
pub(crate) fn time(value: &Value, zone: &TimeZone) -> String {
    match value {
        Value::String(text) => text.parse::<Timestamp>().map_or_else(
            |_| clean(text),
            |at| {
                at.to_zoned(zone.clone())
                    .strftime("%Y-%m-%d %H:%M:%S")
                    .to_string()
            },
        ),
        _ => "-".to_owned(),
    }
}

/// A JSON value in a table cell: text without quotes, `-` for null.
#[must_use]
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Lines for people about what a sync had to bend: `details.upstream` of its history entry.
#[must_use]
pub(crate) fn bent(entry: &Value) -> Vec<String> {
    let kinds = entry["details"]["upstream"].as_object();
    kinds
        .into_iter()
        .flatten()
        .map(|(kind, note)| {
            let message = note["message"].as_str().unwrap_or(kind);
            let names: Vec<&str> = note["names"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .take(BENT_NAMES)
                .collect();
            let count = note["count"].as_u64().unwrap_or_default();
            let more = if count > names.len() as u64 {
                ", …"
            } else {
                ""
            };
            clean(&format!("{message} ({count}): {}{more}", names.join(", ")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_sync_had_to_bend_is_a_line_for_each_kind() {
        let note =
            json!({"message": "packages are listed twice", "count": 9, "names": ["a", "b\n"]});
        let entry = json!({"details": {"content": {}, "upstream": {"package_twice": note}}});
        assert_eq!(bent(&entry), ["packages are listed twice (9): a, b , …"]);
        assert!(bent(&json!({"details": null})).is_empty());
        assert!(bent(&json!({"details": "Sync was cancelled"})).is_empty());
    }

    #[test]
    fn sizes_are_shown_in_the_largest_fitting_unit() {
        assert_eq!(size(0), "0 B");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1024), "1.0 KiB");
        assert_eq!(size(1536 * 1024), "1.5 MiB");
        assert_eq!(size(u64::MAX), "15.9 EiB");
    }

    #[test]
    fn times_are_shown_in_the_zone_and_other_text_as_it_is() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(
            time(&json!("2015-11-03T23:40:12Z"), &zone),
            "2015-11-04 01:40:12"
        );
        assert_eq!(time(&json!("soon\u{7}"), &zone), "soon\u{fffd}");
        assert_eq!(time(&Value::Null, &zone), "-");
    }
}
