//! filelists.xml and other.xml: each package is found, and its element can be taken apart.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::package_file::IdStream;
use pith_type_rpm::metadata::{filelists, other};

fuzz_target!(|bytes: &[u8]| {
    for root in ["filelists", "otherdata"] {
        let Ok(mut stream) = IdStream::open(bytes, root) else {
            continue;
        };
        let mut element = Vec::new();
        while let Ok(Some(_)) = stream.next(&mut element) {
            let _ = filelists::each(&element, |_, _| {});
            let _ = other::each(&element, |_, _, _| {});
        }
    }
});
