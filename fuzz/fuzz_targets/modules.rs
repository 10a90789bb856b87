//! modules.yaml: the documents of a file, each read by itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pith_type_rpm::metadata::modules;

fuzz_target!(|text: &str| {
    let Ok(documents) = modules::split(text) else {
        return;
    };
    for document in documents {
        let _ = modules::read(&document);
        let _ = modules::build(&document);
    }
});
