//! Byte ranges: what is to be sent lies within the file, sorted and apart.
#![no_main]

use libfuzzer_sys::fuzz_target;

/// The file itself: nobody outside of its crate needs what is in it.
#[allow(dead_code)]
#[path = "../../crates/serve/src/range.rs"]
mod range;

fuzz_target!(|input: (&str, u64)| {
    let (header, size) = input;
    if let range::Asked::Parts(parts) = range::parse(header, size) {
        assert!(!parts.is_empty());
        assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
        assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start));
    }
});
