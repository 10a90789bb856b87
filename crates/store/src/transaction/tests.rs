//! Whatever way a transaction ends, the next write works: see `transaction`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures::FutureExt;
use pith_core::{Document, ManualClock, ObjectId, Sha256, TaskId};
use pith_testkit::postgres;
use serde_json::{Value, json};

use crate::db::Db;
use crate::faults::{PLAN, Plan, WAYS, Way};
use crate::{
    Distributor, History, HistoryKind, Importer, NewTask, NewUnit, RepoGroup, Repository,
    RepositoryChange, Result, SavedUnit, Store, StoreError, blobs, unit_save,
};

pub(crate) struct Home {
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
    _database: Option<postgres::Database>,
}

async fn open(url: &str) -> Store {
    let clock = ManualClock::new("2016-01-01T00:00:00Z".parse().unwrap());
    Store::connect(url, Arc::new(clock)).await.unwrap()
}

pub(crate) async fn sqlite() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("pith.db").display());
    Home {
        store: open(&url).await,
        _folder: folder,
        _database: None,
    }
}

pub(crate) async fn postgres() -> Option<Home> {
    let database = postgres::database()?;
    Some(Home {
        store: open(&database.url).await,
        _folder: tempfile::tempdir().unwrap(),
        _database: Some(database),
    })
}

pub(crate) fn repository(store: &Store, id: &str) -> Repository {
    Repository {
        id: id.to_owned(),
        oid: ObjectId::new(store.now()),
        display_name: None,
        description: None,
        notes: Document::new(),
        scratchpad: Document::new(),
        last_unit_added: None,
        last_unit_removed: None,
        version: 0,
    }
}

fn distributor(store: &Store, repo: &str) -> Distributor {
    Distributor {
        repo_id: repo.to_owned(),
        id: "it".to_owned(),
        oid: ObjectId::new(store.now()),
        type_id: "yum_distributor".to_owned(),
        config: Document::new(),
        auto_publish: true,
        last_publish: None,
        last_updated: store.now(),
        last_override: None,
        scratchpad: Document::new(),
        guard: None,
    }
}

fn unit(name: &str, size: usize) -> NewUnit {
    let doc = Document::from_iter([("name".to_owned(), json!("x".repeat(size)))]);
    NewUnit {
        type_id: "rpm".to_owned(),
        key_digest: Sha256::of(name.as_bytes()),
        said: Sha256::of(b"said"),
        site: Sha256([0; 32]),
        doc,
        blob: None,
        size: None,
        downloaded: true,
        parts: Vec::new(),
    }
}

/// Saves units that come into no repository.
async fn save(store: &Store, units: &[NewUnit]) -> Result<Vec<SavedUnit>> {
    let mut tx = store.begin().await?;
    let saved = unit_save::save(&mut tx.inner, units, store.now()).await?;
    tx.commit().await?;
    Ok(saved)
}

/// Notes that a file is here.
async fn record(store: &Store, blob: Sha256) -> Result<()> {
    let mut tx = store.begin().await?;
    blobs::record(&mut tx.inner, vec![(blob, 3)], store.now()).await?;
    tx.commit().await
}

/// Transactions and single statements of several kinds, about things named by `round`.
async fn work(store: &Store, round: &str) -> Result<()> {
    let repo = format!("repo-{round}");
    let new = repository(store, &repo);
    let publishes = [distributor(store, &repo)];
    store.repository_create_full(&new, None, &publishes).await?;
    store.setting_get_or_set(&repo, &json!(round)).await?;
    let units = [
        unit(&format!("a-{round}"), 10),
        unit(&format!("b-{round}"), 10),
    ];
    let saved = save(store, &units).await?;
    let task = NewTask {
        id: TaskId::new(),
        kind: "test".to_owned(),
        args: Value::Null,
        tags: vec![repo.clone()],
        resources: Vec::new(),
        group: None,
    };
    let change = RepositoryChange {
        tasks: vec![task],
        ..RepositoryChange::default()
    };
    let changed = store
        .repository_change(&repo, |_, _| Ok::<_, StoreError>(change))
        .await?;
    assert_eq!(changed.unwrap().id, repo);
    record(store, Sha256::of(repo.as_bytes())).await?;
    store.blobs_condemn(&[Sha256::of(repo.as_bytes())]).await?;
    // A transaction that is given up on purpose.
    let again = store.repository_create(&repository(store, &repo)).await;
    match again {
        Err(StoreError::Duplicate { .. }) => {}
        Err(other) => return Err(other),
        Ok(()) => panic!("the repository was made twice"),
    }
    store
        .units_delete_orphans(&[saved[0].id, saved[1].id])
        .await?;
    store.repository_delete(&repo).await
}

/// Work that must be possible after anything: a single statement, a transaction, a look at what a failed one left.
async fn assert_writes_work(store: &Store, round: &str, what: &str) {
    store
        .execute(crate::dialect::sql("DELETE FROM settings WHERE key = $1").bind(round))
        .await
        .unwrap_or_else(|error| panic!("after {what}: a statement fails: {error}"));
    let next = format!("next-{round}");
    store
        .repository_create(&repository(store, &next))
        .await
        .unwrap_or_else(|error| panic!("after {what}: a transaction fails: {error}"));
    assert!(store.repository_get(&next).await.unwrap().is_some());
    let repo = format!("repo-{round}");
    let distributors = store
        .distributor_list(Some(std::slice::from_ref(&repo)))
        .await
        .unwrap()
        .len();
    let there = store.repository_get(&repo).await.unwrap().is_some();
    assert_eq!(
        distributors,
        usize::from(there),
        "after {what}: half of a transaction is there"
    );
}

/// Lets each statement of [`work`] fail in each way; the number of rounds.
async fn fail_everywhere(store: &Store) -> usize {
    let mut rounds = 0;
    for way in WAYS {
        for at in 0.. {
            let round = format!("{way:?}-{at}");
            let plan = Plan::new(at, way);
            let hung = plan.hung();
            let done = tokio::select! {
                done = PLAN.scope(plan, work(store, &round)) => Some(done),
                // Dropped where it stands.
                () = hung.notified() => None,
            };
            assert_writes_work(store, &round, &round).await;
            rounds += 1;
            if let Some(Ok(())) = done {
                assert!(at > 20, "{at} statements only");
                break;
            }
        }
    }
    rounds
}

/// Drops [`work`] after each number of polls; the number of rounds.
async fn drop_everywhere(store: &Store) -> usize {
    for polls in 1.. {
        let round = format!("polls-{polls}");
        let mut left = polls;
        let done = {
            let mut work = Box::pin(work(store, &round).fuse());
            poll_fn(move |context| match work.poll_unpin(context) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending => {
                    left -= 1;
                    if left == 0 {
                        return Poll::Ready(None);
                    }
                    Poll::Pending
                }
            })
            .await
        };
        assert_writes_work(store, &round, &round).await;
        if let Some(done) = done {
            done.unwrap();
            return polls;
        }
    }
    0
}

fn report(backend: &str, what: &str, rounds: usize) {
    println!("{backend}: {what}: {rounds} rounds, writes that stayed broken: 0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_failed_statement_the_next_write_works_sqlite() {
    let home = sqlite().await;
    report("SQLite", "failures", fail_everywhere(&home.store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_failed_statement_the_next_write_works_postgres() {
    let Some(home) = postgres().await else {
        return;
    };
    report("PostgreSQL", "failures", fail_everywhere(&home.store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_write_that_was_dropped_anywhere_the_next_one_works_sqlite() {
    let home = sqlite().await;
    report("SQLite", "drops", drop_everywhere(&home.store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_write_that_was_dropped_anywhere_the_next_one_works_postgres() {
    let Some(home) = postgres().await else {
        return;
    };
    report("PostgreSQL", "drops", drop_everywhere(&home.store).await);
}

/// SQLite itself finds no room, at each page that the work needs in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_may_not_grow_is_full_until_it_may() {
    let home = sqlite().await;
    let store = &home.store;
    let Db::Sqlite { writer, .. } = &store.inner.db else {
        panic!("not SQLite");
    };
    for room in 0.. {
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(writer)
            .await
            .unwrap();
        let limit = format!("PRAGMA max_page_count = {}", pages + room);
        sqlx::query(sqlx::AssertSqlSafe(limit))
            .execute(writer)
            .await
            .unwrap();
        let units: Vec<NewUnit> = (0..40)
            .map(|number| unit(&format!("{room}-{number}"), 2000))
            .collect();
        let saved = save(store, &units).await;
        if saved.is_ok() {
            assert!(room > 5, "{room} pages were enough");
            report("SQLite", "pages", usize::try_from(room).unwrap());
            return;
        }
        let error = saved.unwrap_err();
        assert!(error.is_full(), "{error}");
        assert!(error.to_string().contains("full"), "{error}");
        // The connection that met the limit is gone, and with it the limit.
        assert_writes_work(store, &room.to_string(), "a full file").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_failed_takes_nothing_more() {
    let home = sqlite().await;
    let store = &home.store;
    let mut tx = store.begin().await.unwrap();
    let plan = Plan::new(0, Way::FullAndRolledBack);
    let statement = || crate::dialect::sql("DELETE FROM settings");
    let failed = PLAN.scope(plan, tx.inner.execute(statement())).await;
    assert!(failed.unwrap_err().is_full());
    // Outside of the transaction, which SQLite has ended, this would count at once.
    let next = tx.inner.execute(statement()).await;
    assert!(matches!(next, Err(StoreError::TransactionOver)));
    assert!(matches!(
        tx.commit().await,
        Err(StoreError::TransactionOver)
    ));
    assert_writes_work(store, "after", "a failed transaction").await;
}

fn history(store: &Store) -> History {
    History {
        oid: ObjectId::new(store.now()),
        repo_id: "r".to_owned(),
        actor_id: "it".to_owned(),
        actor_type: "yum_distributor".to_owned(),
        started: store.now(),
        completed: store.now(),
        result: "success".to_owned(),
        error_message: None,
        exception: None,
        traceback: Value::Null,
        added: None,
        updated: None,
        removed: None,
        summary: Value::Null,
        details: Value::Null,
    }
}

/// Waits until a session of the database waits for another one.
async fn somebody_waits(store: &Store) {
    loop {
        let waiting = crate::dialect::sql(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        );
        if store.optional(waiting).await.unwrap().is_some() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_run_and_what_replaces_its_actor_do_not_wait_in_a_circle() {
    let Some(home) = postgres().await else {
        return;
    };
    let store = &home.store;
    let importer = Importer {
        repo_id: "r".to_owned(),
        oid: ObjectId::new(store.now()),
        type_id: "yum_importer".to_owned(),
        config: Document::new(),
        scratchpad: None,
        last_sync: None,
        last_updated: store.now(),
        last_override: None,
    };
    let distributor = distributor(store, "r");
    let distributors = [distributor.clone()];
    store
        .repository_create_full(&repository(store, "r"), Some(&importer), &distributors)
        .await
        .unwrap();
    let replace = |synced: bool| {
        let (store, importer, distributor) = (store.clone(), importer.clone(), distributor.clone());
        tokio::spawn(async move {
            match synced {
                true => store.importer_set(&importer).await,
                false => store.distributor_create(&distributor).await,
            }
        })
    };
    for synced in [true, false] {
        let whole = store.begin_whole().await.unwrap();
        let now = store.now();
        match synced {
            true => whole.importer_set_last_sync("r", now, None).await,
            false => {
                whole
                    .distributor_set_last_publish("r", "it", now, None)
                    .await
            }
        }
        .unwrap();
        let replaced = replace(synced);
        somebody_waits(store).await;
        let entry = history(store);
        let noted = whole.history_add(HistoryKind::Publish, &entry).await;
        noted.unwrap();
        whole.commit().await.unwrap();
        replaced.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_is_deleted_while_it_joins_a_group_is_left_out() {
    let Some(home) = postgres().await else {
        return;
    };
    let store = &home.store;
    let group = |id: &str| RepoGroup {
        id: id.to_owned(),
        oid: ObjectId::new(store.now()),
        display_name: Value::Null,
        description: Value::Null,
        notes: json!({}),
        members: vec!["r".to_owned()],
    };
    store.group_create(&group("old"), &[]).await.unwrap();
    for id in ["old", "new"] {
        store
            .repository_create(&repository(store, "r"))
            .await
            .unwrap();
        let whole = store.begin_whole().await.unwrap();
        whole.repository_delete("r").await.unwrap();
        let (joining, wanted) = (store.clone(), group(id));
        let joined = tokio::spawn(async move {
            match wanted.id.as_str() {
                "old" => joining.group_join("old", &wanted.members).await.map(drop),
                _ => joining.group_create(&wanted, &[]).await,
            }
        });
        somebody_waits(store).await;
        whole.commit().await.unwrap();
        joined.await.unwrap().unwrap();
        let found = store.group_get(id).await.unwrap().unwrap();
        assert!(found.members.is_empty(), "{id}");
    }
}
