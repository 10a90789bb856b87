//! The timetable of schedules, and what they queue.

use pith_core::Timestamp;
use pith_core::iso8601::DateTime;
use pith_core::schedule::{Interval, Timetable};
use pith_store::{NewTask, Schedule, ScheduleOwner};
use serde_json::json;

use crate::Engine;
use crate::error::Error;
use crate::jobs::{PublishRepository, SyncRepository};

/// The timetable of a schedule; `None` for one that another version of pith wrote and this one cannot read.
#[must_use]
pub fn timetable(schedule: &Schedule) -> Option<Timetable> {
    let interval = Interval::parse(&schedule.schedule).ok()?;
    let first = DateTime::parse(&schedule.first_run)?;
    Some(Timetable::new(first, interval.period))
}

/// Returns when a schedule has to run next; `None` when it is switched off or used up.
#[must_use]
pub fn due(schedule: &Schedule) -> Option<Timestamp> {
    if !schedule.enabled || schedule.remaining_runs.is_some_and(|runs| runs < 1) {
        return None;
    }
    timetable(schedule)?.due(schedule.last_run_at)
}

/// The schedule after a run at `now` (pulp2/schedules#run-times).
#[must_use]
pub fn advanced(schedule: &Schedule, now: Timestamp) -> Schedule {
    let mut next = schedule.clone();
    next.last_run_at = Some(now);
    next.total_run_count += 1;
    next.remaining_runs = schedule.remaining_runs.map(|runs| (runs - 1).max(0));
    if next.remaining_runs == Some(0) {
        next.enabled = false;
    }
    next.due = due(&next);
    next
}

/// The task that a schedule queues.
///
/// # Errors
/// As [`Engine::new_task`].
pub(crate) fn task(engine: &Engine, schedule: &Schedule) -> Result<NewTask, Error> {
    let override_config = schedule.kwargs.get("overrides").cloned();
    let override_config = override_config.unwrap_or_default();
    match &schedule.owner {
        ScheduleOwner::Importer { repo_id } => engine.new_task(&SyncRepository {
            repo_id: repo_id.clone(),
            override_config,
        }),
        ScheduleOwner::Distributor {
            repo_id,
            distributor_id,
        } => engine.new_task(&PublishRepository {
            repo_id: repo_id.clone(),
            distributor_id: json!(distributor_id),
            override_config,
        }),
    }
}
