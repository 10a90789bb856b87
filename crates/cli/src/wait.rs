//! Waits for tasks and what they spawn (pulp2/conventions#call-reports, pulp2/tasks).

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use pith_core::ErrorDetail;
use pith_core::task::TaskState;
use serde_json::Value;

use crate::client::{Client, spawned};
use crate::error::Error;
use crate::failure::FailedTask;
use crate::families::Families;
use crate::output::Ui;
use crate::progress::steps;
use crate::render::{Renderer, Snapshot};
use crate::text::clean;

/// First pause between two polls.
const SHORTEST: Duration = Duration::from_millis(50);
/// Longest pause between two polls.
const LONGEST: Duration = Duration::from_millis(500);
/// The number of times in a row that the server may not answer: a restart must not end a wait.
const MOST_SILENCES: u32 = 20;
/// The most tasks to wait for: more than one request can spawn, because a loop of the server must end.
const MOST_TASKS: usize = 10_000;

/// Waits until the tasks of a call report, and those they spawn, are over. Gives their last documents, the
/// asked ones first. Ctrl-C stops the wait, not the tasks.
///
/// # Errors
///
/// [`Error::Interrupted`] by Ctrl-C; others when the server cannot be asked. A failed task is no error here:
/// see [`check`].
pub async fn wait(client: &Client, ids: Vec<String>, ui: &mut Ui) -> Result<Vec<Value>, Error> {
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler Ctrl-C ends the process, which stops the wait too.
            std::future::pending::<()>().await;
        }
    };
    wait_until(client, ids, ui, stop).await
}

/// Does what [`wait`] does, until `stop` is done instead of Ctrl-C.
///
/// # Errors
///
/// As [`wait`].
pub async fn wait_until(
    client: &Client,
    ids: Vec<String>,
    ui: &mut Ui,
    stop: impl Future<Output = ()>,
) -> Result<Vec<Value>, Error> {
    let mut renderer = Renderer::new(ui);
    let mut waiting = Waiting::new(ids);
    let mut stop = std::pin::pin!(stop);
    loop {
        let pause = tokio::select! {
            biased;
            () = &mut stop => return Err(Error::Interrupted(waiting.open)),
            polled = waiting.poll(client, &mut renderer, ui) => polled?,
        };
        let Some(pause) = pause else { break };
        tokio::select! {
            biased;
            () = &mut stop => return Err(Error::Interrupted(waiting.open)),
            () = tokio::time::sleep(pause) => {}
        }
    }
    Ok(waiting.over)
}

/// The tasks of one wait.
struct Waiting {
    open: Vec<String>,
    over: Vec<Value>,
    seen: HashSet<String>,
    pause: Duration,
    silences: u32,
}

impl Waiting {
    fn new(ids: Vec<String>) -> Self {
        let seen = ids.iter().cloned().collect();
        Self {
            open: ids,
            over: Vec::new(),
            seen,
            pause: SHORTEST,
            silences: 0,
        }
    }

    /// Asks for every open task once; how long to pause then, or `None` when all are over.
    async fn poll(
        &mut self,
        client: &Client,
        renderer: &mut Renderer,
        ui: &mut Ui,
    ) -> Result<Option<Duration>, Error> {
        let mut index = 0;
        while index < self.open.len() {
            let task = match client.get(&["tasks", &self.open[index]], &[]).await {
                Ok(task) => task,
                Err(error @ Error::Unreachable { .. }) => {
                    self.silences += 1;
                    if self.silences >= MOST_SILENCES {
                        return Err(error);
                    }
                    return Ok(Some(LONGEST));
                }
                Err(error) => return Err(error),
            };
            self.silences = 0;
            renderer.show(&snapshot(&task, ui.families), ui);
            if state(&task).is_none_or(TaskState::is_complete) {
                self.open.remove(index);
                self.follow(&task);
                self.over.push(task);
                // Something happened, so more may soon.
                self.pause = SHORTEST;
            } else {
                index += 1;
            }
        }
        if self.open.is_empty() {
            return Ok(None);
        }
        let pause = self.pause;
        self.pause = (pause * 3 / 2).min(LONGEST);
        Ok(Some(pause))
    }

    fn follow(&mut self, task: &Value) {
        for id in spawned(task) {
            if self.seen.len() < MOST_TASKS && self.seen.insert(id.clone()) {
                self.open.push(id);
            }
        }
    }
}

fn state(task: &Value) -> Option<TaskState> {
    task["state"].as_str()?.parse().ok()
}

fn snapshot(task: &Value, families: &Families) -> Snapshot {
    Snapshot {
        id: clean(task["task_id"].as_str().unwrap_or("?")),
        what: what(task),
        state: clean(task["state"].as_str().unwrap_or("?")),
        steps: steps(&task["progress_report"], families),
    }
}

/// Returns what a task does, from its tags: `sync of demo`.
#[must_use]
pub(crate) fn what(task: &Value) -> String {
    let tags: Vec<&str> = task["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let tagged = |prefix: &str| tags.iter().find_map(|tag| tag.strip_prefix(prefix));
    let action = tagged("pulp:action:").map(|name| clean(&name.replace('_', " ")));
    let repo = tagged("pulp:repository:").map(clean);
    match (action.as_deref(), repo) {
        (Some("associate"), Some(_)) => copy(&tags),
        (Some("unassociate"), Some(id)) => format!("removal from {id}"),
        (Some(action), Some(id)) => format!("{action} of {id}"),
        (Some(action), None) => match tagged("pulp:repository_group:") {
            Some(group) => format!("{action} of group {}", clean(group)),
            None => action.to_owned(),
        },
        (None, _) if tags.contains(&"pulp:content_unit:orphans") => "remove orphans".to_owned(),
        _ => "task".to_owned(),
    }
}

/// The tags of a copy do not tell the source from the destination.
fn copy(tags: &[&str]) -> String {
    let mut repos: Vec<String> = tags
        .iter()
        .filter_map(|tag| tag.strip_prefix("pulp:repository:").map(clean))
        .collect();
    repos.sort();
    match &repos[..] {
        [one] => format!("copy within {one}"),
        several => format!("copy between {}", several.join(" and ")),
    }
}

/// Complains when a task did not end well; notes those that ended with a remark.
///
/// # Errors
///
/// [`Error::Tasks`] with every failed or cancelled task.
pub fn check(tasks: &[Value], ui: &mut Ui) -> Result<(), Error> {
    let mut failed = Vec::new();
    for task in tasks {
        let detail: Option<ErrorDetail> = serde_json::from_value(task["error"].clone()).ok();
        match (state(task), detail) {
            (Some(TaskState::Finished | TaskState::Skipped), None) => {}
            (Some(TaskState::Finished | TaskState::Skipped), Some(detail)) => {
                ui.note(&format!(
                    "warning: {} ended, but: {}",
                    what(task),
                    clean(&detail.description)
                ));
            }
            (_, detail) => failed.push(FailedTask {
                id: clean(task["task_id"].as_str().unwrap_or("?")),
                what: what(task),
                state: task["state"].as_str().unwrap_or("unknown").to_owned(),
                hint: detail
                    .as_ref()
                    .and_then(|detail| ui.families.hint(&detail.code)),
                detail,
            }),
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::Tasks(failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;
    use serde_json::json;

    #[test]
    fn a_task_is_named_by_what_it_does() {
        let tags = json!({"tags": ["pulp:repository:demo", "pulp:action:import_upload"]});
        assert_eq!(what(&tags), "import upload of demo");
        let tags = [
            "pulp:repository:b",
            "pulp:repository:a",
            "pulp:action:associate",
        ];
        assert_eq!(what(&json!({ "tags": tags })), "copy between a and b");
        let tags = ["pulp:repository:a", "pulp:action:associate"];
        assert_eq!(what(&json!({ "tags": tags })), "copy within a");
        let tags = ["pulp:repository_group:g", "pulp:action:publish"];
        assert_eq!(what(&json!({ "tags": tags })), "publish of group g");
        assert_eq!(
            what(&json!({"tags": ["pulp:action:orphan_removal"]})),
            "orphan removal"
        );
        assert_eq!(what(&json!({})), "task");
    }

    #[test]
    fn a_finished_task_with_a_remark_is_a_warning_and_a_cancelled_one_a_failure() {
        let (mut ui, captured) = Ui::captured(Format::Text, crate::families::samples::families());
        let remark = json!({"code": "PLP0007", "description": "unbind failed", "data": {}, "sub_errors": []});
        let finished = json!({"task_id": "a", "state": "finished", "tags": ["pulp:action:delete"], "error": remark});
        assert!(check(std::slice::from_ref(&finished), &mut ui).is_ok());
        assert_eq!(
            captured.err(),
            "warning: delete ended, but: unbind failed\n"
        );
        let cancelled = json!({"task_id": "b", "state": "canceled", "tags": [], "error": null});
        let error = check(&[finished, cancelled], &mut ui).unwrap_err();
        assert_eq!(error.to_string(), "task was cancelled (task b)");
    }
}
