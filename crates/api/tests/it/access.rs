//! People and what they may do: passwords, the first administrator, and how soon a change counts.

use std::sync::Arc;

use pith_core::clock::{Clock, ManualClock};
use pith_core::{Network, ObjectId, Operation};
use pith_pulp::auth::{Authenticator, Principal, ensure_first_admin, hash_password};
use pith_store::{Store, User};

async fn user(clock: &ManualClock, login: &str, password: &str) -> User {
    User {
        login: login.to_owned(),
        oid: ObjectId::new(clock.now()),
        name: None,
        password_hash: Some(hash_password(password.to_owned()).await.unwrap()),
        password_changed: clock.now(),
        roles: Vec::new(),
    }
}

fn here() -> Network {
    Network::of([127, 0, 0, 1].into())
}

async fn store(clock: &Arc<ManualClock>) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/pith.db", folder.path().display());
    let store = Store::connect(&url, clock.clone()).await.unwrap();
    (folder, store)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()))
}

/// Makes, changes or removes ann on a store.
async fn set(store: &Store, user: Option<&User>, rights: &[Operation]) {
    let mut change = store.people_change().await.unwrap();
    match user {
        Some(user) if change.user(&user.login).await.unwrap().is_some() => {
            change.user_save(user).await.unwrap();
        }
        Some(user) => change.user_create(user).await.unwrap(),
        None => assert!(change.user_delete("ann").await.unwrap()),
    }
    if user.is_some() {
        let set = change.operations_set("ann", "/v2/tasks/", rights);
        set.await.unwrap();
    }
    change.commit().await.unwrap();
}

fn may_read(principal: Option<Principal>) -> Option<bool> {
    principal.map(|principal| principal.may(Operation::Read, "/v2/tasks/"))
}

/// The list of all that ann may do with her old and with her new password, when changes are made through `writer`.
async fn changes_count(writer: &Store, reader: &Store, clock: &ManualClock) {
    let authenticator = Authenticator::default();
    let check = |password: &'static str| authenticator.check(reader, here(), "ann", password);
    assert!(check("old").await.unwrap().is_none());
    let ann = user(clock, "ann", "old").await;
    set(writer, Some(&ann), &[Operation::Read]).await;
    assert_eq!(may_read(check("old").await.unwrap()), Some(true));
    assert!(check("new").await.unwrap().is_none());
    set(writer, Some(&ann), &[]).await;
    assert_eq!(may_read(check("old").await.unwrap()), Some(false));
    let ann = User {
        roles: vec!["super-users".to_owned()],
        ..user(clock, "ann", "new").await
    };
    set(writer, Some(&ann), &[]).await;
    assert!(check("old").await.unwrap().is_none());
    assert_eq!(may_read(check("new").await.unwrap()), Some(true));
    set(writer, None, &[]).await;
    assert!(check("new").await.unwrap().is_none());
}

#[tokio::test]
async fn a_changed_password_or_right_counts_at_once() {
    let clock = clock();
    let (_folder, store) = store(&clock).await;
    changes_count(&store, &store, &clock).await;
}

#[tokio::test]
async fn a_changed_password_or_right_counts_at_once_in_another_process_on_postgres() {
    let database = tokio::task::spawn_blocking(pith_testkit::postgres::database).await;
    let Some(database) = database.unwrap() else {
        return;
    };
    let clock = clock();
    let writer = Store::connect(&database.url, clock.clone()).await.unwrap();
    let reader = Store::connect(&database.url, clock.clone()).await.unwrap();
    changes_count(&writer, &reader, &clock).await;
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let clock = clock();
    let (_folder, store) = store(&clock).await;
    let made = ensure_first_admin(&store, clock.as_ref(), None)
        .await
        .unwrap()
        .unwrap();
    assert!(made.len() >= 20);
    let again = ensure_first_admin(&store, clock.as_ref(), Some("x".to_owned())).await;
    assert_eq!(again.unwrap(), None);
    let authenticator = Authenticator::default();
    let principal = authenticator.check(&store, here(), "admin", &made).await;
    let principal = principal.unwrap().unwrap();
    assert!(principal.may(Operation::Delete, "/v2/whatever/"));
}

#[tokio::test]
async fn super_users_of_a_pith_without_permissions_get_theirs() {
    let clock = clock();
    let (_folder, store) = store(&clock).await;
    let ann = User {
        roles: vec!["super-users".to_owned()],
        ..user(&clock, "ann", "ann").await
    };
    set(&store, Some(&ann), &[]).await;
    let made = ensure_first_admin(&store, clock.as_ref(), None).await;
    assert_eq!(made.unwrap(), None);
    let on_all = store.permissions_list(Some("/")).await.unwrap();
    assert_eq!(
        on_all[0].users,
        [("ann".to_owned(), Operation::ALL.to_vec())]
    );
    assert!(store.role_get("super-users").await.unwrap().is_some());
    assert!(store.user_get("admin").await.unwrap().is_none());
}

#[tokio::test]
async fn a_user_without_a_password_cannot_log_in_with_any() {
    let clock = clock();
    let (_folder, store) = store(&clock).await;
    let ann = User {
        password_hash: None,
        ..user(&clock, "ann", "x").await
    };
    set(&store, Some(&ann), &[]).await;
    let authenticator = Authenticator::default();
    for password in ["None", "", "null", "ann"] {
        let found = authenticator.check(&store, here(), "ann", password).await;
        assert!(found.unwrap().is_none(), "{password}");
    }
}
