//! A command at work: the server and the person that it has, and how it ends.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;

use super::common::WaitArgs;
use crate::begun::Begun;
use crate::client::{Client, spawned};
use crate::error::Error;
use crate::families::Families;
use crate::output::Ui;
use crate::text::clean;
use crate::wait::{check, wait, what};

/// Asks the person at the terminal.
pub trait Prompt: Send {
    /// A line of text; `None` when nobody can answer.
    fn line(&mut self, question: &str) -> Option<String>;
    /// A secret, without showing it; `None` when nobody can answer.
    fn secret(&mut self, question: &str) -> Option<SecretString>;
}

/// A server and a person.
pub(super) struct CommandSession<'a> {
    pub(super) client: Client,
    pub(super) ui: &'a mut Ui,
    pub(super) prompt: &'a mut dyn Prompt,
    pub(super) begun: Begun,
}

impl CommandSession<'_> {
    /// Ends a command that got a call report: waits for its tasks, or says that they run.
    /// With `--json` prints the report in the background, else the array of finished tasks.
    pub(super) async fn finish(
        &mut self,
        report: &Value,
        wait_args: &WaitArgs,
    ) -> Result<(), Error> {
        let ids = spawned(report);
        if wait_args.background {
            if self.ui.is_json() {
                return self.ui.document(report);
            }
            for id in ids {
                let id = clean(&id);
                self.ui.line(&format!(
                    "task {id} started; `pith task wait {id}` follows it"
                ))?;
            }
            return Ok(());
        }
        self.follow(ids).await
    }

    /// Waits for tasks, prints how they ended, and fails when one of them failed.
    pub(super) async fn follow(&mut self, ids: Vec<String>) -> Result<(), Error> {
        let tasks = wait(&self.client, ids, self.ui).await?;
        self.report(tasks)
    }

    /// Prints how tasks ended; fails when one of them failed.
    pub(super) fn report(&mut self, tasks: Vec<Value>) -> Result<(), Error> {
        let lines: Vec<String> = tasks
            .iter()
            .filter_map(|task| summary(task, self.ui.families))
            .collect();
        let printed = lines.iter().try_for_each(|line| self.ui.line(line));
        let checked = check(&tasks, self.ui);
        let printed = match printed {
            Ok(()) if self.ui.is_json() => self.ui.document(&Value::Array(tasks)),
            printed => printed,
        };
        checked.and(printed)
    }

    /// Fails when a thing that somebody named is not there, where an empty answer would not say so. A caller who may not look at
    /// it is told nothing.
    pub(super) async fn is_there(&self, path: &[&str]) -> Result<(), Error> {
        match self.client.get(path, &[]).await {
            Err(error) if !error.is_refusal() => Err(error),
            _ => Ok(()),
        }
    }

    /// Does what [`Self::is_there`] does, for the repository that an empty list was asked for.
    pub(super) async fn none_of(&self, found: &Value, repo: Option<&str>) -> Result<(), Error> {
        match (repo, found.as_array()) {
            (Some(repo), Some(found)) if found.is_empty() => {
                self.is_there(&["repositories", repo]).await
            }
            _ => Ok(()),
        }
    }
}

/// One line on a task that ended well, from its result.
fn summary(task: &Value, families: &Families) -> Option<String> {
    if !matches!(task["state"].as_str(), Some("finished" | "skipped")) {
        return None;
    }
    let result = &task["result"];
    let what = what(task);
    if result["result"] == "skipped" {
        let why = result["summary"].as_str().unwrap_or("skipped");
        return Some(format!("{what}: {}", clean(why)));
    }
    if let Some(added) = result["added_count"].as_i64() {
        let number = |name: &str| result[name].as_i64().unwrap_or(0).abs();
        return Some(format!(
            "{what}: {added} added, {} updated, {} removed",
            number("updated_count"),
            number("removed_count")
        ));
    }
    if let Some(units) = result["units_successful"].as_array() {
        let refused = signatures_refused(&result["units_failed_signature_filter"], families);
        return Some(format!("{what}: {}{refused}", by_type(units)));
    }
    if what == "remove orphans" {
        return Some(format!("{what}: {}", removed(result)));
    }
    Some(format!("{what}: done"))
}

/// `3 rpm, 1 erratum`
fn by_type(units: &[Value]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in units {
        *counts
            .entry(unit["type_id"].as_str().unwrap_or("unit"))
            .or_default() += 1;
    }
    let parts: Vec<String> = counts
        .iter()
        .map(|(type_id, count)| format!("{count} {}", clean(type_id)))
        .collect();
    if parts.is_empty() {
        return "nothing".to_owned();
    }
    parts.join(", ")
}

/// The units that the signature policy kept out. The list also has others, which were copied.
fn signatures_refused(failed: &Value, families: &Families) -> String {
    let refused: Vec<Value> = failed
        .as_array()
        .into_iter()
        .flatten()
        .filter(|unit| {
            unit["type_id"]
                .as_str()
                .is_some_and(|id| families.is_signed(id))
        })
        .cloned()
        .collect();
    if refused.is_empty() {
        return String::new();
    }
    format!("; refused for their signature: {}", by_type(&refused))
}

/// Returns how many orphans a task removed: a number, or numbers by type.
fn removed(result: &Value) -> String {
    match result {
        Value::Object(counts) if counts.is_empty() => "nothing".to_owned(),
        Value::Object(counts) => {
            let parts: Vec<String> = counts
                .iter()
                .map(|(type_id, count)| format!("{count} {}", clean(type_id)))
                .collect();
            parts.join(", ")
        }
        Value::Number(count) => count.to_string(),
        _ => "done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::families::samples::families;

    #[test]
    fn copies_are_summed_up_by_type() {
        let unit = |type_id: &str| json!({"type_id": type_id, "unit_key": {}});
        let task = json!({"state": "finished",
            "tags": ["pulp:repository:b", "pulp:repository:a", "pulp:action:associate"],
            "result": {"units_successful": [unit("rpm"), unit("erratum"), unit("rpm")],
                       "units_failed_signature_filter": [unit("package_group"), unit("srpm")]}});
        assert_eq!(
            summary(&task, families()).unwrap(),
            "copy between a and b: 1 erratum, 2 rpm; refused for their signature: 1 srpm"
        );
    }

    #[test]
    fn a_sync_is_summed_up_with_positive_removals() {
        let task = json!({"state": "finished", "tags": ["pulp:repository:demo", "pulp:action:sync"],
            "result": {"result": "success", "added_count": 36, "updated_count": 0, "removed_count": -3}});
        assert_eq!(
            summary(&task, families()).unwrap(),
            "sync of demo: 36 added, 0 updated, 3 removed"
        );
    }
}
