//! The steps of a publish as clients see them (pulp2/rpm-publish#steps).

use parking_lot::Mutex;
use pith_core::UnitId;
use serde_json::{Map, Value, json};

/// A step's place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the wire")]
pub enum Step {
    Initialize,
    Distribution,
    Rpms,
    Drpms,
    Errata,
    Modules,
    Comps,
    Metadata,
    Close,
    RemoveOld,
    Sqlite,
    Repoview,
    Directory,
}

const STEPS: [(&str, &str); 13] = [
    ("initialize_repo_metadata", "Initializing repo metadata"),
    ("distribution", "Publishing Distribution files"),
    ("rpms", "Publishing RPMs"),
    ("drpms", "Publishing Delta RPMs"),
    ("errata", "Publishing Errata"),
    ("modules", "Publishing Modules"),
    ("comps", "Publishing Comps file"),
    ("metadata", "Publishing Metadata."),
    ("close_repo_metadata", "Closing repo metadata"),
    ("remove_old_repodata", "Removing old repodata"),
    ("generate sqlite", "Generating sqlite files"),
    ("repoview", "Generating HTML files"),
    ("publish_directory", "Publishing files to web"),
];

struct State {
    id: String,
    kind: &'static str,
    description: &'static str,
    details: String,
    state: &'static str,
    total: u64,
    done: u64,
    failures: u64,
    errors: Vec<Value>,
}

/// The list of steps.
pub struct Steps(Mutex<Vec<State>>);

impl Steps {
    /// Steps of a publication served over `protocols` protocols; nothing has started.
    #[must_use]
    pub fn new(protocols: usize) -> Self {
        let listings = std::iter::repeat_n(
            ("initialize_repo_metadata", "Writing Listings File"),
            protocols,
        );
        let states = STEPS
            .into_iter()
            .chain(listings)
            .map(|(kind, description)| State {
                id: UnitId::new().to_string(),
                kind,
                description,
                details: String::new(),
                state: "NOT_STARTED",
                total: 1,
                done: 0,
                failures: 0,
                errors: Vec::new(),
            });
        Self(Mutex::new(states.collect()))
    }

    /// Notes that a step begins that has `total` things to do.
    pub fn begin(&self, step: Step, total: u64) {
        let state = &mut self.0.lock()[step as usize];
        state.state = "IN_PROGRESS";
        state.total = total;
    }

    /// Notes that `count` more things are done.
    pub fn advance(&self, step: Step, count: u64) {
        self.0.lock()[step as usize].done += count;
    }

    /// Notes something about a step that people should know.
    pub fn note<const N: usize>(&self, step: Step, texts: [Option<String>; N]) {
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        self.0.lock()[step as usize].details = texts.join("; ");
    }

    /// Notes that a step has ended well.
    pub fn finish(&self, step: Step) {
        self.0.lock()[step as usize].state = "FINISHED";
    }

    /// Notes that a step that is one thing is done.
    pub fn done(&self, step: Step, total: u64) {
        self.begin(step, total);
        self.advance(step, 1);
        self.finish(step);
    }

    /// Notes that a step has nothing to do.
    pub fn skip(&self, step: Step) {
        self.0.lock()[step as usize].state = "SKIPPED";
    }

    /// Notes that the listings are written.
    pub fn listings(&self) {
        for state in self.0.lock().iter_mut().skip(STEPS.len()) {
            state.state = "FINISHED";
            state.done = 1;
        }
    }

    /// Notes that the step under way has failed.
    pub fn fail(&self, error: &str) {
        let mut states = self.0.lock();
        if let Some(state) = states.iter_mut().find(|s| s.state == "IN_PROGRESS") {
            state.state = "FAILED";
            state.failures += 1;
            state.errors.push(json!({"error": error, "traceback": ""}));
        }
    }

    /// The progress report, which is also `details` of the history.
    #[must_use]
    pub fn report(&self) -> Value {
        let steps = self.0.lock();
        steps
            .iter()
            .map(|s| {
                json!({
                    "step_id": s.id, "step_type": s.kind, "description": s.description, "details": s.details,
                    "state": s.state, "num_success": s.done, "num_failures": s.failures,
                    "num_processed": s.done + s.failures, "items_total": s.total, "error_details": s.errors,
                })
            })
            .collect()
    }

    /// `{step_type: state}`.
    #[must_use]
    pub fn summary(&self) -> Value {
        let steps = self.0.lock();
        let map: Map<String, Value> = steps
            .iter()
            .map(|s| (s.kind.to_owned(), s.state.into()))
            .collect();
        Value::Object(map)
    }
}
