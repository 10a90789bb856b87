//! The progress documents of syncs and publishes (pulp2/iso#sync-progress, pulp2/iso#publish-progress).

use parking_lot::Mutex;
use pith_core::{Document, Timestamp};
use serde_json::{Value, json};

/// Numbers and states of a sync.
#[derive(Debug)]
pub(crate) struct SyncProgress(Mutex<State>);

#[derive(Debug)]
struct State {
    state: &'static str,
    times: Document,
    error_message: Value,
    total_bytes: Option<u64>,
    finished_bytes: u64,
    num_isos: Option<u64>,
    num_isos_finished: u64,
    /// The first files that failed.
    errors: Vec<Value>,
    /// Names and messages of the very first.
    named: Vec<String>,
    /// The number of failures in all.
    failed: usize,
    /// Files come later, so nothing is counted.
    deferred: bool,
}

/// Files that failed and are shown; beyond these they are counted.
const MAX_ERRORS: usize = 1000;
/// Files that failed and stand in the error of the task.
const MAX_NAMED: usize = 20;

fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

impl SyncProgress {
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut times = Document::new();
        times.insert("not_started".to_owned(), json!(stamp(now)));
        Self(Mutex::new(State {
            state: "not_started",
            times,
            error_message: Value::Null,
            total_bytes: None,
            finished_bytes: 0,
            num_isos: None,
            num_isos_finished: 0,
            errors: Vec::new(),
            named: Vec::new(),
            failed: 0,
            deferred: false,
        }))
    }

    /// Notes that files come later: there are no totals.
    pub(crate) fn defer(&self) {
        self.0.lock().deferred = true;
    }

    pub(crate) fn enter(&self, state: &'static str, now: Timestamp) {
        let mut inner = self.0.lock();
        inner.state = state;
        inner.times.insert(state.to_owned(), json!(stamp(now)));
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
        let mut inner = self.0.lock();
        inner.failed += 1;
        if inner.errors.len() < MAX_ERRORS {
            inner.errors.push(json!({ "name": name, "error": error }));
        }
        if inner.named.len() < MAX_NAMED {
            inner.named.push(format!("{name}: {message}"));
        }
    }

    pub(crate) fn fail_manifest(&self, error_message: Value, now: Timestamp) {
        self.enter("manifest_failed", now);
        self.0.lock().error_message = error_message;
    }

    /// The files that failed, in one line with their errors; `None` when there are none.
    pub(crate) fn failures(&self) -> Option<String> {
        let inner = self.0.lock();
        let more = match inner.failed - inner.named.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let files = if inner.failed == 1 { "file" } else { "files" };
        (inner.failed > 0).then(|| {
            format!(
                "{} {files} could not be had: {}{more}",
                inner.failed,
                inner.named.join("; ")
            )
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let inner = self.0.lock();
        json!({
            "state": inner.state,
            "state_times": inner.times,
            "error_message": inner.error_message,
            "traceback": null,
            "total_bytes": inner.total_bytes,
            "finished_bytes": inner.finished_bytes,
            "num_isos": inner.num_isos,
            "num_isos_finished": inner.num_isos_finished,
            "iso_error_messages": inner.errors,
        })
    }
}

/// The document of a publish that went through `states`, the last of which is the present one.
pub(crate) fn publish_progress(states: &[(&'static str, Timestamp)]) -> Value {
    let times: Document = states
        .iter()
        .map(|(state, at)| ((*state).to_owned(), json!(stamp(*at))))
        .collect();
    let state = states.last().map_or("not_started", |(state, _)| state);
    json!({ "state": state, "state_times": times, "error_message": null, "traceback": null })
}
