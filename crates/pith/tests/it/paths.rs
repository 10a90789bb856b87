//! The repository that is served at a path: the one whose settings give it the path, or none that stands in another's way.

use pith_core::Sha256;
use pith_core::task::TaskState;
use pith_store::Task;
use pith_testkit::entitled::EntitlementCa;
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    a_path_that_its_owner_has_left_is_free_for_the_next_at_once,
    no_run_is_served_elsewhere_than_its_settings_say,
    two_distributors_of_one_repository_share_a_path_and_the_last_publish_counts,
    an_override_that_no_setting_could_be_takes_nothing_away,
    an_override_that_no_setting_could_be_is_no_reason_to_skip,
    a_path_has_the_guard_of_whoever_is_served_there,
);

const YUM: &str = "yum_distributor";

async fn start(on: On) -> Option<Harness> {
    let h = Harness::start(on).await?;
    for repo in ["a", "b"] {
        h.repository(repo, "rpm", "/none/", json!({})).await;
    }
    Some(h)
}

async fn move_to(h: &Harness, repo: &str, path: &str) -> Task {
    change(h, repo, json!({"relative_url": path})).await
}

async fn change(h: &Harness, repo: &str, settings: Value) -> Task {
    let body = json!({"distributor_config": settings});
    let body = serde_json::from_value(body).unwrap();
    let task = h.pulp.distributor_update(repo, YUM, &body).await.unwrap();
    h.ended(task).await
}

/// The repository and the distributor that are served at a path below `pulp/repos`.
async fn served_at(h: &Harness, path: &str) -> Option<(String, String)> {
    let mounts = h.engine.store.mounts_all().await.unwrap();
    let prefix = format!("pulp/repos/{path}");
    let mount = mounts.into_iter().find(|mount| mount.prefix == prefix)?;
    Some((mount.repo_id?, mount.distributor_id))
}

/// The guard of a path below `pulp/repos` that is served.
async fn guard_at(h: &Harness, path: &str) -> Option<Sha256> {
    let mounts = h.engine.store.mounts_all().await.unwrap();
    let prefix = format!("pulp/repos/{path}");
    let mount = mounts.into_iter().find(|mount| mount.prefix == prefix);
    mount.unwrap().guard
}

fn owner(repo: &str, distributor: &str) -> Option<(String, String)> {
    Some((repo.to_owned(), distributor.to_owned()))
}

fn assert_finished(task: &Task, result: &str) {
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(task.result["result"], result, "{task:?}");
}

async fn a_path_that_its_owner_has_left_is_free_for_the_next_at_once(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    let refused = move_to(&h, "b", "a").await;
    assert_eq!(refused.state, TaskState::Error, "{refused:?}");
    assert_eq!(move_to(&h, "a", "z").await.state, TaskState::Finished);
    assert_eq!(move_to(&h, "b", "a").await.state, TaskState::Finished);
    assert_eq!(served_at(&h, "a").await, owner("a", YUM), "until then");
    assert_finished(&h.publish("b", YUM, json!({})).await, "success");
    assert_eq!(served_at(&h, "a").await, owner("b", YUM));
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    assert_eq!(served_at(&h, "z").await, owner("a", YUM));
    assert_eq!(served_at(&h, "a").await, owner("b", YUM));
}

async fn an_override_that_no_setting_could_be_takes_nothing_away(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    for wrong in [
        json!({"relative_url": "../x"}),
        json!({"http": "x"}),
        json!({"http": false, "https": false}),
        json!({"force_full": "yes"}),
        json!({"remove_old_repodata_threshold": "x"}),
    ] {
        let task = h.publish("a", YUM, wrong.clone()).await;
        assert_eq!(task.state, TaskState::Error, "{wrong}: {task:?}");
        assert_eq!(served_at(&h, "a").await, owner("a", YUM), "{wrong}");
    }
    let other = json!({"of_another_program": 1});
    assert_finished(&h.publish("a", YUM, other).await, "success");
}

async fn an_override_that_no_setting_could_be_is_no_reason_to_skip(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    // As a version left it that took everything.
    let wrong = json!({"relative_url": "../x"});
    let taken = serde_json::from_value(wrong.clone()).unwrap();
    let (store, now) = (&h.engine.store, h.engine.clock.now());
    let noted = store.distributor_set_last_publish("a", YUM, now, Some(&taken));
    noted.await.unwrap();
    let task = h.publish("a", YUM, wrong).await;
    assert_eq!(task.state, TaskState::Error, "{task:?}");
    assert_eq!(served_at(&h, "a").await, owner("a", YUM));
}

async fn no_run_is_served_elsewhere_than_its_settings_say(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    assert_finished(&h.publish("b", YUM, json!({})).await, "success");
    for asked in ["a", "a/b", "c/d", "b/c"] {
        let task = h.publish("b", YUM, json!({"relative_url": asked})).await;
        assert_eq!(task.state, TaskState::Error, "{asked}: {task:?}");
        let error = task.error.unwrap().to_string();
        assert!(
            error.contains("save that in the settings"),
            "{asked}: {error}"
        );
    }
    assert_eq!(served_at(&h, "b").await, owner("b", YUM));
    let same = json!({"relative_url": "b"});
    assert_finished(&h.publish("b", YUM, same).await, "success");
}

async fn add(h: &Harness, repo: &str, id: &str, path: &str) {
    let wanted = json!({
        "distributor_id": id,
        "distributor_type_id": YUM,
        "distributor_config": {"http": true, "https": true, "relative_url": path},
    });
    let wanted = serde_json::from_value(wanted).unwrap();
    h.pulp.distributor_create(repo, &wanted).await.unwrap();
}

async fn two_distributors_of_one_repository_share_a_path_and_the_last_publish_counts(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    add(&h, "a", "second", "a").await;
    for id in [YUM, "second", YUM] {
        assert_finished(&h.publish("a", id, Value::Null).await, "success");
        assert_eq!(served_at(&h, "a").await, owner("a", id));
    }
    assert_finished(&h.publish("a", YUM, Value::Null).await, "skipped");
    assert_eq!(served_at(&h, "a").await, owner("a", YUM));
}

async fn a_path_has_the_guard_of_whoever_is_served_there(on: On) {
    let Some(h) = start(on).await else {
        return;
    };
    let authorities = EntitlementCa::new("a").unwrap().pem();
    let digest = Sha256::of(authorities.as_bytes());
    let guard = Some(digest);
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    assert_eq!(guard_at(&h, "a").await, None);
    let changed = change(&h, "a", json!({"auth_ca": authorities})).await;
    assert_eq!(changed.state, TaskState::Finished, "{changed:?}");
    assert_eq!(guard_at(&h, "a").await, guard);
    assert_eq!(move_to(&h, "a", "z").await.state, TaskState::Finished);
    assert_eq!(move_to(&h, "b", "a").await.state, TaskState::Finished);
    assert_eq!(guard_at(&h, "a").await, guard, "until then");
    assert_finished(&h.publish("b", YUM, json!({})).await, "success");
    assert_eq!(guard_at(&h, "a").await, None);
    assert_finished(&h.publish("a", YUM, json!({})).await, "success");
    assert_eq!(guard_at(&h, "z").await, guard);
    let named = h.engine.guard_authorities(digest).await.unwrap();
    assert_eq!(named, Some(authorities));
    // As an older version has left it.
    let unset = h.engine.store.distributor_set_guard("a", YUM, None);
    unset.await.unwrap();
    assert_eq!(guard_at(&h, "z").await, None);
    assert_eq!(h.pulp.guards_restore().await.unwrap(), 1);
    assert_eq!(guard_at(&h, "z").await, guard);
}
