//! PULP_MANIFEST: the lines that were read can be written, and are read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_file::metadata::manifest;

fuzz_target!(|bytes: &[u8]| {
    for line in manifest::read(bytes) {
        if line.is_err() {
            return;
        }
    }
});
