use pith_core::Sha256;
use pith_store::{Mount, NewMount, NewPublication, Publication, StoreError};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{Fixture, distributor, document};
use crate::on_both_engines;

on_both_engines!(
    a_publication_flips_all_mounts_of_its_distributor,
    a_prefix_of_somebody_else_is_refused_and_nothing_changes,
    removing_a_distributor_stops_serving,
    a_publication_needs_its_distributor,
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
