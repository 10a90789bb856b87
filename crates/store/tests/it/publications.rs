use pith_core::Sha256;
use pith_store::{
    DistributorSettings, Mount, NewGroupPublication, NewMount, NewPublication, Publication,
    StoreError,
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, distributor, document};
use crate::{groups, on_both_engines};

on_both_engines!(
    a_publication_flips_all_mounts_of_its_distributor,
    a_prefix_of_somebody_else_is_refused_and_nothing_changes,
    removing_a_distributor_stops_serving,
    a_publication_needs_its_distributor,
    a_group_is_served_beside_repositories_until_its_distributor_goes,
    a_mount_has_the_guard_of_its_distributor_from_the_moment_that_is_saved,
);

pub(crate) fn publication(repo: &str, index: &[u8]) -> NewPublication {
    NewPublication {
        repo_id: repo.to_owned(),
        distributor_id: "d".to_owned(),
        index_blob: Sha256::of(index),
        index_size: 10,
        repo_version: 1,
        paths: 3,
        bytes: 1000,
        made_from: document(json!({ "version": 1 })),
        blobs: vec![(Sha256::of(b"repomd"), 5)],
    }
}

fn mounts(prefixes: &[&str]) -> Vec<NewMount> {
    prefixes
        .iter()
        .map(|prefix| NewMount {
            prefix: (*prefix).to_owned(),
            http: true,
            https: false,
            claimed: false,
        })
        .collect()
}

async fn commit(
    f: &Fixture,
    repo: &str,
    index: &[u8],
    prefixes: &[&str],
) -> Result<Publication, StoreError> {
    f.store
        .publication_commit(&publication(repo, index), &mounts(prefixes), [], f.now())
        .await
}

async fn prepared(f: &Fixture) {
    for repo in ["a", "b"] {
        f.repository(repo).await;
        f.store
            .distributor_create(&distributor(repo, "d", f.now()))
            .await
            .unwrap();
    }
}

async fn served(f: &Fixture) -> Vec<(String, Uuid)> {
    let mounts: Vec<Mount> = f.store.mounts_all().await.unwrap();
    mounts
        .into_iter()
        .map(|mount| (mount.prefix, mount.publication_id))
        .collect()
}

async fn a_publication_flips_all_mounts_of_its_distributor(f: Fixture) {
    prepared(&f).await;
    let start = f.store.generations().await.unwrap().mounts;
    commit(&f, "a", b"1", &["pulp/repos/a", "pulp/repos/old"])
        .await
        .unwrap();
    let mid = f.store.generations().await.unwrap().mounts;
    f.later(5);
    let two = commit(&f, "a", b"2", &["pulp/repos/a", "pulp/repos/new"])
        .await
        .unwrap();
    assert!(start < mid && mid < f.store.generations().await.unwrap().mounts);
    assert_eq!(
        served(&f).await,
        [
            ("pulp/repos/a".to_owned(), two.id),
            ("pulp/repos/new".to_owned(), two.id)
        ]
    );
    let mount = &f.store.mounts_all().await.unwrap()[0];
    assert_eq!(
        (mount.index_blob, mount.http, mount.https, mount.updated),
        (two.index_blob, true, false, f.now())
    );
    assert_eq!(f.store.publication_list("a", "d").await.unwrap(), [two]);
    let blobs = [Sha256::of(b"1"), Sha256::of(b"repomd")];
    assert_eq!(f.store.blobs_known(&blobs).await.unwrap().len(), 2);
}

async fn a_prefix_of_somebody_else_is_refused_and_nothing_changes(f: Fixture) {
    prepared(&f).await;
    let one = commit(&f, "a", b"1", &["x", "y"]).await.unwrap();
    let error = commit(&f, "b", b"2", &["z", "y"]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("distributor 'd' of repository 'a'"),
        "{error}"
    );
    assert!(matches!(error, StoreError::Conflict { .. }));
    assert_eq!(
        served(&f).await,
        [("x".to_owned(), one.id), ("y".to_owned(), one.id)]
    );
    assert_eq!(f.store.publication_list("b", "d").await.unwrap(), []);
    commit(&f, "a", b"3", &["x"]).await.unwrap();
    commit(&f, "b", b"2", &["z", "y"]).await.unwrap();
}

async fn removing_a_distributor_stops_serving(f: Fixture) {
    prepared(&f).await;
    commit(&f, "a", b"1", &["x", "y"]).await.unwrap();
    commit(&f, "b", b"2", &["z"]).await.unwrap();
    let before = f.store.generations().await.unwrap().mounts;
    f.store.distributor_remove("a", "d").await.unwrap();
    assert_eq!(f.store.generations().await.unwrap().mounts, before + 1);
    f.store.distributor_remove("b", "d").await.unwrap();
    assert!(f.store.mounts_all().await.unwrap().is_empty());
    assert!(f.store.generations().await.unwrap().mounts > before + 1);
    assert_eq!(f.store.publication_list("b", "d").await.unwrap(), []);
}

async fn a_mount_has_the_guard_of_its_distributor_from_the_moment_that_is_saved(f: Fixture) {
    prepared(&f).await;
    let guard = Sha256::of(b"authorities");
    let guarded = f.store.distributor_guarded_by(guard).await.unwrap();
    assert_eq!(guarded, None);
    commit(&f, "a", b"1", &["x"]).await.unwrap();
    commit(&f, "b", b"2", &["y"]).await.unwrap();
    let before = f.store.generations().await.unwrap().mounts;
    let config = document(json!({"relative_url": "x"}));
    let settings = |guard| {
        let config = &config;
        Some(DistributorSettings { config, guard })
    };
    let store = &f.store;
    let changed = store.distributor_update("a", "d", settings(Some(guard)), None);
    assert_eq!(changed.await.unwrap().guard, Some(guard));
    let after = f.store.generations().await.unwrap().mounts;
    assert!(before < after);
    let guards = async || -> Vec<Option<Sha256>> {
        let mounts = f.store.mounts_all().await.unwrap();
        mounts.into_iter().map(|mount| mount.guard).collect()
    };
    assert_eq!(guards().await, [Some(guard), None]);
    let guarded = f.store.distributor_guarded_by(guard).await.unwrap();
    assert_eq!(guarded.unwrap().config, config);
    // A publish, and a change of something else, leave it as it is.
    commit(&f, "a", b"3", &["x"]).await.unwrap();
    let other = f.store.distributor_update("a", "d", None, Some(true));
    assert_eq!(other.await.unwrap().guard, Some(guard));
    assert_eq!(guards().await, [Some(guard), None]);
    let other = Sha256::of(b"others");
    let set = f.store.distributor_set_guard("b", "d", Some(other));
    set.await.unwrap();
    assert_eq!(guards().await, [Some(guard), Some(other)]);
    assert!(after < f.store.generations().await.unwrap().mounts);
    let taken = f.store.distributor_update("a", "d", settings(None), None);
    taken.await.unwrap();
    assert_eq!(guards().await, [None, Some(other)]);
}

async fn a_publication_needs_its_distributor(f: Fixture) {
    let error = commit(&f, "a", b"1", &["x"]).await.unwrap_err();
    assert!(matches!(
        error,
        StoreError::Missing {
            what: "distributor",
            ..
        }
    ));
}

fn group_publication(index: &[u8]) -> NewGroupPublication {
    NewGroupPublication {
        group_id: "g".to_owned(),
        distributor_id: "d".to_owned(),
        index_blob: Sha256::of(index),
        index_size: 10,
        paths: 1,
        bytes: 100,
        blobs: vec![(Sha256::of(b"image"), 5)],
    }
}

async fn a_group_is_served_beside_repositories_until_its_distributor_goes(f: Fixture) {
    prepared(&f).await;
    let group = groups::group(&f, "g", &["a"]);
    let distributor = groups::distributor(&f, "g", "d");
    let given = std::slice::from_ref(&distributor);
    f.store.group_create(&group, given).await.unwrap();
    commit(&f, "a", b"one", &["x/a"]).await.unwrap();
    let publish = |prefix: &'static str| {
        let (publication, mounts) = (group_publication(prefix.as_bytes()), mounts(&[prefix]));
        let (store, now) = (f.store.clone(), f.now());
        async move {
            store
                .group_publication_commit(&publication, &mounts, now)
                .await
        }
    };
    // Nobody is in another's way, whoever is a group.
    for taken in ["x/a", "x", "x/a/b"] {
        let refused = publish(taken).await.unwrap_err();
        assert!(
            matches!(&refused, StoreError::Conflict { owner, .. } if owner.contains("repository 'a'")),
            "{refused}"
        );
    }
    publish("y/g").await.unwrap();
    publish("y/h").await.unwrap();
    let refused = commit(&f, "b", b"two", &["y/h/b"]).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict { owner, .. } if owner.contains("group 'g'")),
        "{refused}"
    );
    let served = f.store.mounts_all().await.unwrap().into_iter();
    let served = served.map(|mount: Mount| (mount.prefix, mount.repo_id));
    let expected = [
        ("x/a".to_owned(), Some("a".to_owned())),
        ("y/h".to_owned(), None),
    ];
    assert_eq!(served.collect::<Vec<_>>(), expected);
    let before = f.store.generations().await.unwrap().mounts;
    f.store.group_distributor_remove("g", "d").await.unwrap();
    assert!(f.store.generations().await.unwrap().mounts > before);
    assert_eq!(f.store.mounts_all().await.unwrap().len(), 1);
    let gone = publish("y/g").await.unwrap_err();
    assert!(matches!(gone, StoreError::Missing { .. }), "{gone}");
    // What goes with the group goes too.
    f.store
        .group_distributor_create(&distributor)
        .await
        .unwrap();
    publish("y/g").await.unwrap();
    f.store.group_delete("g").await.unwrap();
    assert_eq!(f.store.mounts_all().await.unwrap().len(), 1);
}
