//! Steps of syncs and publishes, as Pulp's clients see them (pulp2/python#progress).

use parking_lot::Mutex;
use serde_json::{Value, json};
use uuid::Uuid;

/// Failures that are shown; those beyond are only counted.
const MOST_SHOWN: usize = 1000;
/// Failures that stand in the error of a task.
const MOST_NAMED: usize = 20;

/// Steps, one after the other.
#[derive(Debug)]
pub(crate) struct Steps(Mutex<Vec<Step>>);

#[derive(Debug)]
struct Step {
    id: Uuid,
    kind: &'static str,
    description: &'static str,
    state: &'static str,
    total: u64,
    done: u64,
    failed: u64,
    errors: Vec<Value>,
    named: Vec<String>,
}

impl Steps {
    /// Steps that have not begun: types and descriptions.
    pub(crate) fn new(steps: &[(&'static str, &'static str)]) -> Self {
        let step = |(kind, description): &(&'static str, &'static str)| Step {
            id: Uuid::new_v4(),
            kind,
            description,
            state: "NOT_STARTED",
            total: 0,
            done: 0,
            failed: 0,
            errors: Vec::new(),
            named: Vec::new(),
        };
        Self(Mutex::new(steps.iter().map(step).collect()))
    }

    fn change(&self, kind: &str, change: impl FnOnce(&mut Step)) {
        let mut steps = self.0.lock();
        if let Some(step) = steps.iter_mut().find(|step| step.kind == kind) {
            change(step);
        }
    }

    /// A step begins.
    pub(crate) fn begin(&self, kind: &str) {
        self.change(kind, |step| step.state = "IN_PROGRESS");
    }

    /// A step has ended, well or not.
    pub(crate) fn finish(&self, kind: &str) {
        self.change(kind, |step| {
            step.state = match step.failed {
                0 => "FINISHED",
                _ => "FAILED",
            }
        });
    }

    /// More is to be done.
    pub(crate) fn expect(&self, kind: &str, more: u64) {
        self.change(kind, |step| step.total += more);
    }

    /// Something is done.
    pub(crate) fn done(&self, kind: &str) {
        self.change(kind, |step| step.done += 1);
    }

    /// Something could not be done.
    pub(crate) fn failed(&self, kind: &str, what: &str, why: &str) {
        self.change(kind, |step| {
            step.failed += 1;
            if step.errors.len() < MOST_SHOWN {
                step.errors.push(json!({ "name": what, "error": why }));
            }
            if step.named.len() < MOST_NAMED {
                step.named.push(format!("{what}: {why}"));
            }
        });
    }

    /// Everything that failed, in a line; `None` when nothing did.
    pub(crate) fn failures(&self) -> Option<String> {
        let steps = self.0.lock();
        let failed: u64 = steps.iter().map(|step| step.failed).sum();
        let named: Vec<&str> = steps
            .iter()
            .flat_map(|step| &step.named)
            .map(String::as_str)
            .collect();
        let more = match failed.saturating_sub(named.len() as u64) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        (failed > 0).then(|| format!("{failed} could not be had: {}{more}", named.join("; ")))
    }

    /// The steps with their numbers.
    pub(crate) fn to_json(&self) -> Value {
        let steps = self.0.lock();
        let shown = steps.iter().map(|step| {
            json!({
                "step_id": step.id,
                "step_type": step.kind,
                "state": step.state,
                "description": step.description,
                "details": "",
                "items_total": step.total,
                "num_processed": step.done + step.failed,
                "num_success": step.done,
                "num_failures": step.failed,
                "error_details": step.errors,
            })
        });
        Value::Array(shown.collect())
    }

    /// The states by the types of the steps.
    pub(crate) fn summary(&self) -> Value {
        let steps = self.0.lock();
        let states = steps
            .iter()
            .map(|step| (step.kind.to_owned(), json!(step.state)));
        Value::Object(states.collect())
    }
}
