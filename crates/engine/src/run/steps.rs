//! Progress of tasks that are one step (pulp2/tasks#progress).

use serde_json::{Value, json};
use uuid::Uuid;

/// The most failures that are listed; more are only counted.
const MAX_DETAILS: usize = 500;

/// One step, counted.
pub(super) struct Step {
    id: Uuid,
    step_type: &'static str,
    description: &'static str,
    total: u64,
    succeeded: u64,
    failed: u64,
    details: Vec<Value>,
    done: bool,
}

impl Step {
    pub(super) fn new(step_type: &'static str, description: &'static str, total: u64) -> Self {
        Self {
            id: Uuid::new_v4(),
            step_type,
            description,
            total,
            succeeded: 0,
            failed: 0,
            details: Vec::new(),
            done: false,
        }
    }

    pub(super) fn succeeded(&mut self) {
        self.succeeded += 1;
    }

    pub(super) fn failed(&mut self, error: &Value) {
        self.failed += 1;
        if self.details.len() < MAX_DETAILS {
            self.details
                .push(json!({ "error": error, "traceback": "" }));
        }
    }

    pub(super) fn finish(&mut self) {
        self.done = true;
    }

    pub(super) fn failures(&self) -> u64 {
        self.failed
    }

    /// The array with this step.
    pub(super) fn report(&self) -> Value {
        let state = match (self.done, self.failed) {
            (false, _) => "IN_PROGRESS",
            (true, 0) => "FINISHED",
            (true, _) => "FAILED",
        };
        json!([{
            "step_id": self.id,
            "step_type": self.step_type,
            "description": self.description,
            "details": "",
            "state": state,
            "items_total": self.total,
            "num_processed": self.succeeded + self.failed,
            "num_success": self.succeeded,
            "num_failures": self.failed,
            "error_details": self.details,
        }])
    }
}
