use pith_store::{Store, StoreError};

use crate::fixture::Fixture;
use crate::on_both_engines;

on_both_engines!(
    a_second_start_changes_nothing,
    several_processes_may_start_at_once,
    wake_up_calls_arrive
);

async fn a_second_start_changes_nothing(f: Fixture) {
    f.repository("a").await;
    let again = f.other().await;
    assert_eq!(again.repository_list(None).await.unwrap().len(), 1);
    again.ping().await.unwrap();
}

/// On PostgreSQL these are processes; on SQLite the same code must wait for its own lock.
async fn several_processes_may_start_at_once(f: Fixture) {
    let starts = (0..4).map(|_| f.other());
    let stores: Vec<Store> = futures::future::join_all(starts).await;
    for store in stores {
        let seen = store.setting_get_or_set("seen", &true.into()).await;
        assert_eq!(seen.unwrap(), true);
    }
}

async fn wake_up_calls_arrive(f: Fixture) {
    let other = if f.store.backend() == pith_store::Backend::Postgres {
        f.other().await
    } else {
        f.store.clone()
    };
    let mut wakeups = other.wakeups();
    wakeups.mark_unchanged();
    f.queue().await;
    wakeups.changed().await.unwrap();
}

#[tokio::test]
async fn a_url_of_no_engine_is_refused_with_the_forms_that_work() {
    let clock = std::sync::Arc::new(pith_core::SystemClock);
    for url in [
        "",
        "mysql://localhost/pith",
        "sqlite://",
        "postgres://[",
        "postgres://user:hush@[/name",
        "mysql://user:hush@host/name",
        "/var/lib/pith.db",
    ] {
        let error = Store::connect(url, clock.clone()).await.unwrap_err();
        assert!(matches!(error, StoreError::BadUrl(_)), "{url}: {error}");
        assert!(error.to_string().contains("sqlite:///"));
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_refuses_a_connection_says_why_at_once() {
    let Some(database) = pith_testkit::postgres::database() else {
        return;
    };
    let clock = std::sync::Arc::new(pith_core::SystemClock);
    let (place, query) = database.url.split_once('?').unwrap_or((&database.url, ""));
    let url = format!("{place}-nowhere?{query}");
    let error = Store::connect(&url, clock).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}
