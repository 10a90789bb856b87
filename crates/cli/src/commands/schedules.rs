//! `… sync schedules` and `… publish schedules` (pulp2/schedules).

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::common::RepoRef;
use super::listing::{Column, at, text};
use super::running::CommandSession;
use super::write::nothing_to_change;
use crate::error::Error;
use crate::text::{cell, clean, time};

/// `… schedules …`
#[derive(Debug, Clone, Subcommand)]
pub(super) enum SchedulesCommand {
    /// List the schedules of a repository
    List(OfRepo),
    /// Add a schedule
    Create(CreateArgs),
    /// Change a schedule
    Update(UpdateArgs),
    /// Remove a schedule
    Delete(OneArgs),
    /// Show when the next run is
    Next(OfRepo),
}

/// The repository, and whose schedules are meant.
#[derive(Debug, Clone, Args)]
pub(super) struct OfRepo {
    #[command(flatten)]
    repo: RepoRef,
    /// Importer or distributor, if not the usual one
    #[arg(long, value_name = "ID", visible_aliases = ["importer-id", "distributor-id"])]
    plugin_id: Option<String>,
}

/// `… schedules create`
#[derive(Debug, Clone, Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    of: OfRepo,
    /// When: an ISO 8601 interval, as in 2015-01-01T00:00:00Z/P1D for every day at midnight, or PT6H
    #[arg(long, short = 's', value_name = "INTERVAL")]
    schedule: String,
    #[command(flatten)]
    options: Options,
}

/// `… schedules update`
#[derive(Debug, Clone, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    one: OneArgs,
    /// When: an ISO 8601 interval, as in 2015-01-01T00:00:00Z/P1D for every day at midnight, or PT6H
    #[arg(long, short = 's', value_name = "INTERVAL")]
    schedule: Option<String>,
    #[command(flatten)]
    options: Options,
}

/// All that a schedule may have beside its times.
#[derive(Debug, Clone, Args)]
struct Options {
    /// Switch the schedule off after this many failures in a row
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    failure_threshold: Option<u32>,
    /// Schedule runs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    enabled: Option<bool>,
    /// Look at everything again at each run, even if nothing has changed (which every sync of files does)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    force_full: Option<bool>,
}

/// One schedule.
#[derive(Debug, Clone, Args)]
pub(super) struct OneArgs {
    #[command(flatten)]
    of: OfRepo,
    /// Id of the schedule
    #[arg(long, value_name = "ID")]
    schedule_id: String,
}

/// The importer or distributor whose schedules are meant, and its usual id.
#[derive(Debug, Clone, Copy)]
pub(super) enum ScheduledPlugin<'a> {
    /// Syncs by an importer.
    Importer(&'a str),
    /// Publishes by a distributor.
    Distributor(&'a str),
}

const SCHEDULE: &[Column] = &[
    text("schedule", "/_id"),
    text("when", "/schedule"),
    text("enabled", "/enabled"),
    at("next run", "/next_run"),
    at("last run", "/last_run_at"),
    text("runs", "/total_run_count"),
    text("runs left", "/remaining_runs"),
    text("failures", "/consecutive_failures"),
];

impl OfRepo {
    fn path<'a>(&'a self, owner: ScheduledPlugin<'a>) -> Vec<&'a str> {
        let (plural, usual, action) = match owner {
            ScheduledPlugin::Importer(usual) => ("importers", usual, "sync"),
            ScheduledPlugin::Distributor(usual) => ("distributors", usual, "publish"),
        };
        let plugin = self.plugin_id.as_deref().unwrap_or(usual);
        vec![
            "repositories",
            self.repo.id(),
            plural,
            plugin,
            "schedules",
            action,
        ]
    }
}

impl Options {
    fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        if let Some(most) = self.failure_threshold {
            body.insert("failure_threshold".into(), json!(most));
        }
        if let Some(enabled) = self.enabled {
            body.insert("enabled".into(), json!(enabled));
        }
        if let Some(full) = self.force_full {
            body.insert("override_config".into(), json!({ "force_full": full }));
        }
        body
    }
}

pub(super) async fn run(
    command: &SchedulesCommand,
    owner: ScheduledPlugin<'_>,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        SchedulesCommand::List(of) => {
            let found = session.client.get(&of.path(owner), &[]).await?;
            session.list(&found, SCHEDULE, "no schedules; `create` adds one")
        }
        SchedulesCommand::Create(args) => {
            // What pulp-admin sends: every key, so that old servers need no defaults.
            let mut body = args.options.body();
            body.insert("schedule".into(), json!(args.schedule));
            body.entry("enabled").or_insert(json!(true));
            body.entry("failure_threshold").or_insert(Value::Null);
            body.entry("override_config").or_insert(json!({}));
            let path = args.of.path(owner);
            let schedule = session.client.post(&path, &Value::Object(body)).await?;
            let id = clean(&cell(&schedule["_id"]));
            let next = time(&schedule["next_run"], &session.ui.zone);
            let line = format!("created schedule {id}; it runs next at {next}");
            session.ui.either(&schedule, &line)
        }
        SchedulesCommand::Update(args) => {
            let mut body = args.options.body();
            body.extend(args.schedule.iter().map(|s| ("schedule".into(), json!(s))));
            if body.is_empty() {
                return Err(nothing_to_change());
            }
            let mut path = args.one.of.path(owner);
            path.push(&args.one.schedule_id);
            let schedule = session.client.put(&path, &Value::Object(body)).await?;
            let line = format!("updated schedule {}", clean(&args.one.schedule_id));
            session.ui.either(&schedule, &line)
        }
        SchedulesCommand::Delete(args) => {
            let mut path = args.of.path(owner);
            path.push(&args.schedule_id);
            let answer = session.client.delete(&path).await?;
            let line = format!("removed schedule {}", clean(&args.schedule_id));
            session.ui.either(&answer, &line)
        }
        SchedulesCommand::Next(of) => {
            let found = session.client.get(&of.path(owner), &[]).await?;
            let next = soonest(&found);
            let line = match &next {
                Value::Null => "no schedule is on".to_owned(),
                at => format!("next run at {}", time(at, &session.ui.zone)),
            };
            session.ui.either(&json!({ "next_run": next }), &line)
        }
    }
}

/// The soonest next run of the schedules that are on; null for none.
fn soonest(schedules: &Value) -> Value {
    let all = schedules.as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .filter(|schedule| schedule["enabled"] == true)
        .filter_map(|schedule| {
            let at = schedule["next_run"].as_str()?;
            let instant: jiff::Timestamp = at.parse().ok()?;
            Some((instant, at))
        })
        .min()
        .map_or(Value::Null, |(_, at)| json!(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_run_is_the_soonest_of_the_schedules_that_are_on() {
        let one = |at: &str, enabled: bool| json!({"next_run": at, "enabled": enabled});
        let schedules = json!([
            one("2015-01-03T00:00:00Z", true),
            one("2015-01-02T23:30:00-01:00", true),
            one("2015-01-01T00:00:00Z", false),
        ]);
        assert_eq!(soonest(&schedules), "2015-01-03T00:00:00Z");
        assert_eq!(soonest(&json!([])), Value::Null);
    }
}
