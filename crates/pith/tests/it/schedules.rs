//! Schedules and housekeeping by a clock that the tests move.

use std::sync::Arc;

use pith_core::clock::SignedDuration;
use pith_core::task::TaskState;
use pith_core::{Document, ManualClock, Network, TaskId};
use pith_engine::Scheduler;
use pith_pulp::auth::{Authenticator, Principal};
use pith_pulp::error::told;
use pith_pulp::people::Way;
use pith_pulp::schedules::Target;
use pith_store::{HistoryKind, HistoryQuery, Task};
use serde_json::{Value, json};

use crate::harness::{Harness, On, put_files};

crate::on_both!(
    a_schedule_syncs_and_publishes_when_its_time_comes,
    what_was_missed_runs_once,
    of_two_schedulers_one_works_and_each_run_is_one_task,
    a_schedule_ends_after_its_last_run,
    a_schedule_that_keeps_failing_is_switched_off,
    a_changed_interval_begins_anew_and_keeps_its_counts,
    a_publish_is_scheduled_with_its_override,
    a_removed_importer_takes_its_schedules_along,
    a_schedule_ends_with_the_right_of_who_made_it,
    what_is_old_is_forgotten,
);

const SYNC: Target<'static> = Target::Sync {
    repo_id: "files",
    importer_id: "iso_importer",
};
const PUBLISH: Target<'static> = Target::Publish {
    repo_id: "files",
    distributor_id: "iso_distributor",
};

const REAPER: &str = "pulp.server.db.reaper.reap_expired_documents";

struct Timed {
    h: Harness,
    clock: Arc<ManualClock>,
    scheduler: Scheduler,
}

impl Timed {
    /// At noon of the first day of 2016, with a repository of one file.
    async fn start(on: On) -> Option<Self> {
        let clock = Arc::new(ManualClock::new("2016-01-01T12:00:00Z".parse().unwrap()));
        let h = Harness::start_at(on, clock.clone()).await?;
        put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
        h.repository("files", "iso", "/f/", json!({})).await;
        let scheduler = Scheduler::new(Arc::clone(&h.engine), h.pulp.clone());
        Some(Self {
            h,
            clock,
            scheduler,
        })
    }

    async fn schedule(&self, target: Target<'_>, body: Value) -> String {
        self.schedule_by(target, body, &Principal::System).await
    }

    async fn schedule_by(&self, target: Target<'_>, body: Value, by: &Principal) -> String {
        let body = object(body);
        let made = self.h.pulp.schedule_create(target, &body, by).await;
        made.unwrap()["_id"].as_str().unwrap().to_owned()
    }

    async fn read(&self, target: Target<'_>, id: &str) -> Value {
        self.h.pulp.schedule_read(target, id).await.unwrap()
    }

    /// Moves the clock, lets the scheduler look, and waits for the tasks that schedules queued, and theirs.
    async fn after(&self, hours: i64) -> Vec<Task> {
        let mut tasks = self.all_after(hours).await;
        tasks.retain(|task| task.kind != REAPER);
        tasks
    }

    async fn all_after(&self, hours: i64) -> Vec<Task> {
        let before = self.tasks().await;
        self.clock.advance(SignedDuration::from_hours(hours));
        assert!(self.scheduler.tick().await.unwrap());
        self.ended_since(&before).await
    }

    async fn tasks(&self) -> Vec<TaskId> {
        let tasks = self.h.engine.store.task_list(&[]).await.unwrap();
        tasks.into_iter().map(|task| task.id).collect()
    }

    async fn ended_since(&self, before: &[TaskId]) -> Vec<Task> {
        let mut ended: Vec<Task> = Vec::new();
        loop {
            let known = ended.len();
            for id in self.tasks().await {
                if !before.contains(&id) && ended.iter().all(|task| task.id != id) {
                    ended.push(self.h.ended(id).await);
                }
            }
            if ended.len() == known {
                return ended;
            }
        }
    }

    async fn entries(&self, kind: HistoryKind) -> usize {
        let query = HistoryQuery {
            repo_id: "files",
            ..HistoryQuery::default()
        };
        let found = self.h.engine.store.history_list(kind, &query).await;
        found.unwrap().len()
    }
}

fn object(value: Value) -> Document {
    serde_json::from_value(value).unwrap()
}

async fn a_schedule_syncs_and_publishes_when_its_time_comes(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let body = json!({"schedule": "2016-01-01T14:00:00+01:00/PT2H"});
    let id = t.schedule(SYNC, body).await;
    assert!(t.after(0).await.is_empty(), "an hour too early");
    assert_eq!(t.read(SYNC, &id).await["next_run"], "2016-01-01T13:00:00Z");
    let tasks = t.after(1).await;
    assert_eq!(tasks[0].kind, "pulp.server.managers.repo.sync.sync");
    assert_eq!(tasks[0].state, TaskState::Finished);
    assert_eq!(tasks[0].spawned.len(), 1, "auto-publish");
    assert!(t.after(1).await.is_empty());
    let shown = t.read(SYNC, &id).await;
    assert_eq!(shown["total_run_count"], 1);
    assert_eq!(shown["last_run_at"], "2016-01-01T13:00:00Z");
    assert_eq!(shown["next_run"], "2016-01-01T15:00:00Z");
    assert_eq!(shown["first_run"], "2016-01-01T14:00:00+01:00");
    assert_eq!(t.after(1).await.len(), 2, "sync and publish");
}

async fn what_was_missed_runs_once(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let id = t.schedule(SYNC, json!({"schedule": "PT1H"})).await;
    assert_eq!(t.after(0).await.len(), 2, "due at once");
    assert_eq!(t.after(5).await.len(), 2, "one for five hours without");
    assert!(t.after(0).await.is_empty());
    let shown = t.read(SYNC, &id).await;
    assert_eq!(shown["total_run_count"], 2);
    assert_eq!(shown["next_run"], "2016-01-01T18:00:00Z");
}

async fn of_two_schedulers_one_works_and_each_run_is_one_task(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    t.schedule(PUBLISH, json!({"schedule": "PT1H"})).await;
    let other = Scheduler::new(t.h.another_process().await, t.h.pulp.clone());
    for _ in 0..3 {
        let before = t.tasks().await;
        let (one, two) = tokio::join!(t.scheduler.tick(), other.tick());
        assert!(one.unwrap() ^ two.unwrap());
        assert_eq!(t.ended_since(&before).await.len(), 1);
        t.clock.advance(SignedDuration::from_hours(1));
    }
    // An hour of silence: whoever asks first goes on, the other one waits until that falls silent, or resigns.
    assert!(other.tick().await.unwrap());
    assert!(!t.scheduler.tick().await.unwrap());
    other.resign().await;
    assert!(t.scheduler.tick().await.unwrap());
}

async fn a_schedule_ends_after_its_last_run(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let id = t.schedule(PUBLISH, json!({"schedule": "R2/PT1H"})).await;
    assert_eq!(t.after(0).await.len(), 1);
    let shown = t.read(PUBLISH, &id).await;
    assert_eq!(
        (&shown["remaining_runs"], &shown["enabled"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(t.after(1).await.len(), 1);
    let shown = t.read(PUBLISH, &id).await;
    assert_eq!(
        (&shown["remaining_runs"], &shown["enabled"]),
        (&json!(0), &json!(false))
    );
    assert!(t.after(1).await.is_empty());
}

async fn a_schedule_that_keeps_failing_is_switched_off(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let feed = format!("{}/nothere/", t.h.upstream.url());
    let body =
        json!({"schedule": "PT1H", "failure_threshold": 2, "override_config": {"feed": feed}});
    let id = t.schedule(SYNC, body).await;
    assert_eq!(t.after(0).await[0].state, TaskState::Error);
    let shown = t.read(SYNC, &id).await;
    assert_eq!(shown["consecutive_failures"], 1);
    let mend = object(json!({"override_config": {}}));
    t.h.pulp
        .schedule_update(SYNC, &id, &mend, &Principal::System)
        .await
        .unwrap();
    assert_eq!(t.after(1).await[0].state, TaskState::Finished);
    assert_eq!(t.read(SYNC, &id).await["consecutive_failures"], 0);
    let spoil = object(json!({"override_config": {"feed": feed}}));
    t.h.pulp
        .schedule_update(SYNC, &id, &spoil, &Principal::System)
        .await
        .unwrap();
    for _ in 0..2 {
        assert_eq!(t.after(1).await[0].state, TaskState::Error);
    }
    let shown = t.read(SYNC, &id).await;
    assert_eq!(
        (&shown["consecutive_failures"], &shown["enabled"]),
        (&json!(2), &json!(false))
    );
    assert!(t.after(1).await.is_empty());
}

async fn a_changed_interval_begins_anew_and_keeps_its_counts(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let id = t.schedule(PUBLISH, json!({"schedule": "P1D"})).await;
    assert_eq!(t.after(0).await.len(), 1);
    t.clock.advance(SignedDuration::from_hours(1));
    let change = object(json!({"schedule": "R9/PT3H"}));
    let changed =
        t.h.pulp
            .schedule_update(PUBLISH, &id, &change, &Principal::System)
            .await;
    let changed = changed.unwrap();
    assert_eq!(changed["first_run"], "2016-01-01T13:00:00Z");
    assert_eq!(changed["total_run_count"], 1);
    assert_eq!(changed["last_run_at"], "2016-01-01T12:00:00Z");
    assert_eq!(changed["remaining_runs"], 9);
    assert_eq!(t.after(0).await.len(), 1, "the new start is now");
    let again = object(json!({"schedule": "R50/2016-02-01T00:00:00Z/P1M"}));
    let changed =
        t.h.pulp
            .schedule_update(PUBLISH, &id, &again, &Principal::System)
            .await;
    let changed = changed.unwrap();
    assert_eq!(changed["remaining_runs"], 8, "what was set stays");
    assert_eq!(changed["next_run"], "2016-02-01T00:00:00Z");
    assert!(t.after(24).await.is_empty());
    assert_eq!(
        t.after(24 * 40)
            .await
            .iter()
            .filter(|t| t.kind.contains("publish"))
            .count(),
        1
    );
    assert_eq!(
        t.read(PUBLISH, &id).await["next_run"],
        "2016-03-01T00:00:00Z"
    );
}

async fn a_publish_is_scheduled_with_its_override(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    t.h.sync("files").await;
    let plain = t.schedule(PUBLISH, json!({"schedule": "PT1H"})).await;
    let tasks = t.after(1).await;
    assert_eq!(tasks[0].result["result"], "skipped", "{tasks:?}");
    let force = object(json!({"override_config": {"force_full": true}}));
    t.h.pulp
        .schedule_update(PUBLISH, &plain, &force, &Principal::System)
        .await
        .unwrap();
    let tasks = t.after(1).await;
    assert_eq!(tasks[0].result["result"], "success", "{tasks:?}");
}

async fn a_removed_importer_takes_its_schedules_along(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let body = json!({"schedule": "PT1H", "override_config": {"proxy_password": "secret"}});
    let id = t.schedule(SYNC, body).await;
    assert_eq!(
        t.read(SYNC, &id).await["kwargs"]["overrides"]["proxy_password"],
        "*****"
    );
    let other = t.h.pulp.schedule_read(PUBLISH, &id).await.unwrap_err();
    assert_eq!(told(&other).extra["resources"], json!({"schedule_id": id}));
    let removal = t.h.pulp.importer_remove("files", "iso_importer").await;
    t.h.ended(removal.unwrap()).await;
    let gone = t.h.pulp.schedule_read(SYNC, &id).await.unwrap_err();
    assert_eq!(
        told(&gone).extra["resources"],
        json!({"importer_id": "iso_importer"})
    );
    assert!(t.after(1).await.is_empty());
}

async fn a_schedule_ends_with_the_right_of_who_made_it(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    let pulp = &t.h.pulp;
    let authenticator = Authenticator::default();
    let by = async |login: &str| {
        let here = Network::of([127, 0, 0, 1].into());
        let found = authenticator.check(&pulp.engine.store, here, login, "secret");
        found.await.unwrap().unwrap()
    };
    let change = async |way: Way, login: &str| {
        let body = object(
            json!({"login": login, "resource": "/v2/repositories/files/",
            "operations": ["CREATE", "UPDATE"]}),
        );
        pulp.permission_of_user(&body, way).await.unwrap();
    };
    let make = async |login: &str| {
        let body = object(json!({"login": login, "password": "secret"}));
        pulp.user_create(&body).await.unwrap();
        change(Way::Grant, login).await;
    };
    make("goes").await;
    make("loses").await;
    let hourly = json!({"schedule": "PT1H"});
    let goes = t.schedule_by(SYNC, hourly.clone(), &by("goes").await).await;
    let loses = t.schedule_by(SYNC, hourly, &by("loses").await).await;
    assert!(!t.after(1).await.is_empty());
    pulp.user_delete("goes").await.unwrap();
    change(Way::Revoke, "loses").await;
    // Somebody else of the same login.
    make("goes").await;
    assert!(t.after(1).await.is_empty());
    for id in [&goes, &loses] {
        let shown = t.read(SYNC, id).await;
        assert_eq!(shown["enabled"], false, "{shown}");
    }
    // Whoever updates it answers for it.
    let enable = object(json!({"enabled": true}));
    let by = by("goes").await;
    let taken = pulp.schedule_update(SYNC, &goes, &enable, &by).await;
    assert_eq!(taken.unwrap()["enabled"], true);
    assert!(!t.after(1).await.is_empty());
}

async fn what_is_old_is_forgotten(on: On) {
    let Some(t) = Timed::start(on).await else {
        return;
    };
    assert!(
        t.after(0).await.is_empty(),
        "a new server has nothing to forget"
    );
    let sync = t.h.sync("files").await;
    let reaper = t.all_after(6).await;
    assert_eq!(reaper[0].kind, REAPER);
    assert_eq!(reaper[0].tags, ["pulp:action:reaper"]);
    assert_eq!(t.all_after(5).await.len(), 0, "every six hours");
    assert!(t.tasks().await.contains(&sync.id));
    t.after(24 * 8).await;
    assert!(!t.tasks().await.contains(&sync.id), "a week is over");
    assert_eq!(t.entries(HistoryKind::Sync).await, 1);
    assert_eq!(t.entries(HistoryKind::Publish).await, 1);
    t.after(24 * 60).await;
    assert_eq!(t.entries(HistoryKind::Sync).await, 0);
    assert_eq!(t.entries(HistoryKind::Publish).await, 0);
}
