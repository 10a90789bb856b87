//! Users, roles, and what they may do.

use pith_core::{ObjectId, Operation};
use pith_store::{Role, StoreError, User};
use serde_json::{Value, json};

use crate::fixture::Fixture;
use crate::on_both_engines;

on_both_engines!(
    users_come_and_go,
    a_user_takes_every_right_along,
    roles_keep_what_they_grant_in_order,
    a_change_that_is_not_committed_changes_nothing,
);

fn user(f: &Fixture, login: &str) -> User {
    User {
        login: login.to_owned(),
        oid: ObjectId::new(f.now()),
        name: None,
        password_hash: Some("$argon2id$secret".to_owned()),
        password_changed: f.now(),
        roles: vec![],
    }
}

async fn create(f: &Fixture, user: &User) {
    let mut change = f.store.people_change().await.unwrap();
    change.user_create(user).await.unwrap();
    change.commit().await.unwrap();
}

async fn users_come_and_go(f: Fixture) {
    let mut ann = user(&f, "ann");
    create(&f, &ann).await;
    let mut change = f.store.people_change().await.unwrap();
    assert!(matches!(
        change.user_create(&ann).await.unwrap_err(),
        StoreError::Duplicate { .. }
    ));
    drop(change);
    assert!(!f.store.any_super_user().await.unwrap());
    ann.roles.push("super-users".to_owned());
    ann.name = Some("Ann".to_owned());
    let mut change = f.store.people_change().await.unwrap();
    change.user_save(&ann).await.unwrap();
    assert_eq!(change.members("super-users").await.unwrap(), [ann.clone()]);
    assert_eq!(change.user("ann").await.unwrap(), Some(ann.clone()));
    change.commit().await.unwrap();
    assert!(f.store.any_super_user().await.unwrap());
    assert_eq!(f.store.user_get("ann").await.unwrap().as_ref(), Some(&ann));
    assert_eq!(f.store.users_list().await.unwrap(), [ann.clone()]);
    assert!(!format!("{ann:?}").contains("argon2id"));
    let mut change = f.store.people_change().await.unwrap();
    assert!(change.user_delete("ann").await.unwrap());
    assert!(!change.user_delete("ann").await.unwrap());
}

async fn a_user_takes_every_right_along(f: Fixture) {
    create(&f, &user(&f, "ann")).await;
    create(&f, &user(&f, "bob")).await;
    let both = [Operation::Update, Operation::Read];
    let mut change = f.store.people_change().await.unwrap();
    for (login, resource) in [("ann", "/v2/a/"), ("ann", "/v2/b/"), ("bob", "/v2/b/")] {
        change.operations_set(login, resource, &both).await.unwrap();
    }
    assert_eq!(change.operations("bob", "/v2/b/").await.unwrap(), both);
    assert_eq!(change.operations("bob", "/v2/a/").await.unwrap(), []);
    change.commit().await.unwrap();
    let listed = f.store.permissions_list(None).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].users.len(), 2);
    let rights = f.store.user_rights("bob").await.unwrap();
    assert_eq!(rights, [("/v2/b/".to_owned(), both.to_vec())]);

    let mut change = f.store.people_change().await.unwrap();
    change.user_delete("ann").await.unwrap();
    change.commit().await.unwrap();
    let left = f.store.permissions_list(None).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].users, [("bob".to_owned(), both.to_vec())]);
    assert_eq!(left[0].oid, listed[1].oid);
    assert!(f.store.user_rights("ann").await.unwrap().is_empty());

    let mut change = f.store.people_change().await.unwrap();
    change.operations_set("bob", "/v2/b/", &[]).await.unwrap();
    change.commit().await.unwrap();
    assert!(
        f.store
            .permissions_list(Some("/v2/b/"))
            .await
            .unwrap()
            .is_empty()
    );
}

async fn roles_keep_what_they_grant_in_order(f: Fixture) {
    let mut role = Role {
        id: "r".to_owned(),
        oid: ObjectId::new(f.now()),
        display_name: json!(5),
        description: Value::Null,
        grants: None,
    };
    let mut change = f.store.people_change().await.unwrap();
    change.role_create(&role).await.unwrap();
    assert_eq!(change.role("r").await.unwrap(), Some(role.clone()));
    role.grants = Some(vec![
        (
            "/z/".to_owned(),
            vec![Operation::Execute, Operation::Create],
        ),
        ("/a/".to_owned(), vec![]),
    ]);
    change.role_save(&role).await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(f.store.roles_list().await.unwrap(), [role.clone()]);
    assert_eq!(
        role.operations("/z/"),
        [Operation::Execute, Operation::Create]
    );
    assert_eq!(role.operations("/y/"), []);
    let mut change = f.store.people_change().await.unwrap();
    change.role_delete("r").await.unwrap();
    change.commit().await.unwrap();
    assert_eq!(f.store.role_get("r").await.unwrap(), None);
}

async fn a_change_that_is_not_committed_changes_nothing(f: Fixture) {
    let before = f.store.generations().await.unwrap();
    let mut change = f.store.people_change().await.unwrap();
    change.user_create(&user(&f, "ann")).await.unwrap();
    drop(change);
    assert_eq!(f.store.user_get("ann").await.unwrap(), None);
    assert_eq!(f.store.generations().await.unwrap(), before);
}
