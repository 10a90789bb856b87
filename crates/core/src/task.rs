//! Tasks and the locks they need, as values (pulp2/tasks).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::TaskId;
use crate::error::ErrorDetail;

/// The state of a task in its life (pulp2/tasks#states).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// Not started.
    Waiting,
    /// A consumer's agent has the request.
    Accepted,
    /// Executing.
    Running,
    /// Reserved by Pulp, never used.
    Suspended,
    /// Ended normally; may carry a partial-failure error.
    Finished,
    /// Ended with an error.
    Error,
    /// Cancelled by a person, or lost.
    Canceled,
    /// Reserved by Pulp; clients treat it as complete.
    Skipped,
}

impl TaskState {
    /// Every state, in the order of the task group summary.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Skipped,
        Self::Accepted,
        Self::Running,
        Self::Suspended,
        Self::Finished,
        Self::Error,
        Self::Canceled,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Finished => "finished",
            Self::Error => "error",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
        }
    }

    /// Tells whether nothing more will happen.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Error | Self::Canceled | Self::Skipped
        )
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Text that names no task state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a task state")]
pub struct NotAState(pub String);

impl FromStr for TaskState {
    type Err = NotAState;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or_else(|| NotAState(text.to_owned()))
    }
}

/// Something a task must have to itself (exclusive) or may share with other readers while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Resource {
    /// `repository:<id>`, `repository_group:<id>`, …
    pub name: String,
    /// Is true when nobody else may hold it at the same time.
    pub exclusive: bool,
}

impl Resource {
    /// The repository `id`, to itself.
    #[must_use]
    pub fn repository(id: &str) -> Self {
        Self {
            name: format!("repository:{id}"),
            exclusive: true,
        }
    }

    /// The repository `id`, shared with other readers.
    #[must_use]
    pub fn repository_shared(id: &str) -> Self {
        Self {
            name: format!("repository:{id}"),
            exclusive: false,
        }
    }

    /// The group of repositories `id`, to itself; its members are not held (pulp2/groups#publish).
    #[must_use]
    pub fn repository_group(id: &str) -> Self {
        Self {
            name: format!("repository_group:{id}"),
            exclusive: true,
        }
    }

    /// The applicability of repositories, which is worked out by one task at a time.
    #[must_use]
    pub fn applicability() -> Self {
        Self {
            name: "repository_profile_applicability:RESOURCE_ANY_ID".to_owned(),
            exclusive: true,
        }
    }

    /// Tells whether the two cannot be held at once.
    #[must_use]
    pub fn conflicts_with(&self, other: &Self) -> bool {
        self.name == other.name && (self.exclusive || other.exclusive)
    }
}

/// Tags of tasks: `pulp:repository:<id>` and friends.
pub mod tag {
    /// `pulp:repository:<id>`.
    #[must_use]
    pub fn repository(id: &str) -> String {
        format!("pulp:repository:{id}")
    }

    /// `pulp:repository_importer:<id>`.
    #[must_use]
    pub fn importer(id: &str) -> String {
        format!("pulp:repository_importer:{id}")
    }

    /// `pulp:repository_distributor:<id>`.
    #[must_use]
    pub fn distributor(id: &str) -> String {
        format!("pulp:repository_distributor:{id}")
    }

    /// `pulp:repository_group:<id>`.
    #[must_use]
    pub fn group(id: &str) -> String {
        format!("pulp:repository_group:{id}")
    }

    /// `pulp:repository_group_distributor:<id>`.
    #[must_use]
    pub fn group_distributor(id: &str) -> String {
        format!("pulp:repository_group_distributor:{id}")
    }

    /// `pulp:content_source:<id>`.
    #[must_use]
    pub fn content_source(id: &str) -> String {
        format!("pulp:content_source:{id}")
    }

    /// `pulp:action:<name>`.
    #[must_use]
    pub fn action(name: &str) -> String {
        format!("pulp:action:{name}")
    }
}

/// A task as other documents point at it.
#[must_use]
pub fn task_link(id: TaskId) -> Value {
    json!({ "task_id": id, "_href": format!("/pulp/api/v2/tasks/{id}/") })
}

/// The body of a 202, and of the few 200s that use its form (pulp2/conventions#call-reports).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallReport {
    /// Value of the synchronous part.
    pub result: Value,
    /// Partial failure of the synchronous part.
    pub error: Option<ErrorDetail>,
    /// Tasks that were queued.
    pub spawned: Vec<TaskId>,
}

impl CallReport {
    /// The report of a call that only queued `task`.
    #[must_use]
    pub fn queued(task: TaskId) -> Self {
        Self {
            spawned: vec![task],
            ..Self::default()
        }
    }

    /// The document on the wire.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let spawned: Vec<Value> = self.spawned.iter().map(|id| task_link(*id)).collect();
        json!({ "result": self.result, "error": self.error, "spawned_tasks": spawned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_readers_share_a_resource() {
        let write = Resource::repository("a");
        let read = Resource::repository_shared("a");
        assert!(
            write.conflicts_with(&write)
                && write.conflicts_with(&read)
                && read.conflicts_with(&write)
        );
        assert!(!read.conflicts_with(&read));
        assert!(!write.conflicts_with(&Resource::repository("b")));
    }

    #[test]
    fn states_read_back_from_their_names() {
        for state in TaskState::ALL {
            assert_eq!(state.name().parse::<TaskState>().unwrap(), state);
        }
        assert!("done".parse::<TaskState>().is_err());
        assert!(TaskState::Skipped.is_complete() && !TaskState::Running.is_complete());
    }
}
