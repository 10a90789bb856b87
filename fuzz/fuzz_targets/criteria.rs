//! Criteria: whatever is accepted can be matched against a document.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pith_core::Document;
use pith_core::criteria::{Criteria, UnitCriteria};
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let document = json!({"name": "bear", "n": [1, 2.5, null], "provides": [{"name": "bear", "v": {"e": "0"}}, {}], "t": true});
    document.as_object().cloned().unwrap_or_default()
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let plain = Criteria::parse(&value).ok().and_then(|criteria| criteria.filter);
    let units = UnitCriteria::parse(&value).ok().and_then(|criteria| criteria.unit);
    for filter in [plain, units].into_iter().flatten() {
        let _ = filter.matches(&DOCUMENT);
    }
});
