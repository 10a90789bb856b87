//! Byte ranges (RFC 9110, section 14).

use std::ops::Range;

/// The most ranges of a request; one with more gets the whole file. Clients that fetch chunks ask for a few hundred.
const MOST_RANGES: usize = 512;

/// The bytes that a `Range` header asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No range, or one that is to be ignored.
    Whole,
    /// The parts to send: at least one, none empty, sorted, neither overlapping nor touching.
    Parts(Vec<Range<u64>>),
    /// None of the ranges has a byte of the file: 416.
    Unsatisfiable,
}

/// Reads the value of a `Range` header for a file of `size` bytes.
pub(crate) fn parse(header: &str, size: u64) -> Asked {
    let Some((unit, specs)) = header.split_once('=') else {
        return Asked::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    let mut parts = Vec::new();
    let mut count = 0;
    for spec in specs
        .split(',')
        .map(str::trim)
        .filter(|spec| !spec.is_empty())
    {
        count += 1;
        if count > MOST_RANGES {
            return Asked::Whole;
        }
        match parse_one(spec, size) {
            None => return Asked::Whole,
            Some(part) if part.is_empty() => {}
            Some(part) => parts.push(part),
        }
    }
    match (count, parts.is_empty()) {
        (0, _) => Asked::Whole,
        (_, true) => Asked::Unsatisfiable,
        (_, false) => Asked::Parts(coalesce(parts)),
    }
}

/// The bytes that one range means, none when it lies beyond the end; `None` when it is no range.
fn parse_one(spec: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        return Some(size.saturating_sub(number(last)?)..size);
    }
    let first = number(first)?;
    let end = if last.is_empty() {
        u64::MAX
    } else {
        let last = number(last)?;
        if last < first {
            return None;
        }
        last.saturating_add(1)
    };
    Some(first.min(size)..end.min(size))
}

/// Digits only; more than fit are as good as infinite.
fn number(digits: &str) -> Option<u64> {
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed.then(|| digits.parse().unwrap_or(u64::MAX))
}

fn coalesce(mut parts: Vec<Range<u64>>) -> Vec<Range<u64>> {
    parts.sort_by_key(|part| part.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(parts.len());
    for part in parts {
        match merged.last_mut() {
            Some(last) if part.start <= last.end => last.end = last.end.max(part.end),
            _ => merged.push(part),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::single_range_in_vec_init,
        reason = "a list of one part is meant"
    )]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_mean_what_the_standard_says() {
        let parts = |ranges: &[Range<u64>]| Asked::Parts(ranges.to_vec());
        for (header, expected) in [
            ("bytes=0-499", parts(&[0..500])),
            ("bytes=500-", parts(&[500..1000])),
            ("bytes=-200", parts(&[800..1000])),
            ("bytes=-2000", parts(&[0..1000])),
            ("BYTES=0-0, -1", parts(&[0..1, 999..1000])),
            ("bytes=990-99999999999999999999999", parts(&[990..1000])),
            ("bytes=500-600,601-999", parts(&[500..1000])),
            ("bytes=,5-6,,", parts(&[5..7])),
            ("bytes=5-6,2000-", parts(&[5..7])),
            ("bytes=1000-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=6-5", Asked::Whole),
            ("bytes=0-1,6-5", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=", Asked::Whole),
            ("bytes", Asked::Whole),
            ("lines=1-2", Asked::Whole),
        ] {
            assert_eq!(parse(header, 1000), expected, "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), Asked::Unsatisfiable);
        assert_eq!(
            parse(&format!("bytes={}", "0-0,".repeat(513)), 1000),
            Asked::Whole
        );
    }

    /// The standard, byte by byte: whether byte `at` of `size` is asked for.
    fn selects(first: Option<u64>, last: Option<u64>, at: u64, size: u64) -> bool {
        match (first, last) {
            (None, Some(suffix)) => at + suffix >= size,
            (Some(first), None) => at >= first,
            (Some(first), Some(last)) => at >= first && at <= last,
            (None, None) => false,
        }
    }

    proptest! {
        #[test]
        fn ranges_select_the_bytes_that_a_naive_model_selects(
            size in 0u64..60,
            specs in proptest::collection::vec((proptest::option::of(0u64..70), proptest::option::of(0u64..70)), 1..6),
        ) {
            let text = |number: Option<u64>| number.map(|n| n.to_string()).unwrap_or_default();
            let header: Vec<String> = specs.iter().map(|(first, last)| format!("{}-{}", text(*first), text(*last))).collect();
            let asked = parse(&format!("bytes={}", header.join(",")), size);
            let malformed = specs.iter().any(|spec| matches!(spec, (None, None)) || matches!(spec, (Some(a), Some(b)) if b < a));
            let model: Vec<u64> = (0..size).filter(|&at| specs.iter().any(|&(a, b)| selects(a, b, at, size))).collect();
            match asked {
                Asked::Whole => prop_assert!(malformed),
                Asked::Unsatisfiable => prop_assert!(!malformed && model.is_empty()),
                Asked::Parts(parts) => {
                    prop_assert!(!malformed);
                    prop_assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start));
                    prop_assert_eq!(parts.into_iter().flatten().collect::<Vec<_>>(), model);
                }
            }
        }

        #[test]
        fn no_header_panics(header in "(bytes=)?[-0-9, =a]{0,40}", size: u64) {
            parse(&header, size);
        }
    }
}
