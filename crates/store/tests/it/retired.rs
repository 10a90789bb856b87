use pith_core::{Sha256, SignedDuration, Timestamp, UnitId};
use pith_store::{HeldByGrace, NewMount, NewPublication, Retired};
use uuid::Uuid;

use crate::fixture::{Fixture, distributor};
use crate::on_both_engines;

on_both_engines!(
    what_is_left_out_can_be_had_for_as_long_as_the_caller_says,
    files_of_retired_paths_are_needed_until_they_expire,
    a_distributor_that_moves_or_goes_leaves_nothing_retired,
    withdrawn_files_are_not_retired_unless_a_unit_has_them_again,
    older_publications_go_with_the_commit,
);

fn file(path: &str, bytes: &[u8]) -> Retired {
    Retired {
        path: path.to_owned(),
        blob: Some(Sha256::of(bytes)),
        unit: None,
        slice: None,
        size: 7,
        mtime: 5,
        headers: Some("x/y".to_owned()),
    }
}

/// Publishes at `prefix`, leaving these paths out.
async fn publish(f: &Fixture, index: &[u8], prefix: &str, left_out: Vec<Retired>) {
    let publication = NewPublication {
        repo_id: "a".to_owned(),
        distributor_id: "d".to_owned(),
        index_blob: Sha256::of(index),
        index_size: 10,
        repo_version: 1,
        paths: 3,
        bytes: 1000,
        made_from: pith_core::Document::new(),
        blobs: Vec::new(),
    };
    let mount = NewMount {
        prefix: prefix.to_owned(),
        http: true,
        https: false,
        claimed: false,
    };
    f.store
        .publication_commit(&publication, &[mount], [left_out], f.now())
        .await
        .unwrap();
}

async fn prepared(f: &Fixture) {
    f.repository("a").await;
    let distributor = distributor("a", "d", f.now());
    f.store.distributor_create(&distributor).await.unwrap();
    publish(f, b"1", "p", Vec::new()).await;
}

async fn find(f: &Fixture, path: &str, since: Timestamp) -> Option<Retired> {
    f.store.retired_find("p", path, since).await.unwrap()
}

async fn what_is_left_out_can_be_had_for_as_long_as_the_caller_says(f: Fixture) {
    prepared(&f).await;
    assert_eq!(f.store.mounts_all().await.unwrap()[0].retired, None);
    let before = f.now();
    f.later(10);
    let source = Retired {
        unit: Some(UnitId(Uuid::from_bytes([3; 16]))),
        blob: None,
        headers: None,
        ..file("later", b"")
    };
    let part = Retired {
        slice: Some((Sha256::of(b"part"), 4096)),
        ..file("part", b"old")
    };
    let left_out = vec![file("x/y", b"old"), source.clone(), part.clone()];
    publish(&f, b"2", "p", left_out).await;
    let retired = f.now();
    assert_eq!(
        f.store.mounts_all().await.unwrap()[0].retired,
        Some(retired)
    );
    assert_eq!(find(&f, "x/y", before).await, Some(file("x/y", b"old")));
    assert_eq!(find(&f, "later", before).await, Some(source));
    assert_eq!(find(&f, "part", before).await, Some(part));
    assert_eq!(find(&f, "x/y", retired).await, None, "the grace is over");
    assert_eq!(find(&f, "x", before).await, None);
    let elsewhere = f.store.retired_find("q", "x/y", before).await.unwrap();
    assert_eq!(elsewhere, None);
    f.later(10);
    publish(&f, b"3", "p", vec![file("x/y", b"new")]).await;
    let newer = find(&f, "x/y", retired).await;
    assert_eq!(newer, Some(file("x/y", b"new")), "what it showed last");
    assert_eq!(f.store.retired_expire(retired).await.unwrap(), 2);
    assert_eq!(find(&f, "later", before).await, None);
    assert_eq!(f.store.retired_expire(f.now()).await.unwrap(), 1);
    assert_eq!(find(&f, "x/y", before).await, None);
}

async fn files_of_retired_paths_are_needed_until_they_expire(f: Fixture) {
    prepared(&f).await;
    let blob = Sha256::of(b"old");
    f.store
        .blobs_condemn_unknown(vec![(blob, 7)])
        .await
        .unwrap();
    publish(&f, b"2", "p", vec![file("x", b"old")]).await;
    let judged = async || {
        let mut after = None;
        while let Some(last) = f.store.blobs_judge_page(after).await.unwrap() {
            after = Some(last);
        }
        let condemned = f.store.blobs_condemned(f.now(), None).await.unwrap();
        condemned.contains(&blob)
    };
    assert!(!judged().await);
    let held = HeldByGrace {
        paths: 1,
        files: 1,
        bytes: 7,
    };
    assert_eq!(f.store.retired_held().await.unwrap(), held);
    f.store.retired_expire(f.now()).await.unwrap();
    assert!(judged().await);
    assert_eq!(
        f.store.retired_held().await.unwrap(),
        HeldByGrace::default()
    );
}

async fn a_distributor_that_moves_or_goes_leaves_nothing_retired(f: Fixture) {
    prepared(&f).await;
    let since = f.now() - SignedDuration::from_secs(1);
    publish(&f, b"2", "p", vec![file("x", b"old")]).await;
    assert!(find(&f, "x", since).await.is_some());
    publish(&f, b"3", "q", vec![file("y", b"old")]).await;
    let mount = &f.store.mounts_all().await.unwrap()[0];
    assert_eq!((mount.prefix.as_str(), mount.retired), ("q", None));
    publish(&f, b"4", "q", vec![file("z", b"old")]).await;
    assert_eq!(f.store.retired_held().await.unwrap().paths, 1);
    assert!(f.store.distributor_remove("a", "d").await.unwrap());
    assert_eq!(f.store.retired_held().await.unwrap().paths, 0);
}

async fn withdrawn_files_are_not_retired_unless_a_unit_has_them_again(f: Fixture) {
    prepared(&f).await;
    let since = f.now() - SignedDuration::from_secs(1);
    let unit = f.units("iso", &["x"]).await[0];
    let blob = Sha256::of(b"old");
    f.store.unit_set_blob(unit, blob, 7).await.unwrap();
    publish(&f, b"2", "p", vec![file("x", b"old"), file("y", b"other")]).await;
    f.store.retired_withdraw(&[unit]).await.unwrap();
    assert_eq!(find(&f, "x", since).await, None);
    assert!(find(&f, "y", since).await.is_some());
    f.store.units_delete_orphans(&[unit]).await.unwrap();
    publish(&f, b"3", "p", vec![file("x", b"old")]).await;
    assert_eq!(find(&f, "x", since).await, None, "a later publish");
    let again = f.units("iso", &["x"]).await[0];
    f.store.unit_set_blob(again, blob, 7).await.unwrap();
    publish(&f, b"4", "p", vec![file("x", b"old")]).await;
    assert!(find(&f, "x", since).await.is_some());
}

async fn older_publications_go_with_the_commit(f: Fixture) {
    prepared(&f).await;
    publish(&f, b"2", "p", Vec::new()).await;
    let left = f.store.publication_list("a", "d").await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].index_blob, Sha256::of(b"2"));
    assert_eq!(
        f.store.mounts_all().await.unwrap()[0].publication_id,
        left[0].id
    );
}
