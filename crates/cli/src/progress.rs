//! Progress documents as steps.
//!
//! Reporters write three shapes: a list of steps, an object with a phase for each key, and one object with byte
//! and file counters. The shape decides how a report is read, not the name of the reporter, so that reports of
//! types this client has never heard of are shown too; families only say in which order phases come and what they are
//! called.

use pith_content::words::FileCounters;
use serde_json::{Map, Value};

use crate::families::Families;
use crate::text::{clean, size};

/// Most steps that are shown of one task; a report comes from outside.
const MOST_STEPS: usize = 200;

/// The state of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Not begun.
    Waiting,
    /// At work.
    Running,
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Had nothing to do.
    Skipped,
    /// Cancelled.
    Cancelled,
}

impl StepState {
    /// Reads `FINISHED`, `complete`, `files_in_progress` and the like.
    fn read(value: &Value) -> Self {
        let text = value.as_str().unwrap_or_default().to_ascii_lowercase();
        match text.as_str() {
            "finished" | "complete" => Self::Done,
            "skipped" => Self::Skipped,
            "cancelled" | "canceled" => Self::Cancelled,
            _ if text.ends_with("failed") => Self::Failed,
            _ if text.ends_with("in_progress") => Self::Running,
            _ => Self::Waiting,
        }
    }

    /// The word that people read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }

    /// Tells whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// The part of something that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Done so far, never more than `total`.
    pub done: u64,
    /// All of it.
    pub total: u64,
}

impl Count {
    fn new(done: u64, total: u64) -> Option<Self> {
        (total > 0).then_some(Self {
            done: done.min(total),
            total,
        })
    }
}

/// One step of a task, in the words of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The same from poll to poll, unique in the task.
    pub key: String,
    /// The work, as a sentence without a full stop.
    pub label: String,
    /// Its state.
    pub state: StepState,
    /// Units, files or whatever it counts.
    pub items: Option<Count>,
    /// Bytes.
    pub bytes: Option<Count>,
    /// Items that failed.
    pub failures: u64,
    /// The reason why it failed.
    pub error: Option<String>,
}

impl Step {
    /// Returns what is known beyond the state: `12 of 39, 1.2 MiB of 5.4 MiB, 2 failed`.
    #[must_use]
    pub fn counts(&self) -> String {
        let mut parts = Vec::new();
        // A step of one item only repeats its state.
        if let Some(Count { done, total }) = self.items.filter(|count| count.total > 1) {
            parts.push(if done == total {
                format!("{total}")
            } else {
                format!("{done} of {total}")
            });
        }
        if let Some(Count { done, total }) = self.bytes {
            parts.push(if done == total {
                size(total)
            } else {
                format!("{} of {}", size(done), size(total))
            });
        }
        if self.failures > 0 {
            parts.push(format!("{} failed", self.failures));
        }
        parts.join(", ")
    }

    /// The line that a pipe gets when the step changes.
    #[must_use]
    pub fn line(&self) -> String {
        let counts = self.counts();
        let mut line = format!("{}: {}", self.label, self.state.word());
        if !counts.is_empty() {
            line = format!("{line} ({counts})");
        }
        if let Some(error) = &self.error {
            line = format!("{line}: {error}");
        }
        line
    }
}

/// The steps of a task's `progress_report`, in their order. An unknown shape gives none.
#[must_use]
pub fn steps(report: &Value, families: &Families) -> Vec<Step> {
    let mut steps = Vec::new();
    for (reporter, value) in report.as_object().into_iter().flatten() {
        match value {
            Value::Array(list) => listed(reporter, list, 0, &mut steps),
            Value::Object(one) if one.contains_key("state_times") => {
                steps.extend(manifest(reporter, one, families));
                steps.extend(counted(reporter, one, families));
            }
            Value::Object(phases) => steps.extend(phased(reporter, phases, families)),
            _ => {}
        }
    }
    steps.truncate(MOST_STEPS);
    steps
}

/// A list of steps; children follow their parent.
fn listed(prefix: &str, list: &[Value], depth: usize, steps: &mut Vec<Step>) {
    for (index, step) in list.iter().take(MOST_STEPS).enumerate() {
        let kind = step["step_type"].as_str().unwrap_or("step");
        // Two steps of a publish share their type, so the position is part of the key.
        let key = format!("{prefix}/{index}");
        let label = match step["description"].as_str().map(clean) {
            Some(text) if !text.is_empty() => text.trim_end_matches('.').to_owned(),
            _ => words(kind),
        };
        let number = |name: &str| step[name].as_u64().unwrap_or(0);
        steps.push(Step {
            label,
            state: StepState::read(&step["state"]),
            items: Count::new(number("num_processed"), number("items_total")),
            bytes: None,
            failures: number("num_failures"),
            error: first_error(&step["error_details"]),
            key: key.clone(),
        });
        if depth < 4
            && let Some(children) = step["sub_steps"].as_array()
        {
            listed(&key, children, depth + 1, steps);
        }
    }
}

/// The manifest of files is a step of its own in the same object: over once the files have begun.
fn manifest(reporter: &str, report: &Map<String, Value>, families: &Families) -> Option<Step> {
    let times = report.get("state_times")?;
    families
        .file_counters()
        .find(|names| times.get(names.at_work).is_some())?;
    Some(Step {
        key: format!("{reporter}/{MANIFEST}"),
        label: MANIFEST.to_owned(),
        state: StepState::Done,
        items: None,
        bytes: None,
        failures: 0,
        error: None,
    })
}

const MANIFEST: &str = "Fetching the manifest";

/// One object that counts files and bytes, or only has a state.
fn counted(reporter: &str, report: &Map<String, Value>, families: &Families) -> Option<Step> {
    let state = report.get("state")?;
    let files = families
        .file_counters()
        .find(|names| report.contains_key(names.total));
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or(0);
    let label = match state.as_str()? {
        text if text.starts_with("manifest") => MANIFEST,
        _ if files.is_some() => "Fetching files",
        _ => "Publishing files",
    };
    let failures = files.and_then(|names| report.get(names.failed)?.as_array());
    let of = |name: fn(&FileCounters) -> &'static str| files.map_or(0, |names| number(name(names)));
    Some(Step {
        // The manifest and the files are two steps of one object.
        key: format!("{reporter}/{label}"),
        label: label.to_owned(),
        state: StepState::read(state),
        items: Count::new(of(|names| names.done), of(|names| names.total)),
        bytes: Count::new(number("finished_bytes"), number("total_bytes")),
        failures: failures.map_or(0, |list| list.len() as u64),
        error: counted_error(report, failures),
    })
}

/// The reason why an object that counts files failed: its own error, else that of the first file.
fn counted_error(report: &Map<String, Value>, failures: Option<&Vec<Value>>) -> Option<String> {
    match report.get("error_message") {
        Some(Value::String(text)) => Some(clean(text)),
        Some(Value::Object(answer)) => answer
            .get("response_msg")
            .and_then(Value::as_str)
            .map(clean),
        _ => {
            let first = failures?.first()?;
            let error = match &first["error"] {
                Value::Object(answer) => answer.get("response_msg")?.as_str()?,
                other => other.as_str()?,
            };
            Some(format!(
                "{}: {}",
                clean(first["name"].as_str()?),
                clean(error)
            ))
        }
    }
}

/// An object with a phase for each key, in the order in which the families name them.
fn phased(reporter: &str, phases: &Map<String, Value>, families: &Families) -> Vec<Step> {
    let known: Vec<&(&str, &str)> = families.phases().collect();
    let rank = |name: &str| known.iter().position(|(known, _)| *known == name);
    let mut found: Vec<(&String, &Value)> = phases
        .iter()
        .filter(|(_, v)| v.get("state").is_some())
        .collect();
    found.sort_by_key(|(name, _)| rank(name).unwrap_or(known.len()));
    found
        .into_iter()
        .map(|(name, phase)| {
            let label = rank(name).map_or_else(|| words(name), |at| known[at].1.to_owned());
            let number = |name: &str| phase[name].as_u64().unwrap_or(0);
            let left = |total: &str, left: &str| {
                Count::new(number(total).saturating_sub(number(left)), number(total))
            };
            let failures = phase["error_details"]
                .as_array()
                .map_or(0, |list| list.len() as u64);
            Step {
                key: format!("{reporter}/{name}"),
                label,
                state: StepState::read(&phase["state"]),
                items: left("items_total", "items_left"),
                bytes: left("size_total", "size_left"),
                failures,
                error: phase["error"]
                    .as_str()
                    .map(clean)
                    .or_else(|| first_error(&phase["error_details"])),
            }
        })
        .collect()
}

/// The text of the first entry of `error_details`, whose shape differs from step to step.
fn first_error(details: &Value) -> Option<String> {
    let first = details.as_array()?.first()?;
    let text = match first {
        Value::String(text) => text,
        _ => match &first["error"] {
            Value::String(text) => text,
            error => error["description"]
                .as_str()
                .or_else(|| first["error_code"].as_str())?,
        },
    };
    Some(clean(text))
}

/// `remove_old_repodata` as `Remove old repodata`.
fn words(name: &str) -> String {
    let text = clean(&name.replace('_', " "));
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => "Step".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::families;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_sync_of_packages_has_its_phases_in_order_with_bytes() {
        let report = json!({"yum_importer": {
            "comps": {"state": "NOT_STARTED"},
            "content": {"state": "IN_PROGRESS", "items_total": 39, "items_left": 27, "size_total": 5_662_310,
                        "size_left": 4_404_019, "error_details": [], "details": {}},
            "metadata": {"state": "FINISHED"},
            "sparkle_level": {"state": "FINISHED"}}});
        let lines: Vec<String> = steps(&report, families()).iter().map(Step::line).collect();
        assert_eq!(
            lines,
            [
                "Fetching metadata: done",
                "Fetching packages: started (12 of 39, 1.1 MiB of 5.3 MiB)",
                "Importing package groups: waiting",
                "Sparkle level: done",
            ]
        );
    }

    #[test]
    fn a_failed_phase_says_why() {
        let report =
            json!({"yum_importer": {"metadata": {"state": "FAILED", "error": "Could not parse"}}});
        assert_eq!(
            steps(&report, families())[0].line(),
            "Fetching metadata: failed: Could not parse"
        );
    }

    #[test]
    fn a_sync_of_files_counts_files_and_bytes() {
        let report = json!({"iso_importer": {"state": "isos_in_progress", "state_times": {}, "error_message": null,
            "total_bytes": 16384, "finished_bytes": 8192, "num_isos": 3, "num_isos_finished": 1,
            "iso_error_messages": [{"name": "bad.iso", "error": "wrong"}]}});
        assert_eq!(
            steps(&report, families())[0].line(),
            "Fetching files: started (1 of 3, 8.0 KiB of 16.0 KiB, 1 failed): bad.iso: wrong"
        );
    }

    #[test]
    fn a_manifest_that_is_missing_is_shown_with_the_answer_of_its_server() {
        let report = json!({"iso_importer": {"error_message": {"response_code": 404, "response_msg": "File not found"},
            "num_isos": null, "state": "manifest_failed", "state_times": {}, "iso_error_messages": []}});
        assert_eq!(
            steps(&report, families())[0].line(),
            "Fetching the manifest: failed: File not found"
        );
    }

    #[test]
    fn steps_of_one_type_stay_apart_and_children_follow() {
        let report = json!({"yum_distributor": [
            {"step_type": "a", "description": "Writing Listings File", "state": "FINISHED", "items_total": 1,
             "num_processed": 1, "sub_steps": [{"step_type": "inner_one", "state": "SKIPPED"}]},
            {"step_type": "a", "description": "Publishing Metadata.", "state": "IN_PROGRESS",
             "items_total": 35, "num_processed": 4}]});
        let found = steps(&report, families());
        let lines: Vec<String> = found.iter().map(Step::line).collect();
        assert_eq!(
            lines,
            [
                "Writing Listings File: done",
                "Inner one: skipped",
                "Publishing Metadata: started (4 of 35)"
            ]
        );
        assert_ne!(found[0].key, found[2].key);
    }

    #[test]
    fn recorded_reports_read_as_sentences() {
        let recorded: Value =
            serde_json::from_str(include_str!("../tests/recorded/progress.json")).unwrap();
        let mut text = String::new();
        for (name, report) in recorded.as_object().unwrap() {
            text.push_str(&format!("{name}\n"));
            for step in steps(report, families()) {
                text.push_str(&format!("  {}\n", step.line()));
            }
        }
        insta::assert_snapshot!(text, @r"
        publish at work
          Initializing repo metadata: done
          Publishing Distribution files: done
          Publishing RPMs: started (4 of 35)
          Publishing Delta RPMs: waiting
          Publishing Errata: waiting
          Publishing Modules: waiting
          Publishing Comps file: waiting
          Publishing Metadata: waiting
          Closing repo metadata: waiting
          Removing old repodata: waiting
          Generating sqlite files: waiting
          Generating HTML files: waiting
          Publishing files to web: waiting
          Writing Listings File: waiting
        publish of files
          Publishing files: done
        sync of a feed without primary
          Fetching metadata: failed: Error retrieving metadata: Error 'File not found' for http://FEED-HOST/rpm-missing-primary/repodata/0d1680b38b1f335f066c092bc505d1a10ca1f02fec5e1781fe6656c5dbd9bdb7-primary.xml.gz.
          Fetching packages: waiting
          Fetching distribution files: waiting
          Importing errata: waiting
          Importing modules: waiting
          Importing package groups: waiting
          Removing old packages: waiting
        sync of files
          Fetching the manifest: done
          Fetching files: done (3, 3.0 KiB)
        sync of missing files
          Fetching the manifest: failed: File not found
        sync of packages
          Fetching metadata: done
          Fetching packages: done (35, 97.6 KiB)
          Fetching distribution files: done
          Importing errata: done
          Importing modules: done
          Importing package groups: done
          Removing old packages: done
        ");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[a-zA-Z_]{0,12}".prop_map(Value::from),
            Just(Value::from("FINISHED")),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            let name = prop_oneof![
                Just("state".to_owned()),
                Just("state_times".to_owned()),
                Just("items_total".to_owned()),
                Just("sub_steps".to_owned()),
                Just("error_details".to_owned()),
                "[a-z]{1,5}"
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..6).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_report_breaks_the_reader(report in any_json()) {
            for step in steps(&report, families()) {
                prop_assert!(!step.line().chars().any(char::is_control));
            }
        }
    }
}
