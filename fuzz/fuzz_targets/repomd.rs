//! repomd.xml: what is read can be written, and is read as the same again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::repomd::Repomd;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = Repomd::read(bytes) else {
        return;
    };
    let mut written = Vec::new();
    read.write(&mut written).expect("memory takes everything");
    let again = Repomd::read(written.as_slice()).expect("what was written can be read");
    assert_eq!(read.data.len(), again.data.len());
});
