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
    /// The number of reports so far that differ from the one before.
    reported: u64,
    /// The last of them that is in the database.
    written: u64,
}

/// A report that is not in the database yet.
pub(crate) struct Unwritten {
    /// The document to write.
    pub(crate) document: Value,
    number: u64,
}

impl Progress {
    /// Names the reporter: importer type id or distributor id.
    pub(crate) fn set_key(&self, key: &str) {
        self.0.lock().key = key.to_owned();
    }

    pub(crate) fn report(&self, report: Value) {
        let mut inner = self.0.lock();
        inner.report = report;
        inner.reported += 1;
    }

    /// While set, the observer is asked at each write.
    pub(crate) fn observe(&self, observer: Option<&Arc<dyn StageObserver>>) {
        self.0.lock().observer = observer.map(Arc::clone);
    }

    /// The report to write, when there is something new. It stays new until [`Self::written`] is told of it: a write beside
    /// the end of the task may come too late, and then the end must write the same.
    pub(crate) fn unwritten(&self) -> Option<Unwritten> {
        let mut inner = self.0.lock();
        if let Some(observer) = inner.observer.clone() {
            let report = observer.progress();
            if report != inner.report {
                inner.report = report;
                inner.reported += 1;
            }
        }
        if inner.reported == inner.written || inner.key.is_empty() {
            return None;
        }
        Some(Unwritten {
            document: json!({ inner.key.clone(): inner.report }),
            number: inner.reported,
        })
    }

    /// Notes that `report` is in the database.
    pub(crate) fn written(&self, report: &Unwritten) {
        let mut inner = self.0.lock();
        inner.written = inner.written.max(report.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_new_until_it_is_written() {
        let progress = Progress::default();
        progress.set_key("importer");
        progress.report(json!(1));
        // A write that waits for the end of the task to be written, and comes too late.
        let late = progress.unwritten().unwrap();
        let end = progress.unwritten().unwrap();
        assert_eq!(end.document, json!({"importer": 1}));
        progress.written(&end);
        assert!(progress.unwritten().is_none());
        progress.report(json!(2));
        progress.written(&late);
        let newer = progress.unwritten().unwrap();
        assert_eq!(newer.document, json!({"importer": 2}));
    }

    #[test]
    fn nothing_is_reported_without_a_name() {
        let progress = Progress::default();
        progress.report(json!(1));
        assert!(progress.unwritten().is_none());
    }
}
