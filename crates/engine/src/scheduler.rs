//! The scheduler: queues what schedules ask for, and the housekeeping that comes round by itself
//! (pulp2/schedules#run-times, pulp2/tasks#workers, pulp2/tasks#forgetting).
//!
//! Every process has one; a lease in the database says which of them works. Should two believe to have it, for clocks
//! differ, nothing runs twice: a schedule is advanced and its task queued in one transaction, by whoever comes first.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pith_core::{SignedDuration, Timestamp};
use pith_store::{Backend, NewTask, Schedule};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::error::Error;
use crate::jobs::ReapExpiredDocuments;
use crate::supervise::supervised;
use crate::{Engine, acting, timetable};

/// Schedules are looked at this often (pulp2/server#times).
const TICK: Duration = Duration::from_secs(6);
/// The lease of a scheduler that says nothing for this long goes to another.
const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// The name of the lease.
const NAME: &str = "scheduler";
/// Schedules read at once.
const BATCH: u64 = 100;

/// A task that comes round by itself.
struct Periodic {
    name: &'static str,
    every: SignedDuration,
    task: fn(&Engine) -> Result<NewTask, Error>,
}

/// The work that comes round by itself (pulp2/tasks#kinds, pulp2/server#times).
const PERIODIC: [Periodic; 1] = [Periodic {
    name: "reaper",
    every: SignedDuration::from_hours(6),
    task: |engine| engine.new_task(&ReapExpiredDocuments {}),
}];

/// The consent of people to what schedules do for them.
#[async_trait]
pub trait Consent: Send + Sync + 'static {
    /// Tells whether whoever made a schedule may still make it.
    ///
    /// # Errors
    /// When the database fails.
    async fn still_stands(&self, schedule: &Schedule) -> Result<bool, Error>;
}

/// One process's scheduler.
pub struct Scheduler {
    engine: Arc<Engine>,
    holder: String,
    consent: Arc<dyn Consent>,
}

impl Scheduler {
    /// A scheduler that has not asked for the lease yet.
    #[must_use]
    pub fn new(engine: Arc<Engine>, consent: Arc<dyn Consent>) -> Self {
        let holder = format!("{}/{}", engine.host, Uuid::new_v4());
        Self {
            engine,
            holder,
            consent,
        }
    }

    /// Queues all that is due by the engine's clock, if this is the scheduler that works. Whether it is.
    ///
    /// # Errors
    /// When the database fails; what was queued before stays queued.
    pub async fn tick(&self) -> Result<bool, Error> {
        let now = self.engine.clock.now();
        // The lease is renewed before each batch: a long list of schedules takes longer than it lasts.
        loop {
            if !self.leads().await? {
                return Ok(false);
            }
            if !self.run_batch(now).await? {
                break;
            }
        }
        self.run_periodic(now).await?;
        Ok(true)
    }

    /// Lets another scheduler take over at once.
    pub async fn resign(&self) {
        if let Err(error) = self.engine.store.lease_release(NAME, &self.holder).await {
            tracing::warn!(%error, "cannot give the scheduler's lease back");
        }
    }

    async fn leads(&self) -> Result<bool, Error> {
        let now = self.engine.clock.now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let taken = self.engine.store.lease_take(NAME, &self.holder, now, until);
        Ok(taken.await?)
    }

    /// Runs some of the schedules that are due; whether there may be more.
    async fn run_batch(&self, now: Timestamp) -> Result<bool, Error> {
        let store = &self.engine.store;
        let due = store.schedules_due(now, BATCH).await?;
        let mut moved = 0;
        for seen in &due {
            if !self.consent.still_stands(seen).await? {
                moved += usize::from(self.switch_off(seen, now).await?);
                continue;
            }
            // Whoever made the schedule need not be a super-user.
            let task = || timetable::task(&self.engine, seen);
            let task = acting::on_behalf_now(false, task)?;
            let next = timetable::advanced(seen, now);
            let dispatched = store.schedule_dispatch(seen, &next, &task).await;
            if dispatched? {
                moved += 1;
                tracing::info!(schedule = %seen.oid, resource = seen.resource, task = %task.id, "schedule runs");
            }
        }
        // Whoever runs moves out of the list. When nobody does, another scheduler is at it.
        Ok(moved > 0)
    }

    /// Switches a schedule off that nobody answers for any more. Whether it was still the one that was seen.
    async fn switch_off(&self, seen: &Schedule, now: Timestamp) -> Result<bool, Error> {
        let mut was_seen = false;
        let change = |schedule: &mut Schedule| {
            was_seen = schedule.last_updated == seen.last_updated && schedule.due == seen.due;
            if was_seen {
                schedule.enabled = false;
                schedule.last_updated = now;
                schedule.due = None;
            }
        };
        self.engine.store.schedule_change(&seen.oid, change).await?;
        if let Some(maker) = seen.maker.as_ref().filter(|_| was_seen) {
            tracing::warn!(schedule = %seen.oid, resource = seen.resource, login = maker.login,
                "a schedule is switched off: whoever made it may not do so any more; whoever updates it takes it over");
        }
        Ok(was_seen)
    }

    async fn run_periodic(&self, now: Timestamp) -> Result<(), Error> {
        let store = &self.engine.store;
        for periodic in &PERIODIC {
            let last = store.periodic_last_run(periodic.name, now).await?;
            if now.duration_since(last) >= periodic.every {
                let task = (periodic.task)(&self.engine)?;
                store
                    .periodic_dispatch(periodic.name, last, now, &task)
                    .await?;
            }
        }
        Ok(())
    }
}

/// Runs a scheduler until `shutdown` fires.
pub async fn run_scheduler(
    engine: Arc<Engine>,
    consent: Arc<dyn Consent>,
    shutdown: CancellationToken,
) {
    // One process owns an SQLite database: whoever has the lease is gone, and schedules need not wait for its end.
    if engine.store.backend() == Backend::Sqlite
        && let Err(error) = engine.store.lease_break(NAME).await
    {
        tracing::warn!(%error, "cannot take the scheduler's lease over");
    }
    let scheduler = &Scheduler::new(engine, consent);
    let shutdown = &shutdown;
    supervised("scheduler", || async move {
        loop {
            if let Err(error) = scheduler.tick().await {
                tracing::error!(%error, "the scheduler failed; it tries again");
            }
            let sleep = tokio::time::sleep(TICK);
            if shutdown.run_until_cancelled(sleep).await.is_none() {
                return scheduler.resign().await;
            }
        }
    })
    .await;
}
