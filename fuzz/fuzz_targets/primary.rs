//! primary.xml: whatever is taken over can be published, and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::primary::{self, PrimaryStream};
use pith_type_rpm::metadata::snippet;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut stream) = PrimaryStream::open(bytes) else {
        return;
    };
    let (mut template, checksum) = (Vec::new(), "a".repeat(64));
    while let Ok(Some(package)) = stream.next(&mut template) {
        let mut rendered = Vec::new();
        snippet::render(&template, &checksum, "sha256", &mut rendered);
        let again = primary::package(&rendered, &mut Vec::new()).expect("what is served can be read");
        assert_eq!(package.nevra(), again.nevra());
    }
});
