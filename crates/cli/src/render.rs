//! Shows the progress of tasks: live bars on a terminal, a line for each change elsewhere.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::{ProgressForm, Ui};
use crate::progress::{Count, Step, StepState};

/// The state of a task at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// Its id.
    pub id: String,
    /// The work, such as `sync of demo`.
    pub what: String,
    /// Its state on the wire.
    pub state: String,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// Shows snapshots; drop it, or call [`Renderer::finish`], before printing anything else.
#[derive(Debug)]
pub(crate) enum Renderer {
    /// Live bars.
    Bars(Box<Bars>),
    /// Plain lines.
    Lines(Lines),
    /// Nothing.
    Silent,
}

impl Renderer {
    /// The renderer that `ui` asks for.
    #[must_use]
    pub(crate) fn new(ui: &Ui) -> Self {
        match ui.progress {
            ProgressForm::Bars => Self::Bars(Box::new(Bars::new(ui.color))),
            ProgressForm::Lines => Self::Lines(Lines::default()),
            ProgressForm::Silent => Self::Silent,
        }
    }

    /// Shows what changed since the last snapshot of the task.
    pub(crate) fn show(&mut self, snapshot: &Snapshot, ui: &mut Ui) {
        match self {
            Self::Bars(bars) => bars.show(snapshot),
            Self::Lines(lines) => {
                for line in lines.changes(snapshot) {
                    ui.note(&line);
                }
            }
            Self::Silent => {}
        }
    }

    /// Leaves what is shown as it is and gives the terminal back.
    pub(crate) fn finish(&mut self) {
        if let Self::Bars(bars) = self {
            bars.finish();
        }
    }
}

impl Drop for Renderer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Remembers what was printed, and gives the lines that are new.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    tasks: HashMap<String, String>,
    steps: HashMap<(String, String), StepState>,
}

impl Lines {
    /// The lines for what changed: the task's state, and each step whose state is another. Counters alone are
    /// no change: a pipe gets a line for each step, not for each poll.
    pub(crate) fn changes(&mut self, snapshot: &Snapshot) -> Vec<String> {
        let mut lines = Vec::new();
        let over = !matches!(snapshot.state.as_str(), "waiting" | "accepted" | "running");
        let before = self
            .tasks
            .insert(snapshot.id.clone(), snapshot.state.clone());
        let changed = before.as_deref() != Some(snapshot.state.as_str());
        if changed && !over {
            lines.push(format!(
                "{}: {} (task {})",
                snapshot.what, snapshot.state, snapshot.id
            ));
        }
        for step in &snapshot.steps {
            let key = (snapshot.id.clone(), step.key.clone());
            let before = self
                .steps
                .insert(key, step.state)
                .unwrap_or(StepState::Waiting);
            // Steps that had nothing to do would only hide the others.
            if before != step.state && step.state != StepState::Skipped {
                lines.push(format!("  {}", step.line()));
            }
        }
        if changed && over {
            lines.push(format!("{}: {}", snapshot.what, snapshot.state));
        }
        lines
    }
}

/// A bar for each step that has begun, below a line for its task.
#[derive(Debug)]
pub(crate) struct Bars {
    screen: MultiProgress,
    heads: HashMap<String, ProgressBar>,
    steps: HashMap<(String, String), ProgressBar>,
    color: bool,
}

impl Bars {
    fn new(color: bool) -> Self {
        Self {
            screen: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
            heads: HashMap::new(),
            steps: HashMap::new(),
            color,
        }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        let head = self.heads.entry(snapshot.id.clone()).or_insert_with(|| {
            let bar = self.screen.add(ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {msg} [{elapsed}]"));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        head.set_message(format!("{}: {}", snapshot.what, snapshot.state));
        if !matches!(snapshot.state.as_str(), "waiting" | "accepted" | "running")
            && !head.is_finished()
        {
            head.set_style(style("  {msg} [{elapsed}]"));
            head.finish();
        }
        for step in &snapshot.steps {
            if !matches!(step.state, StepState::Waiting | StepState::Skipped) {
                self.step(&snapshot.id, step);
            }
        }
    }

    fn step(&mut self, task: &str, step: &Step) {
        let key = (task.to_owned(), step.key.clone());
        let fresh = !self.steps.contains_key(&key);
        let bar = self
            .steps
            .entry(key)
            .or_insert_with(|| self.screen.add(ProgressBar::new(1)));
        if bar.is_finished() {
            return;
        }
        bar.set_style(style(template(step, self.color)));
        let count = step
            .bytes
            .or(step.items)
            .unwrap_or(Count { done: 0, total: 1 });
        bar.set_length(count.total);
        bar.set_position(if step.state == StepState::Done {
            count.total
        } else {
            count.done
        });
        if fresh {
            // What was done before the first look took no time that could be measured.
            bar.reset_eta();
        }
        bar.set_prefix(step.label.clone());
        bar.set_message(bar_text(step));
        if step.state.is_over() {
            bar.abandon();
        }
    }

    fn finish(&mut self) {
        for bar in self.heads.values().chain(self.steps.values()) {
            if !bar.is_finished() {
                bar.abandon();
            }
        }
    }
}

/// Returns what stands behind a bar: counts, or the state of a step that counts nothing.
fn bar_text(step: &Step) -> String {
    let counts = step.counts();
    match (&step.error, step.state) {
        (Some(error), _) => format!("{counts} {error}").trim_start().to_owned(),
        (None, StepState::Running | StepState::Done) if !counts.is_empty() => counts,
        (None, state) => format!("{counts} {}", state.word()).trim_start().to_owned(),
    }
}

/// Bytes get a rate and the time that is left, items only a bar, and a step that counts nothing only its name.
fn template(step: &Step, color: bool) -> &'static str {
    let running = step.state == StepState::Running;
    match (
        step.bytes.is_some(),
        step.items.is_some_and(|i| i.total > 1),
        color,
    ) {
        (true, _, true) if running => {
            "    {prefix:28} {bar:24.cyan/blue} {msg} {binary_bytes_per_sec} {eta} left"
        }
        (true, _, false) if running => {
            "    {prefix:28} {bar:24} {msg} {binary_bytes_per_sec} {eta} left"
        }
        (true, _, true) | (_, true, true) => "    {prefix:28} {bar:24.cyan/blue} {msg}",
        (true, _, false) | (_, true, false) => "    {prefix:28} {bar:24} {msg}",
        (false, false, _) => "    {prefix:28} {msg}",
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants; a test reads each of them.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::families;
    use crate::progress::steps;
    use serde_json::{Value, json};

    fn snapshot(state: &str, report: &Value) -> Snapshot {
        Snapshot {
            id: "t1".into(),
            what: "sync of demo".into(),
            state: state.into(),
            steps: steps(report, families()),
        }
    }

    fn content(state: &str, left: u64) -> Value {
        json!({"yum_importer": {
            "metadata": {"state": "FINISHED"},
            "content": {"state": state, "items_total": 39, "items_left": left, "size_total": 116_408,
                        "size_left": left * 100, "error_details": []},
            "modules": {"state": "SKIPPED"}}})
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_step_and_none_for_each_poll() {
        let mut lines = Lines::default();
        let polls = [
            snapshot("waiting", &json!({})),
            snapshot("running", &content("IN_PROGRESS", 39)),
            snapshot("running", &content("IN_PROGRESS", 20)),
            snapshot("running", &content("IN_PROGRESS", 3)),
            snapshot("finished", &content("FINISHED", 0)),
            snapshot("finished", &content("FINISHED", 0)),
        ];
        let text: Vec<String> = polls.iter().flat_map(|poll| lines.changes(poll)).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        sync of demo: waiting (task t1)
        sync of demo: running (task t1)
          Fetching metadata: done
          Fetching packages: started (0 of 39, 109.8 KiB of 113.6 KiB)
          Fetching packages: done (39, 113.6 KiB)
        sync of demo: finished
        ");
    }

    #[test]
    fn bars_take_every_kind_of_step() {
        let mut bars = Bars::new(true);
        bars.screen.set_draw_target(ProgressDrawTarget::hidden());
        bars.show(&snapshot("running", &content("IN_PROGRESS", 20)));
        let key = ("t1".to_owned(), "yum_importer/content".to_owned());
        let bar = bars.steps[&key].clone();
        assert_eq!((bar.position(), bar.length()), (114_408, Some(116_408)));
        assert_eq!(bar.message(), "19 of 39, 111.7 KiB of 113.6 KiB");
        assert_eq!(bars.steps.len(), 2, "a skipped step has no bar");
        let metadata = ("t1".to_owned(), "yum_importer/metadata".to_owned());
        assert_eq!(bars.steps[&metadata].message(), "done");
        bars.show(&snapshot("finished", &content("FINISHED", 0)));
        assert!(bar.is_finished());
        assert!(bars.heads["t1"].is_finished());
    }

    #[test]
    fn every_template_can_be_read() {
        for state in [StepState::Running, StepState::Done] {
            for bytes in [None, Some(Count { done: 1, total: 9 })] {
                for items in [None, Some(Count { done: 1, total: 9 })] {
                    for color in [true, false] {
                        let step = Step {
                            key: "k".into(),
                            label: "l".into(),
                            failures: 0,
                            error: None,
                            state,
                            items,
                            bytes,
                        };
                        assert!(ProgressStyle::with_template(template(&step, color)).is_ok());
                    }
                }
            }
        }
    }
}
