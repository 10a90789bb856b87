//! Reports of work that is done step by step, in the form that Pulp's clients know
//! (pulp2/python#progress, pulp2/rpm-publish#steps).

use parking_lot::Mutex;
use pith_core::UnitId;
use serde_json::{Map, Value, json};

use crate::failures::Failures;

/// A step of some work.
pub trait StepWords: Copy + PartialEq {
    /// The type of the step, and its description for people. Different steps may have the same.
    fn words(self) -> (&'static str, &'static str);
}

/// A step that is its words and nothing else.
pub type PlainStep = (&'static str, &'static str);

impl StepWords for PlainStep {
    fn words(self) -> PlainStep {
        self
    }
}

#[derive(Debug)]
struct State<S> {
    id: UnitId,
    step: S,
    details: String,
    state: &'static str,
    total: u64,
    done: u64,
    failures: Failures,
}

/// The steps of some work, one after the other. A change to a step that is none of them changes nothing.
#[derive(Debug)]
pub struct Steps<S> {
    id: UnitId,
    states: Mutex<Vec<State<S>>>,
}

impl<S: StepWords> Steps<S> {
    /// Steps that have not begun, each with one thing to do as long as nothing else is known.
    pub fn new(steps: impl IntoIterator<Item = S>) -> Self {
        Self::of(steps, 1)
    }

    /// Steps that have not begun, each with nothing to do as long as nothing is known.
    pub fn counting(steps: impl IntoIterator<Item = S>) -> Self {
        Self::of(steps, 0)
    }

    fn of(steps: impl IntoIterator<Item = S>, total: u64) -> Self {
        let states = steps.into_iter().map(|step| State {
            id: UnitId::new(),
            step,
            details: String::new(),
            state: "NOT_STARTED",
            total,
            done: 0,
            failures: Failures::default(),
        });
        Self {
            id: UnitId::new(),
            states: Mutex::new(states.collect()),
        }
    }

    fn change(&self, step: S, mut change: impl FnMut(&mut State<S>)) {
        let mut states = self.states.lock();
        let same = states.iter_mut().filter(|state| state.step == step);
        same.for_each(&mut change);
    }

    /// Notes that a step begins that has `total` things to do.
    pub fn begin(&self, step: S, total: u64) {
        self.change(step, |state| {
            state.state = "IN_PROGRESS";
            state.total = total;
        });
    }

    /// Notes that a step has `more` things to do.
    pub fn expect(&self, step: S, more: u64) {
        self.change(step, |state| state.total += more);
    }

    /// Notes that `count` more things are done.
    pub fn advance(&self, step: S, count: u64) {
        self.change(step, |state| state.done += count);
    }

    /// Notes something about a step that people should know.
    pub fn note<const N: usize>(&self, step: S, texts: [Option<String>; N]) {
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        self.change(step, |state| state.details = texts.join("; "));
    }

    /// Notes that a thing could not be done, and why.
    pub fn failed(&self, step: S, what: &str, why: &str) {
        self.change(step, |state| {
            let shown = json!({ "name": what, "error": why });
            state.failures.note(shown, format!("{what}: {why}"));
        });
    }

    /// Notes that a step has ended: well, unless things could not be done.
    pub fn finish(&self, step: S) {
        self.change(step, |state| {
            state.state = match state.failures.count() {
                0 => "FINISHED",
                _ => "FAILED",
            }
        });
    }

    /// Notes that a step that is one thing is done.
    pub fn done(&self, step: S, total: u64) {
        self.begin(step, total);
        self.advance(step, 1);
        self.finish(step);
    }

    /// Notes that a step has nothing to do.
    pub fn skip(&self, step: S) {
        self.change(step, |state| state.state = "SKIPPED");
    }

    /// Notes that the step under way has failed, and the work with it.
    pub fn fail(&self, error: &str) {
        let mut states = self.states.lock();
        if let Some(state) = states.iter_mut().find(|s| s.state == "IN_PROGRESS") {
            state.state = "FAILED";
            let shown = json!({ "error": error, "traceback": "" });
            state.failures.note(shown, error.to_owned());
        }
    }

    /// Everything that failed, in a line; `None` when nothing did.
    #[must_use]
    pub fn failures(&self) -> Option<String> {
        let states = self.states.lock();
        let (count, named) = Failures::told(states.iter().map(|state| &state.failures))?;
        Some(format!("{count} could not be had: {named}"))
    }

    /// The id of the step that all of them are together.
    #[must_use]
    pub fn id(&self) -> UnitId {
        self.id
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

    /// The steps with their numbers: a progress report, and `details` of the history.
    #[must_use]
    pub fn report(&self) -> Value {
        let states = self.states.lock();
        let shown = states.iter().map(|state| {
            let (kind, description) = state.step.words();
            let failed = state.failures.count();
            json!({
                "step_id": state.id, "step_type": kind, "description": description, "details": state.details,
                "state": state.state, "num_success": state.done, "num_failures": failed,
                "num_processed": state.done + failed, "items_total": state.total, "error_details": state.failures,
            })
        });
        shown.collect()
    }

    /// The states by the types of the steps: `summary` of the history.
    #[must_use]
    pub fn summary(&self) -> Value {
        let states = self.states.lock();
        let states = states.iter().map(|state| {
            let (kind, _) = state.step.words();
            (kind.to_owned(), json!(state.state))
        });
        Value::Object(states.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: PlainStep = ("read", "Reading");
    const WRITE: PlainStep = ("write", "Writing");

    #[test]
    fn a_report_counts_what_was_done_and_what_was_not() {
        let steps = Steps::counting([READ, WRITE]);
        assert_eq!(steps.state(), "NOT_STARTED");
        steps.begin(READ, 0);
        steps.expect(READ, 2);
        steps.advance(READ, 1);
        steps.failed(READ, "b", "it is gone");
        steps.finish(READ);
        steps.done(WRITE, 1);
        let report = steps.report();
        assert_eq!(report[0]["state"], "FAILED");
        assert_eq!(report[0]["items_total"], 2);
        assert_eq!(report[0]["num_processed"], 2);
        assert_eq!(report[0]["error_details"][0]["name"], "b");
        assert_eq!(report[1]["num_success"], 1);
        assert_eq!(
            steps.summary(),
            json!({"read": "FAILED", "write": "FINISHED"})
        );
        assert_eq!(steps.state(), "FAILED");
        let line = steps.failures();
        assert_eq!(line.as_deref(), Some("1 could not be had: b: it is gone"));
    }

    #[test]
    fn the_step_under_way_is_the_one_that_fails() {
        let steps = Steps::new([READ, WRITE]);
        steps.skip(READ);
        steps.fail("nothing is under way");
        assert_eq!(steps.failures(), None);
        steps.begin(WRITE, 5);
        assert_eq!(steps.state(), "IN_PROGRESS");
        steps.fail("the disk is full");
        let report = steps.report();
        assert_eq!(
            (&report[0]["state"], &report[0]["items_total"]),
            (&json!("SKIPPED"), &json!(1))
        );
        assert_eq!(report[1]["error_details"][0]["error"], "the disk is full");
    }
}
