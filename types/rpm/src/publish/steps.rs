//! The steps of a publish as clients see them (pulp2/rpm-publish#steps).

use parking_lot::Mutex;
use pith_core::UnitId;
use serde_json::{Map, Value, json};

/// A step.
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
    Sign,
    Repoview,
    Directory,
    Units,
    SaveTar,
    Listing,
    Images,
    Manifest,
    Moved,
    GroupMoved,
}

impl Step {
    /// The name and the text of a step.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Initialize => ("initialize_repo_metadata", "Initializing repo metadata"),
            Self::Distribution => ("distribution", "Publishing Distribution files"),
            Self::Rpms => ("rpms", "Publishing RPMs"),
            Self::Drpms => ("drpms", "Publishing Delta RPMs"),
            Self::Errata => ("errata", "Publishing Errata"),
            Self::Modules => ("modules", "Publishing Modules"),
            Self::Comps => ("comps", "Publishing Comps file"),
            Self::Metadata => ("metadata", "Publishing Metadata."),
            Self::Close => ("close_repo_metadata", "Closing repo metadata"),
            Self::RemoveOld => ("remove_old_repodata", "Removing old repodata"),
            Self::Sqlite => ("generate sqlite", "Generating sqlite files"),
            Self::Sign => ("sign_repo_metadata", "Signing repo metadata"),
            Self::Repoview => ("repoview", "Generating HTML files"),
            Self::Directory => ("publish_directory", "Publishing files to web"),
            Self::Units => ("rpms", "Publishing RPM, SRPM, and DRPM"),
            Self::SaveTar => ("save_tar", "Copying files"),
            Self::Listing => ("initialize_repo_metadata", "Writing Listings File"),
            Self::Images => ("save_iso", "Exporting ISO"),
            Self::Manifest => ("create_pulp_manifest", "Creating PULP_MANIFEST"),
            Self::Moved => ("publish_directory", "Moving ISO to final location"),
            Self::GroupMoved => ("publish_directory", ""),
        }
    }
}

/// The steps that make a repository.
pub const MADE: [Step; 11] = [
    Step::Initialize,
    Step::Distribution,
    Step::Rpms,
    Step::Drpms,
    Step::Errata,
    Step::Modules,
    Step::Comps,
    Step::Metadata,
    Step::Close,
    Step::RemoveOld,
    Step::Sqlite,
];

struct State {
    id: String,
    step: Step,
    details: String,
    state: &'static str,
    total: u64,
    done: u64,
    failures: u64,
    errors: Vec<Value>,
}

/// The list of steps.
pub struct Steps {
    id: String,
    states: Mutex<Vec<State>>,
}

impl Steps {
    /// These steps; nothing has started.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let states = steps.into_iter().map(|step| State {
            id: UnitId::new().to_string(),
            step,
            details: String::new(),
            state: "NOT_STARTED",
            total: 1,
            done: 0,
            failures: 0,
            errors: Vec::new(),
        });
        Self {
            id: UnitId::new().to_string(),
            states: Mutex::new(states.collect()),
        }
    }

    /// Steps of a publication served over `protocols` protocols, which is signed or not.
    #[must_use]
    pub fn served(protocols: usize, signs: bool) -> Self {
        let sign = signs.then_some(Step::Sign);
        let end = [Step::Repoview, Step::Directory].into_iter();
        let listings = std::iter::repeat_n(Step::Listing, protocols);
        Self::new(MADE.into_iter().chain(sign).chain(end).chain(listings))
    }

    /// Changes a step, where it is one of these.
    fn change(&self, step: Step, change: impl FnOnce(&mut State)) {
        let mut states = self.states.lock();
        if let Some(state) = states.iter_mut().find(|state| state.step == step) {
            change(state);
        }
    }

    /// Notes that a step begins that has `total` things to do.
    pub fn begin(&self, step: Step, total: u64) {
        self.change(step, |state| {
            state.state = "IN_PROGRESS";
            state.total = total;
        });
    }

    /// Notes that `count` more things are done.
    pub fn advance(&self, step: Step, count: u64) {
        self.change(step, |state| state.done += count);
    }

    /// Notes something about a step that people should know.
    pub fn note<const N: usize>(&self, step: Step, texts: [Option<String>; N]) {
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        self.change(step, |state| state.details = texts.join("; "));
    }

    /// Notes that a step has ended well.
    pub fn finish(&self, step: Step) {
        self.change(step, |state| state.state = "FINISHED");
    }

    /// Notes that a step that is one thing is done.
    pub fn done(&self, step: Step, total: u64) {
        self.begin(step, total);
        self.advance(step, 1);
        self.finish(step);
    }

    /// Notes that a step has nothing to do.
    pub fn skip(&self, step: Step) {
        self.change(step, |state| state.state = "SKIPPED");
    }

    /// Notes that the listings are written.
    pub fn listings(&self) {
        let mut states = self.states.lock();
        let listings = states
            .iter_mut()
            .filter(|state| state.step == Step::Listing);
        for state in listings {
            state.state = "FINISHED";
            state.done = 1;
        }
    }

    /// Notes that the step under way has failed.
    pub fn fail(&self, error: &str) {
        let mut states = self.states.lock();
        if let Some(state) = states.iter_mut().find(|s| s.state == "IN_PROGRESS") {
            state.state = "FAILED";
            state.failures += 1;
            state.errors.push(json!({"error": error, "traceback": ""}));
        }
    }

    /// The id of the step that all of them are together.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The state of the step that all of them are together.
    #[must_use]
    pub fn state(&self) -> &'static str {
        let states = self.states.lock();
        let mut each = states.iter().map(|state| state.state);
        if each.clone().any(|state| state == "FAILED") {
            "FAILED"
        } else if each.clone().all(|state| state == "NOT_STARTED") {
            "NOT_STARTED"
        } else if each.all(|state| matches!(state, "FINISHED" | "SKIPPED")) {
            "FINISHED"
        } else {
            "IN_PROGRESS"
        }
    }

    /// The progress report, which is also `details` of the history.
    #[must_use]
    pub fn report(&self) -> Value {
        let steps = self.states.lock();
        steps
            .iter()
            .map(|s| {
                let (kind, description) = s.step.words();
                json!({
                    "step_id": s.id, "step_type": kind, "description": description, "details": s.details,
                    "state": s.state, "num_success": s.done, "num_failures": s.failures,
                    "num_processed": s.done + s.failures, "items_total": s.total, "error_details": s.errors,
                })
            })
            .collect()
    }

    /// `{step_type: state}`.
    #[must_use]
    pub fn summary(&self) -> Value {
        let steps = self.states.lock();
        let map: Map<String, Value> = steps
            .iter()
            .map(|s| (s.step.words().0.to_owned(), s.state.into()))
            .collect();
        Value::Object(map)
    }
}
