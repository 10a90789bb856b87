//! Workers: claim tasks, run them, keep their signs of life, take over what dead workers left (pulp2/tasks).

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use pith_core::{SignedDuration, TaskId, Timestamp};
use pith_store::{Backend, Fence, StoreError, Task, TaskOutcome};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::attempt::{Done, Ends, Run, failed};
use crate::error::Error;
use crate::kinds::{Kinds, RegisteredKind};
use crate::progress::Progress;
use crate::supervise::{said, supervised};
use crate::{Engine, acting, memory};

/// Progress is written, and cancellation by other processes looked for, this often.
const TICK: Duration = Duration::from_millis(500);
/// A cancelled job may take this long to end by itself; cancelling is to be felt within a second.
const GRACE: Duration = Duration::from_millis(700);
/// A worker not heard of for this long is dead (pulp2/tasks#workers).
pub const LOST_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Workers say that they live this often in the time after which they are dead.
const BEATS: u32 = 5;
/// The net below the wake-ups.
const POLL: Duration = Duration::from_secs(2);
/// A task whose workers died this often is given up.
const MAX_ATTEMPTS: i64 = 3;
/// A task waits so long when its process died once for lack of memory, or twice for whatever reason: it may be what kills them.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// The end of a task is written again this soon when the database refused it, and at last this seldom.
const REWRITE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The running tasks of this process, to cancel them without asking the database.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashMap<Fence, CancellationToken>>);

impl Running {
    pub(crate) fn cancel(&self, task: TaskId) {
        for (fence, token) in self.0.lock().iter() {
            if fence.task == task {
                token.cancel();
            }
        }
    }

    fn supersede(&self, fence: Fence) {
        if let Some(token) = self.0.lock().get(&fence) {
            token.cancel();
        }
    }

    /// Lists a task for as long as the answer lives.
    fn list(&self, fence: Fence, cancel: CancellationToken) -> Listed<'_> {
        self.0.lock().insert(fence, cancel);
        Listed(self, fence)
    }

    /// The number of running tasks.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    fn fences(&self) -> Vec<Fence> {
        self.0.lock().keys().copied().collect()
    }
}

/// A running task in the list; gone from it with this value, however the task ends.
struct Listed<'a>(&'a Running, Fence);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

/// The name of worker `number` of this process.
fn worker_name(engine: &Engine, number: usize) -> String {
    match engine.store.backend() {
        Backend::Sqlite => format!("reserved_resource_worker-{number}@{}", engine.host),
        // Several processes of one host share a PostgreSQL: the process id tells their workers apart.
        Backend::Postgres => format!(
            "reserved_resource_worker-{number}-{}@{}",
            std::process::id(),
            engine.host
        ),
    }
}

/// A part of the workers, begun with what it needs.
type Loop = Box<dyn Fn(Arc<Engine>, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync>;

/// Runs `count` workers until `shutdown` fires; running tasks are then left to be taken over.
///
/// # Errors
/// When what the last process left cannot be looked at.
pub async fn run_workers(
    engine: Arc<Engine>,
    kinds: Arc<Kinds>,
    count: usize,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    // One more than was asked for leaves work on feeds to the others: however many of those wait for a slow server, a publish goes
    // on.
    let lanes = if count == 0 { 0 } else { count + 1 };
    engine.figures.has_workers(lanes);
    let names: Vec<String> = (0..lanes)
        .map(|number| worker_name(&engine, number))
        .collect();
    let ran_out = memory::has_run_out(&engine).await;
    // One process owns an SQLite database, so whatever runs there was left by a process that is gone.
    let since = match engine.store.backend() {
        Backend::Sqlite => engine.clock.now(),
        Backend::Postgres => before(&engine),
    };
    take_over(&engine, since, ran_out).await;
    end_claims(&engine).await;
    beat(&engine, &names[..count]).await;
    let mut tasks = JoinSet::new();
    for (part, work) in loops(&kinds, &names, count) {
        let (engine, shutdown) = (Arc::clone(&engine), shutdown.clone());
        let begin = move || work(Arc::clone(&engine), shutdown.clone());
        tasks.spawn(async move { supervised(part, begin).await });
    }
    while tasks.join_next().await.is_some() {}
    // Whoever is told to stop keeps nobody waiting for what it was at.
    match engine.store.tasks_hand_back(&names).await {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "gave tasks back that were not done"),
        Err(error) => tracing::warn!(%error, "tasks that are not done wait until they are missed"),
    }
    Ok(())
}

/// The parts of the workers `names`: of these `count` were asked for, and one more does nothing on feeds.
fn loops(kinds: &Arc<Kinds>, names: &[String], count: usize) -> Vec<(&'static str, Loop)> {
    let mut loops: Vec<(&'static str, Loop)> = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let lane = Lane {
            kinds: Arc::clone(kinds),
            worker: name.clone(),
            left_out: match number == count {
                true => kinds.on_feeds(),
                false => Vec::new(),
            },
        };
        loops.push((
            "worker",
            Box::new(move |engine, stop| claim_loop(engine, lane.clone(), stop).boxed()),
        ));
    }
    // Status lists what was asked for.
    let listed = names[..count].to_vec();
    let all = names.to_vec();
    loops.push((
        "signs of life",
        Box::new(move |engine, stop| heartbeat_loop(engine, listed.clone(), stop).boxed()),
    ));
    loops.push((
        "cancelling",
        Box::new(move |engine, stop| cancel_loop(engine, all.clone(), stop).boxed()),
    ));
    loops.push((
        "upkeep",
        Box::new(|engine, stop| crate::upkeep::run(engine, stop).boxed()),
    ));
    loops.push((
        "watch of the disks",
        Box::new(|engine, stop| crate::room::watch(engine, stop).boxed()),
    ));
    loops
}

/// Ends the claims on files that the last process left when it was killed.
async fn end_claims(engine: &Engine) {
    if engine.store.backend() == Backend::Postgres {
        return;
    }
    if let Err(error) = engine.store.blobs_end_claims().await {
        tracing::error!(%error, "cannot end the deletions that the last process left");
    }
}

fn before(engine: &Engine) -> Timestamp {
    let now = engine.clock.now();
    now.saturating_sub(engine.lost_after)
        .unwrap_or(Timestamp::MIN)
}

/// Takes over the tasks of which nothing was heard since then. A process that died once may have been killed by its operator,
/// and the task goes on at once, unless it is known that memory `ran_out`.
async fn take_over(engine: &Engine, since: Timestamp, ran_out: bool) {
    let pause = |deaths| match (deaths, ran_out) {
        (1, false) => SignedDuration::ZERO,
        (deaths, _) => PAUSE * i32::try_from(deaths).unwrap_or(1),
    };
    let now = engine.clock.now();
    let lost = engine
        .store
        .task_requeue_lost(since, (MAX_ATTEMPTS, pause), now);
    match lost.await {
        Ok(lost) if !lost.requeued.is_empty() || !lost.given_up.is_empty() => {
            tracing::warn!(
                requeued = lost.requeued.len(),
                given_up = lost.given_up.len(),
                ran_out_of_memory = ran_out,
                "took over lost tasks"
            );
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, "cannot look for lost tasks"),
    }
}

/// Says that the workers and their tasks live; whether the database took it. A task that another worker has taken over
/// meanwhile is stopped.
async fn beat(engine: &Engine, names: &[String]) -> bool {
    let now = engine.clock.now();
    let roles = [
        format!("scheduler@{}", engine.host),
        format!("resource_manager@{}", engine.host),
    ];
    let fences = engine.running.fences();
    let said = async {
        for late in engine.store.task_heartbeats(&fences, now).await? {
            engine.running.supersede(late);
        }
        for name in names.iter().chain(&roles) {
            engine.store.worker_beat(name, now).await?;
        }
        Ok::<_, StoreError>(())
    };
    let said = said.await;
    if let Err(error) = &said {
        tracing::error!(%error, "cannot say that the workers live");
    }
    said.is_ok()
}

async fn heartbeat_loop(engine: Arc<Engine>, names: Vec<String>, shutdown: CancellationToken) {
    let pause = engine.lost_after.unsigned_abs() / BEATS;
    let mut last_beat = engine.clock.now();
    let mut steady_since = Timestamp::MIN;
    while shutdown
        .run_until_cancelled(tokio::time::sleep(pause))
        .await
        .is_some()
    {
        let now = engine.clock.now();
        // Whoever was away himself, or without the database, gives the others time to be heard.
        if now.duration_since(last_beat) > engine.lost_after {
            steady_since = now;
        }
        if beat(&engine, &names).await {
            last_beat = now;
        }
        let steady = now.duration_since(steady_since) >= engine.lost_after;
        if steady && engine.store.backend() == Backend::Postgres {
            take_over(&engine, before(&engine), false).await;
        }
    }
}

/// Cancels what other processes asked to cancel.
async fn cancel_loop(engine: Arc<Engine>, names: Vec<String>, shutdown: CancellationToken) {
    if engine.store.backend() == Backend::Sqlite {
        return;
    }
    while shutdown
        .run_until_cancelled(tokio::time::sleep(TICK))
        .await
        .is_some()
    {
        if engine.running.is_empty() {
            continue;
        }
        for name in &names {
            for task in engine.store.tasks_to_cancel(name).await.unwrap_or_default() {
                engine.running.cancel(task);
            }
        }
    }
}

/// A worker's name and work.
#[derive(Clone)]
struct Lane {
    kinds: Arc<Kinds>,
    worker: String,
    /// Task types that are left to others.
    left_out: Vec<&'static str>,
}

async fn claim_loop(engine: Arc<Engine>, lane: Lane, shutdown: CancellationToken) {
    let name = lane.worker.as_str();
    let mut wakeups = engine.store.wakeups();
    while !shutdown.is_cancelled() {
        wakeups.mark_unchanged();
        let now = engine.clock.now();
        let claimed = match lane.left_out.as_slice() {
            [] => engine.store.task_claim(name, now).await,
            kinds => engine.store.task_claim_but(name, kinds, now).await,
        };
        match claimed {
            Ok(Some(task)) => {
                if shutdown
                    .run_until_cancelled(run_task(&engine, &lane.kinds, task))
                    .await
                    .is_none()
                {
                    return;
                }
                continue;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, worker = name, "cannot claim a task");
                if engine.makes_way_after(&error).await {
                    tokio::time::sleep(TICK).await;
                    continue;
                }
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = wakeups.changed() => {}
            () = tokio::time::sleep(POLL) => {}
        }
    }
}

/// Runs one task to its end, and writes that end.
async fn run_task(engine: &Arc<Engine>, kinds: &Arc<Kinds>, task: Task) {
    let fence = task.fence();
    let ended = AssertUnwindSafe(run_claimed(engine, kinds, task)).catch_unwind();
    if let Err(panic) = ended.await {
        // Nobody else would end it: its worker lives.
        let said = said(panic.as_ref());
        tracing::error!(task = %fence.task, "the worker panicked: {said}: please report it");
        until_written(engine, fence, &failed(&(kinds.told)(&fault()))).await;
    }
}

async fn run_claimed(engine: &Arc<Engine>, kinds: &Arc<Kinds>, task: Task) {
    let (fence, cancel) = (task.fence(), CancellationToken::new());
    let _listed = engine.running.list(fence, cancel.clone());
    let ends = Ends {
        engine: Arc::clone(engine),
        told: kinds.told,
    };
    let kind = kinds.of(&task.args);
    let run = Run {
        engine: Arc::clone(engine),
        task: task.id,
        store: engine.store.for_task(fence),
        cancel: cancel.clone(),
        progress: Progress::default(),
        ends: ends.clone(),
        ended: Arc::default(),
        asks_feeds: kind.as_ref().is_ok_and(|kind| kind.on_feeds),
    };
    let (progress, written) = (run.progress.clone(), Arc::clone(&run.ended));
    let task_type = kind.as_ref().ok().map(|kind| kind.task_type);
    let span = tracing::info_span!("task", id = %task.id, kind = %task.kind);
    span.in_scope(|| tracing::info!(attempt = task.attempt, "task starts"));
    let work = work(run, kind, &task, &cancel);
    let ended = with_progress(engine, &progress, fence, &cancel, work).await;
    engine.figures.ended(task_type, &ended);
    if let Err(error) = &ended {
        span.in_scope(|| ends.log(error));
    }
    if !written.load(Ordering::Acquire) {
        if let Some(report) = progress.unwritten() {
            let _ = engine.store.task_progress(fence, &report.document).await;
        }
        let outcome = ended.map_or_else(|error| ends.of(&error), |done| done.outcome());
        until_written(engine, fence, &outcome).await;
    }
}

/// Writes a task's end, trying until the database takes it: until then its repository is not free.
async fn until_written(engine: &Engine, fence: Fence, outcome: &TaskOutcome) {
    let (mut wait, most) = REWRITE;
    loop {
        let now = engine.clock.now();
        match engine.store.task_finish(fence, outcome, now).await {
            Ok(_) => return,
            Err(error @ StoreError::Superseded(_)) => {
                tracing::warn!(%error, "the worker was late and has changed nothing");
                return;
            }
            Err(error) => {
                tracing::error!(%error, task = %fence.task, "cannot write the end of a task; trying again");
                engine.makes_way_after(&error).await;
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(most);
    }
}

/// A fault of pith's own. What a panic says is for the log: it may be made of what somebody sent.
fn fault() -> Error {
    Error::fault(
        "pith failed on what it was given, which is a fault of pith: please report it with the log of this task",
    )
}

/// Runs a job to its end, unless there is no room for what it adds.
async fn in_room(kind: RegisteredKind, run: Run, args: Value) -> Result<Done, Error> {
    if kind.adds {
        run.engine.require_room()?;
    }
    kind.work.run(run, args).await
}

async fn work(
    run: Run,
    kind: Result<RegisteredKind, Error>,
    task: &Task,
    cancel: &CancellationToken,
) -> Result<Done, Error> {
    let kind = kind?;
    if task.attempt > 1 {
        run.store.stage_clear_earlier().await?;
    }
    // In a task of its own, so that a panic in a plugin ends the task and not the worker.
    let job = in_room(kind, run, task.args.clone());
    let mut running = match acting::is_marked(&task.args) {
        true => tokio::spawn(acting::on_behalf(false, job)),
        false => tokio::spawn(job),
    };
    let aborted = running.abort_handle();
    let _abort_on_drop = AbortOnDrop(aborted.clone());
    tokio::select! {
        ended = &mut running => ended.unwrap_or_else(|panic| {
            tracing::error!(task = %task.id, "the task panicked: {panic}: please report it");
            Err(fault())
        }),
        () = cancel.cancelled() => {
            // A job that notices by itself still writes what it must; one that does not is stopped.
            if tokio::time::timeout(GRACE, &mut running).await.is_err() {
                aborted.abort();
                let _ = running.await;
            }
            Err(Error::Cancelled)
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
    fence: Fence,
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
                let Some(report) = progress.unwritten() else { continue };
                let told = engine.store.task_progress(fence, &report.document).await;
                if told.is_ok() {
                    progress.written(&report);
                }
                if matches!(told, Ok(true) | Err(StoreError::Superseded(_))) {
                    cancel.cancel();
                }
            }
        }
    }
}
