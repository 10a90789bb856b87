//! updateinfo.xml: an advisory that was read can be written, and is read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::updateinfo::{ErratumStream, ErratumWriter};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut stream) = ErratumStream::open(bytes) else {
        return;
    };
    let mut written = Vec::new();
    let mut writer = ErratumWriter::new(&mut written).expect("memory takes everything");
    let mut count = 0;
    while let Ok(Some(erratum)) = stream.next_erratum() {
        writer.push(&erratum).expect("memory takes everything");
        count += 1;
    }
    writer.finish().expect("memory takes everything");
    let mut again = ErratumStream::open(written.as_slice()).expect("what was written can be read");
    for _ in 0..count {
        let erratum = again.next_erratum().expect("what was written can be read");
        assert!(erratum.is_some(), "an advisory was lost");
    }
});
