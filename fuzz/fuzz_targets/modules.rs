//! modules.yaml: the documents of a file, each read by itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::modules::{self, DocumentStream};

fuzz_target!(|file: &[u8]| {
    let mut documents = DocumentStream::new(file);
    while let Ok(Some(document)) = documents.next_document() {
        let _ = modules::read(&document);
        let _ = modules::build(&document);
    }
});
