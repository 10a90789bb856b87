//! Values of options with units.

use std::str::FromStr;

use pith_core::SignedDuration;

/// Longest span, in seconds.
const LONGEST_SPAN: i64 = 366 * 86_400;

/// A span of time: a whole number with `s`, `m`, `h` or `d` behind it, or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) SignedDuration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];
        let split = |(unit, seconds)| Some((text.strip_suffix(unit)?, seconds));
        let found = units.into_iter().find_map(split);
        let found = found.or_else(|| (text == "0").then_some((text, 1)));
        found
            .filter(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|(number, seconds)| {
                number.parse::<u32>().ok().map(|n| i64::from(n) * seconds)
            })
            .filter(|seconds| *seconds <= LONGEST_SPAN)
            .map(|seconds| Self(SignedDuration::from_secs(seconds)))
            .ok_or_else(|| {
                "give a whole number with s, m, h or d behind it, a year at most, such as 36h"
                    .to_owned()
            })
    }
}

/// Reads a size in bytes, with `K`, `M`, `G` or `T` for powers of 1024.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        Some((at, 't' | 'T')) => (&text[..at], 40),
        _ => (text, 0),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("'{text}' is no size; give bytes, or a number with K, M, G or T"))?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("'{text}' is larger than any disk"))
}
