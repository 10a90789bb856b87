//! The progress documents of syncs and publishes (pulp2/iso#sync-progress, pulp2/iso#publish-progress).

use parking_lot::Mutex;
use pith_content::failures::Failures;
use pith_core::{Document, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

/// The states that some work went through: the document of a publish, and the beginning of that of a sync.
#[derive(Debug, Serialize)]
pub(crate) struct States {
    state: &'static str,
    state_times: Document,
    error_message: Value,
    traceback: (),
}

impl States {
    /// Work that has not started.
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut states = Self {
            state: "",
            state_times: Document::new(),
            error_message: Value::Null,
            traceback: (),
        };
        states.enter("not_started", now);
        states
    }

    /// Notes that the work is in another state.
    pub(crate) fn enter(&mut self, state: &'static str, now: Timestamp) {
        let time = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        self.state_times.insert(state.to_owned(), json!(time));
        self.state = state;
    }
}

/// Numbers and states of a sync.
#[derive(Debug)]
pub(crate) struct SyncProgress(Mutex<Numbers>);

#[derive(Debug, Serialize)]
struct Numbers {
    #[serde(flatten)]
    states: States,
    total_bytes: Option<u64>,
    finished_bytes: u64,
    num_isos: Option<u64>,
    num_isos_finished: u64,
    iso_error_messages: Failures,
    /// Files come later, so nothing is counted.
    #[serde(skip)]
    deferred: bool,
}

impl SyncProgress {
    /// A sync that has not started. Where files are `deferred` and come later, there are no totals.
    pub(crate) fn new(now: Timestamp, deferred: bool) -> Self {
        Self(Mutex::new(Numbers {
            states: States::new(now),
            total_bytes: None,
            finished_bytes: 0,
            num_isos: None,
            num_isos_finished: 0,
            iso_error_messages: Failures::default(),
            deferred,
        }))
    }

    pub(crate) fn enter(&self, state: &'static str, now: Timestamp) {
        let mut inner = self.0.lock();
        inner.states.enter(state, now);
        if state == "isos_in_progress" && !inner.deferred {
            inner.total_bytes = Some(0);
            inner.num_isos = Some(0);
        }
    }

    pub(crate) fn queued(&self, bytes: u64) {
        let mut inner = self.0.lock();
        inner.total_bytes = Some(inner.total_bytes.unwrap_or(0) + bytes);
        inner.num_isos = Some(inner.num_isos.unwrap_or(0) + 1);
    }

    pub(crate) fn done(&self, bytes: u64) {
        let mut inner = self.0.lock();
        inner.finished_bytes += bytes;
        inner.num_isos_finished += 1;
    }

    /// A file that could not be had. `error` is the downloader's report, or a text (pulp2/iso#sync); `message` says
    /// more, for people.
    pub(crate) fn failed(&self, name: &str, error: &Value, message: &str) {
        let shown = json!({ "name": name, "error": error });
        let mut inner = self.0.lock();
        let failures = &mut inner.iso_error_messages;
        failures.note(shown, format!("{name}: {message}"));
    }

    /// Notes that the manifest could not be used.
    pub(crate) fn fail_manifest(&self, error_message: Value, now: Timestamp) {
        self.enter("manifest_failed", now);
        self.0.lock().states.error_message = error_message;
    }

    /// The files that failed, in one line with their errors; `None` when there are none.
    pub(crate) fn failures(&self) -> Option<String> {
        let (count, named) = Failures::told([&self.0.lock().iso_error_messages])?;
        let files = if count == 1 { "file" } else { "files" };
        Some(format!("{count} {files} could not be had: {named}"))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!(&*self.0.lock())
    }
}
