//! Workers: claim tasks, run them, keep their signs of life, take over what dead workers left
//! (reference: platform-api §11; design §7).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use pith_content::ContentError;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{SignedDuration, TaskId};
use pith_store::{Engine as Database, Task, TaskOutcome};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::progress::Progress;
use crate::{Engine, Job, run};

/// Progress is written, and cancellation by other processes looked for, this often.
const TICK: Duration = Duration::from_millis(500);
/// A cancelled job may take this long to end by itself; cancelling is to be felt within a second.
const GRACE: Duration = Duration::from_millis(700);
/// Workers say that they live this often.
const HEARTBEAT: Duration = Duration::from_secs(6);
/// A worker not heard of for this long is dead (reference: platform-api §11.6).
const LOST_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// The net below the wake-ups.
const POLL: Duration = Duration::from_secs(2);
/// A task whose workers died this often is given up.
const MAX_ATTEMPTS: i64 = 3;

/// The running tasks of this process, to cancel them without asking the database.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<TaskId, CancellationToken>>);

impl Running {
    pub(crate) fn cancel(&self, task: TaskId) {
        if let Some(token) = self.0.lock().get(&task) {
            token.cancel();
        }
    }
}

/// What a job did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// `result` of the task.
    pub(crate) result: Value,
    /// A partial failure.
    pub(crate) error: Option<ErrorDetail>,
    /// Tasks it queued.
    pub(crate) spawned: Vec<TaskId>,
}

/// Why a job ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Error(PulpError),
}

impl From<PulpError> for Failure {
    fn from(error: PulpError) -> Self {
        Self::Error(error)
    }
}

/// What a running job has at hand.
pub(crate) struct Run {
    pub(crate) engine: Arc<Engine>,
    pub(crate) task: TaskId,
    pub(crate) cancel: CancellationToken,
    pub(crate) progress: Progress,
}

impl Run {
    /// Drives `work` until it ends or the task is cancelled, which drops it where it stands.
    ///
    /// Once the task is cancelled, every failure is the cancellation: a transfer that was cut off may fail before it is
    /// dropped.
    pub(crate) async fn until_cancelled<T>(
        &self,
        work: impl Future<Output = Result<T, ContentError>>,
    ) -> Result<T, ContentError> {
        match self.cancel.run_until_cancelled(work).await {
            Some(Err(_)) if self.cancel.is_cancelled() => Err(ContentError::Cancelled),
            Some(ended) => ended,
            None => Err(ContentError::Cancelled),
        }
    }
}

/// The name of worker `number` of this process.
fn worker_name(engine: &Engine, number: usize) -> String {
    match engine.store.engine() {
        Database::Sqlite => format!("reserved_resource_worker-{number}@{}", engine.host),
        // Several processes of one host share a PostgreSQL: the process id tells their workers apart.
        Database::Postgres => format!(
            "reserved_resource_worker-{number}-{}@{}",
            std::process::id(),
            engine.host
        ),
    }
}

/// Runs `count` workers until `shutdown` fires; running tasks are then left to be taken over.
///
/// # Errors
/// When what the last process left cannot be looked at.
pub async fn run_workers(
    engine: Arc<Engine>,
    count: usize,
    shutdown: CancellationToken,
) -> Result<(), PulpError> {
    let names: Vec<String> = (0..count)
        .map(|number| worker_name(&engine, number))
        .collect();
    // One process owns an SQLite database, so whatever runs there was left by a process that is gone.
    let since = match engine.store.engine() {
        Database::Sqlite => engine.clock.now(),
        Database::Postgres => before(&engine),
    };
    take_over(&engine, since).await;
    beat(&engine, &names).await;
    let mut tasks = JoinSet::new();
    for name in &names {
        tasks.spawn(claim_loop(
            Arc::clone(&engine),
            name.clone(),
            shutdown.clone(),
        ));
    }
    tasks.spawn(heartbeat_loop(
        Arc::clone(&engine),
        names.clone(),
        shutdown.clone(),
    ));
    tasks.spawn(crate::upkeep::run(Arc::clone(&engine), shutdown.clone()));
    tasks.spawn(crate::room::watch(Arc::clone(&engine), shutdown.clone()));
    tasks.spawn(cancel_loop(Arc::clone(&engine), names.clone(), shutdown));
    while tasks.join_next().await.is_some() {}
    // Whoever is told to stop keeps nobody waiting for what it was at.
    match engine.store.tasks_hand_back(&names).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "gave tasks back that were not done"),
        Err(error) => tracing::warn!(%error, "tasks that are not done wait until they are missed"),
    }
    Ok(())
}

fn before(engine: &Engine) -> pith_core::Timestamp {
    engine
        .clock
        .now()
        .saturating_sub(LOST_AFTER)
        .unwrap_or(pith_core::Timestamp::MIN)
}

async fn take_over(engine: &Engine, since: pith_core::Timestamp) {
    match engine
        .store
        .task_requeue_lost(since, MAX_ATTEMPTS, engine.clock.now())
        .await
    {
        Ok(lost) if !lost.requeued.is_empty() || !lost.given_up.is_empty() => {
            tracing::warn!(
                requeued = lost.requeued.len(),
                given_up = lost.given_up.len(),
                "took over lost tasks"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "cannot look for lost tasks"),
    }
}

async fn beat(engine: &Engine, names: &[String]) {
    let now = engine.clock.now();
    let roles = [
        format!("scheduler@{}", engine.host),
        format!("resource_manager@{}", engine.host),
    ];
    for name in names.iter().chain(&roles) {
        let beat = engine.store.worker_beat(name, now).await;
        if let Err(error) = beat.and(engine.store.task_heartbeat(name, now).await) {
            tracing::error!(%error, worker = name, "cannot say that a worker lives");
        }
    }
}

async fn heartbeat_loop(engine: Arc<Engine>, names: Vec<String>, shutdown: CancellationToken) {
    while shutdown
        .run_until_cancelled(tokio::time::sleep(HEARTBEAT))
        .await
        .is_some()
    {
        beat(&engine, &names).await;
        if engine.store.engine() == Database::Postgres {
            take_over(&engine, before(&engine)).await;
        }
    }
}

/// Cancels what other processes asked to cancel.
async fn cancel_loop(engine: Arc<Engine>, names: Vec<String>, shutdown: CancellationToken) {
    if engine.store.engine() == Database::Sqlite {
        return;
    }
    while shutdown
        .run_until_cancelled(tokio::time::sleep(TICK))
        .await
        .is_some()
    {
        if engine.running.0.lock().is_empty() {
            continue;
        }
        for name in &names {
            for task in engine.store.tasks_to_cancel(name).await.unwrap_or_default() {
                engine.running.cancel(task);
            }
        }
    }
}

async fn claim_loop(engine: Arc<Engine>, name: String, shutdown: CancellationToken) {
    let mut wakeups = engine.store.wakeups();
    while !shutdown.is_cancelled() {
        wakeups.mark_unchanged();
        match engine.store.task_claim(&name, engine.clock.now()).await {
            Ok(Some(task)) => {
                if shutdown
                    .run_until_cancelled(run_task(&engine, task))
                    .await
                    .is_none()
                {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(%error, worker = name, "cannot claim a task"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = wakeups.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Runs one task to its end, and writes that end.
async fn run_task(engine: &Arc<Engine>, task: Task) {
    let cancel = CancellationToken::new();
    engine.running.0.lock().insert(task.id, cancel.clone());
    let progress = Progress::default();
    let run = Run {
        engine: Arc::clone(engine),
        task: task.id,
        cancel: cancel.clone(),
        progress: progress.clone(),
    };
    let span = tracing::info_span!("task", id = %task.id, kind = %task.kind);
    let outcome = {
        let _entered = span.enter();
        tracing::info!(attempt = task.attempt, "task starts");
        drop(_entered);
        if task.attempt > 1 {
            // What a killed attempt staged is not what this one will.
            let _ = engine.store.stage_clear(task.id).await;
        }
        let work = work(run, &task, &cancel);
        with_progress(engine, &progress, task.id, &cancel, work).await
    };
    if let Some(report) = progress.take() {
        let _ = engine.store.task_progress(task.id, &report).await;
    }
    let _ = engine.store.stage_clear(task.id).await;
    engine.running.0.lock().remove(&task.id);
    let outcome = match outcome {
        Ok(done) => TaskOutcome::Finished {
            result: done.result,
            error: done
                .error
                .and_then(|error| serde_json::to_value(error).ok()),
            spawned: done.spawned,
        },
        Err(Failure::Cancelled) => TaskOutcome::Canceled,
        Err(Failure::Error(error)) => {
            span.in_scope(|| tracing::warn!(%error, code = error.code(), "task failed"));
            TaskOutcome::Error {
                detail: serde_json::to_value(&error.detail).ok(),
                traceback: Some(format!("{}: {error}\n", error.code())),
            }
        }
    };
    finish(engine, task.id, &outcome).await;
}

/// Writes a task's end, trying until the database takes it: a task whose end is lost would run again.
async fn finish(engine: &Engine, task: TaskId, outcome: &TaskOutcome) {
    for wait in [50, 200, 1000, 5000] {
        match engine
            .store
            .task_finish(task, outcome, engine.clock.now())
            .await
        {
            Ok(_) | Err(pith_store::StoreError::Missing { .. }) => return,
            Err(error) => tracing::error!(%error, %task, "cannot write the end of a task"),
        }
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}

async fn work(run: Run, task: &Task, cancel: &CancellationToken) -> Result<Done, Failure> {
    let job: Job = serde_json::from_value(task.args.clone()).map_err(|error| {
        PulpError::execution(format!(
            "the task was queued by another version of pith and cannot be read: {error}"
        ))
    })?;
    // In a task of its own, so that a panic in a plugin ends the task and not the worker.
    let mut running = tokio::spawn(run::job(run, job));
    let aborted = running.abort_handle();
    let _abort_on_drop = AbortOnDrop(aborted.clone());
    tokio::select! {
        ended = &mut running => ended.unwrap_or_else(|panic| {
            Err(Failure::Error(PulpError::execution(format!("the task panicked: {panic}"))))
        }),
        () = cancel.cancelled() => {
            // A job that notices by itself still writes what it must; one that does not is stopped.
            if tokio::time::timeout(GRACE, &mut running).await.is_err() {
                aborted.abort();
                let _ = running.await;
            }
            Err(Failure::Cancelled)
        }
    }
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Drives `work` while writing progress.
async fn with_progress<T>(
    engine: &Engine,
    progress: &Progress,
    task: TaskId,
    cancel: &CancellationToken,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    loop {
        tokio::select! {
            biased;
            ended = &mut work => return ended,
            _ = tick.tick() => {
                if let Some(report) = progress.take()
                    && let Ok(true) = engine.store.task_progress(task, &report).await
                {
                    cancel.cancel();
                }
            }
        }
    }
}
