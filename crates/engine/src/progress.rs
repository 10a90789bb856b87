//! Progress reports: kept in memory, written at most twice a second.

use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::sync::StageObserver;
use serde_json::{Value, json};

/// The progress of one running task.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    key: String,
    report: Value,
    observer: Option<Arc<dyn StageObserver>>,
    changed: bool,
}

impl Progress {
    /// Names the reporter: importer type id or distributor id.
    pub(crate) fn set_key(&self, key: &str) {
        self.0.lock().key = key.to_owned();
    }

    pub(crate) fn report(&self, report: Value) {
        let mut inner = self.0.lock();
        inner.report = report;
        inner.changed = true;
    }

    /// While set, the observer is asked at each write.
    pub(crate) fn observe(&self, observer: Option<&Arc<dyn StageObserver>>) {
        self.0.lock().observer = observer.map(Arc::clone);
    }

    /// The document to write, when there is something new.
    pub(crate) fn take(&self) -> Option<Value> {
        let mut inner = self.0.lock();
        if let Some(observer) = inner.observer.clone() {
            let report = observer.progress();
            inner.changed |= report != inner.report;
            inner.report = report;
        }
        if !inner.changed || inner.key.is_empty() {
            return None;
        }
        inner.changed = false;
        Some(json!({ inner.key.clone(): inner.report }))
    }
}
