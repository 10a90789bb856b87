use futures::future::join_all;
use pith_core::Sha256;
use pith_store::{NewMount, NewPublication};

use crate::fixture::{Fixture, distributor};
use crate::on_both_engines;

on_both_engines!(
    a_change_counts_as_soon_as_it_is_committed,
    those_who_ask_at_once_are_all_told_what_is_true,
);

async fn publish(f: &Fixture, number: u32) {
    let publication = NewPublication {
        repo_id: "a".to_owned(),
        distributor_id: "d".to_owned(),
        index_blob: Sha256::of(&number.to_be_bytes()),
        index_size: 10,
        repo_version: 1,
        paths: 3,
        bytes: 1000,
        made_from: pith_core::Document::new(),
        blobs: Vec::new(),
    };
    let mount = NewMount {
        prefix: "p".to_owned(),
        http: true,
        https: false,
        claimed: false,
    };
    f.store
        .publication_commit(&publication, &[mount], [], f.now())
        .await
        .unwrap();
}

async fn prepared(f: &Fixture) {
    f.repository("a").await;
    let distributor = distributor("a", "d", f.now());
    f.store.distributor_create(&distributor).await.unwrap();
}

async fn a_change_counts_as_soon_as_it_is_committed(f: Fixture) {
    prepared(&f).await;
    // On SQLite there is no other process.
    let other = match f.store.backend() {
        pith_store::Backend::Sqlite => f.store.clone(),
        pith_store::Backend::Postgres => f.other().await,
    };
    let mut last = other.generations().await.unwrap();
    for number in 0..20 {
        publish(&f, number).await;
        let now = other.generations().await.unwrap();
        assert!(now.mounts > last.mounts, "{number}");
        assert_eq!(now.people, last.people);
        last = now;
        let change = f.store.people_change().await.unwrap();
        change.commit().await.unwrap();
        let now = other.generations().await.unwrap();
        assert!(now.people > last.people, "{number}");
        assert_eq!(now.mounts, last.mounts);
        drop(f.store.people_change().await.unwrap());
        assert_eq!(other.generations().await.unwrap(), now, "rolled back");
        last = now;
    }
}

async fn those_who_ask_at_once_are_all_told_what_is_true(f: Fixture) {
    prepared(&f).await;
    for number in 0..20 {
        let before = f.store.generations().await.unwrap().mounts;
        publish(&f, number).await;
        let asked = join_all((0..50).map(|_| f.store.generations())).await;
        for found in asked {
            assert!(found.unwrap().mounts > before);
        }
        // Somebody who stops waiting takes nothing from the others.
        let given_up = tokio::time::timeout(std::time::Duration::ZERO, f.store.generations());
        let (_, found) = tokio::join!(given_up, f.store.generations());
        assert!(found.unwrap().mounts > before);
    }
}
