//! The header of an RPM package file, as an upload brings it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::describe::{FileFacts, describe};
use pith_type_rpm::metadata::header;

fuzz_target!(|bytes: &[u8]| {
    let _ = header::facts(bytes);
    let facts = FileFacts {
        sha256: "",
        size: bytes.len() as u64,
        time: 0,
        changelog_limit: 10,
    };
    let _ = describe(&mut Cursor::new(bytes), facts);
});
