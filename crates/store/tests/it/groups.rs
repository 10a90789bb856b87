use pith_core::ObjectId;
use pith_store::{GroupDistributor, RepoGroup, RepositoryChange, RepositoryUpdate, StoreError};
use serde_json::{Value, json};

use crate::fixture::{Fixture, document};
use crate::on_both_engines;

on_both_engines!(
    a_group_reads_back_as_saved_and_leaves_out_members_that_are_not_there,
    a_group_id_is_taken_once,
    members_join_once_keep_their_order_and_go_with_their_repository,
    a_group_is_changed_with_nobody_in_between,
    a_distributor_of_the_same_id_is_replaced_and_all_go_with_the_group,
    a_refused_change_of_a_repository_changes_nothing,
);

pub(crate) fn group(f: &Fixture, id: &str, members: &[&str]) -> RepoGroup {
    RepoGroup {
        id: id.to_owned(),
        oid: ObjectId::new(f.now()),
        display_name: json!("The group"),
        description: Value::Null,
        notes: json!({ "a": 1 }),
        members: members.iter().map(|id| (*id).to_owned()).collect(),
    }
}

pub(crate) fn distributor(f: &Fixture, group: &str, id: &str) -> GroupDistributor {
    GroupDistributor {
        group_id: group.to_owned(),
        id: id.to_owned(),
        oid: ObjectId::new(f.now()),
        type_id: "harness_group_distributor".to_owned(),
        config: json!({ "http": true }),
        last_publish: None,
        scratchpad: Value::Null,
    }
}

async fn a_group_reads_back_as_saved_and_leaves_out_members_that_are_not_there(f: Fixture) {
    f.repository("a").await;
    f.repository("b").await;
    let mut saved = group(&f, "a/b c", &["b", "gone", "a", "b"]);
    f.store.group_create(&saved, &[]).await.unwrap();
    saved.members = vec!["b".to_owned(), "a".to_owned()];
    let read = f.store.group_get("a/b c").await.unwrap();
    assert_eq!(read.as_ref(), Some(&saved));
    let empty = group(&f, "empty", &[]);
    f.store.group_create(&empty, &[]).await.unwrap();
    assert_eq!(f.store.group_list().await.unwrap(), [saved, empty]);
    assert_eq!(f.store.group_get("A/B C").await.unwrap(), None);
}

async fn a_group_id_is_taken_once(f: Fixture) {
    let saved = group(&f, "g", &[]);
    f.store.group_create(&saved, &[]).await.unwrap();
    let twin = distributor(&f, "g", "d");
    let error = f.store.group_create(&saved, &[twin]).await.unwrap_err();
    assert!(matches!(error, StoreError::Duplicate { ref id, .. } if id == "g"));
    let none = f.store.group_distributor_list("g").await.unwrap();
    assert!(none.is_empty(), "the failed creation left a distributor");
}

async fn members_join_once_keep_their_order_and_go_with_their_repository(f: Fixture) {
    for id in ["a", "b", "c"] {
        f.repository(id).await;
    }
    f.store
        .group_create(&group(&f, "g", &["c"]), &[])
        .await
        .unwrap();
    let all = ["a", "b", "c", "zzz"].map(str::to_owned);
    let joined = f.store.group_join("g", &all).await.unwrap();
    assert_eq!(joined, ["c", "a", "b"]);
    f.store.repository_delete("a").await.unwrap();
    let group = f.store.group_get("g").await.unwrap().unwrap();
    assert_eq!(group.members, ["c", "b"]);
    let left = f.store.group_leave("g", &all[2..]).await.unwrap();
    assert_eq!(left, ["b"]);
    assert_eq!(f.store.group_leave("g", &[]).await.unwrap(), ["b"]);
    let missing = f.store.group_join("nosuch", &all).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}

async fn a_group_is_changed_with_nobody_in_between(f: Fixture) {
    f.store
        .group_create(&group(&f, "g", &[]), &[])
        .await
        .unwrap();
    let changes = (0..8).map(|number| {
        f.store.group_update("g", move |group| {
            group.notes[format!("k{number}")] = json!(number);
        })
    });
    for change in futures::future::join_all(changes).await {
        change.unwrap();
    }
    let notes = f.store.group_get("g").await.unwrap().unwrap().notes;
    assert_eq!(notes.as_object().unwrap().len(), 9, "{notes}");
    let missing = f.store.group_update("nosuch", |_| {}).await.unwrap_err();
    assert!(matches!(missing, StoreError::Missing { .. }), "{missing}");
}

async fn a_distributor_of_the_same_id_is_replaced_and_all_go_with_the_group(f: Fixture) {
    let first = distributor(&f, "g", "d");
    f.store
        .group_create(&group(&f, "g", &[]), std::slice::from_ref(&first))
        .await
        .unwrap();
    assert_eq!(
        f.store.group_distributor_get("g", "d").await.unwrap(),
        Some(first)
    );
    let mut second = distributor(&f, "g", "d");
    second.config = Value::Null;
    f.store.group_distributor_create(&second).await.unwrap();
    let listed = f.store.group_distributor_list("g").await.unwrap();
    assert_eq!(listed, [second]);
    let changed = json!({ "x": 1 });
    let updated = f.store.group_distributor_update("g", "d", changed.clone());
    assert_eq!(updated.await.unwrap().config, changed);
    let elsewhere = f
        .store
        .group_distributors_elsewhere("harness_group_distributor", "other")
        .await;
    assert_eq!(elsewhere.unwrap().len(), 1);
    let at = f.later(5);
    f.store
        .group_distributor_set_last_publish("g", "d", at)
        .await
        .unwrap();
    let read = f.store.group_distributor_get("g", "d").await.unwrap();
    assert_eq!(read.unwrap().last_publish, Some(at));
    assert!(f.store.group_distributor_remove("g", "d").await.unwrap());
    assert!(!f.store.group_distributor_remove("g", "d").await.unwrap());
    f.store
        .group_distributor_create(&distributor(&f, "g", "e"))
        .await
        .unwrap();
    f.store.group_delete("g").await.unwrap();
    let homeless = f.store.group_distributor_get("g", "e").await.unwrap();
    assert_eq!(homeless, None);
    let again = f.store.group_delete("g").await.unwrap_err();
    assert!(matches!(again, StoreError::Missing { .. }), "{again}");
}

async fn a_refused_change_of_a_repository_changes_nothing(f: Fixture) {
    let before = f.repository("a").await;
    let refused = f.store.repository_change("a", |_, _| Err("no")).await;
    assert_eq!(refused.unwrap(), Err("no"));
    // There is no importer, so the whole change fails, the new name with it.
    let change = RepositoryChange {
        update: RepositoryUpdate {
            display_name: Some(Some("new".to_owned())),
            ..RepositoryUpdate::default()
        },
        importer_config: Some(document(json!({ "feed": "x" }))),
        tasks: Vec::new(),
    };
    let failed = f
        .store
        .repository_change("a", |_, _| Ok::<_, &str>(change))
        .await;
    assert!(matches!(failed, Err(StoreError::Missing { .. })));
    let after = f.store.repository_get("a").await.unwrap();
    assert_eq!(after, Some(before));
}
