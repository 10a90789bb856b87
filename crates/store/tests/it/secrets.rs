//! Secrets are sealed where they lie, and nowhere else.

use std::sync::Arc;

use pith_core::{ObjectId, TaskId};
use pith_store::{Importer, NewTask, Schedule, ScheduleOwner, Seal, Store, StoreError};
use serde_json::{Value, json};

use crate::fixture::{Fixture, REPO, distributor, document};
use crate::on_both_engines;

on_both_engines!(
    what_was_there_before_the_key_is_sealed_with_it,
    what_another_key_sealed_is_kept_until_somebody_has_it_forgotten,
);

/// A key that anybody could break.
pub(crate) struct Weak(pub(crate) &'static str);

impl Seal for Weak {
    fn id(&self) -> String {
        self.0.to_owned()
    }

    fn seal(&self, name: &str, text: &str) -> Result<String, String> {
        let hidden: String = text.chars().rev().collect();
        Ok(format!("{} {name} {hidden}", self.0))
    }

    fn open(&self, name: &str, sealed: &str) -> Result<String, String> {
        let hidden = sealed.strip_prefix(&format!("{} {name} ", self.0));
        let hidden = hidden.ok_or("it was sealed with another key")?;
        Ok(hidden.chars().rev().collect())
    }
}

fn config() -> Value {
    json!({
        "feed": "http://a.example/p?T0ken", "proxy_host": "http://proxy.example", "basic_auth_username": "bob",
        "basic_auth_password": "sesame", "query_auth_token": 5, "ssl_client_key": null,
    })
}

fn args() -> Value {
    json!({"job": "sync", "repo_id": REPO, "override_config": config()})
}

/// An importer, a distributor, a schedule and a task with secrets.
async fn fill(f: &Fixture, store: &Store) -> ObjectId {
    f.repository(REPO).await;
    let importer = Importer {
        repo_id: REPO.to_owned(),
        oid: ObjectId::new(f.now()),
        type_id: "yum_importer".to_owned(),
        config: document(config()),
        scratchpad: None,
        last_sync: None,
        last_updated: f.now(),
        last_override: Some(document(config())),
    };
    store.importer_set(&importer).await.unwrap();
    let mut distributor = distributor(REPO, "d", f.now());
    distributor.config = document(config());
    distributor.last_override = Some(document(config()));
    store.distributor_create(&distributor).await.unwrap();
    let schedule = Schedule {
        oid: ObjectId::new(f.now()),
        resource: "pulp:importer:fedora:yum_importer".to_owned(),
        owner: ScheduleOwner::Importer {
            repo_id: REPO.to_owned(),
        },
        task: "sync".to_owned(),
        args: json!([]),
        kwargs: document(json!({"overrides": config()})),
        schedule: "P1D".to_owned(),
        first_run: "2016-01-01T00:00:00Z".to_owned(),
        enabled: true,
        failure_threshold: None,
        consecutive_failures: 0,
        total_run_count: 0,
        remaining_runs: None,
        last_run_at: None,
        last_updated: f.now(),
        due: None,
        maker: None,
    };
    store.schedule_create(&schedule).await.unwrap();
    let task = NewTask {
        id: TaskId::new(),
        kind: "sync".to_owned(),
        args: args(),
        tags: vec![],
        resources: vec![],
        group: None,
    };
    store.task_enqueue(&task).await.unwrap();
    schedule.oid
}

/// All that is in the database with secrets in it, as `store` reads it.
async fn read(store: &Store, schedule: &ObjectId) -> Result<Vec<Value>, StoreError> {
    let importer = store.importer_get(REPO).await?.unwrap();
    let schedule = store.schedule_get(schedule).await?.unwrap();
    let distributor = store.distributor_get(REPO, "d").await?.unwrap();
    Ok(vec![
        Value::Object(distributor.config),
        Value::Object(distributor.last_override.unwrap()),
        Value::Object(importer.config),
        Value::Object(importer.last_override.unwrap()),
        schedule.kwargs["overrides"].clone(),
    ])
}

async fn what_was_there_before_the_key_is_sealed_with_it(f: Fixture) {
    let schedule = fill(&f, &f.store).await;
    let keyed = f.other().await;
    keyed
        .secrets_use(Arc::new(Weak("one")), false)
        .await
        .unwrap();
    // Nor does the file of SQLite keep it in free pages.
    if let Some(file) = f.url.strip_prefix("sqlite://") {
        keyed.checkpoint().await.unwrap();
        let bytes = std::fs::read(file).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|at| at == text);
        assert!(has(b"pith-sealed") && !has(b"sesame") && !has(b"T0ken"));
    }
    // Without the key there is nothing to be had, and what is no secret is there for queries.
    assert!(matches!(
        read(&f.store, &schedule).await,
        Err(StoreError::Sealed(_))
    ));
    let id = f.store.task_list(&[]).await.unwrap().remove(0).id;
    let listed = f.store.tasks_by_ids(&[id]).await.unwrap();
    let listed = listed[0].args.to_string();
    assert!(
        !listed.contains("sesame") && !listed.contains("T0ken"),
        "{listed}"
    );
    assert!(
        listed.contains("bob") && listed.contains("http://proxy.example"),
        "{listed}"
    );
    for store in [keyed, f.other().await] {
        // A second start finds all of it done.
        let used = store.secrets_use(Arc::new(Weak("one")), false).await;
        assert!(used.is_ok() || store.secrets_key().await.unwrap().is_some());
        for found in read(&store, &schedule).await.unwrap() {
            assert_eq!(found, config());
        }
        if let Some(task) = store.task_claim("w", f.now()).await.unwrap() {
            assert_eq!(task.args, args());
        }
    }
}

async fn what_another_key_sealed_is_kept_until_somebody_has_it_forgotten(f: Fixture) {
    f.store
        .secrets_use(Arc::new(Weak("one")), false)
        .await
        .unwrap();
    let schedule = fill(&f, &f.store).await;
    let other = f.other().await;
    let refused = other.secrets_use(Arc::new(Weak("two")), false).await;
    assert!(matches!(refused, Err(StoreError::Sealed(_))));
    for found in read(&f.store, &schedule).await.unwrap() {
        assert_eq!(found, config());
    }
    other
        .secrets_use(Arc::new(Weak("two")), true)
        .await
        .unwrap();
    for found in read(&other, &schedule).await.unwrap() {
        assert_eq!(found["basic_auth_username"], "bob");
        assert_eq!(found["basic_auth_password"], Value::Null);
        assert_eq!(found["feed"], Value::Null);
    }
    assert_eq!(other.secrets_key().await.unwrap().as_deref(), Some("two"));
}
