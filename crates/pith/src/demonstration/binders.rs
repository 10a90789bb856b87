//! Units of several files: they come together or not at all, and are served, kept and removed like others.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use pith_core::{Sha256, SignedDuration};
use pith_testkit::upstream::Upstream;
use serde_json::{Value, json};

use super::on_both;
use super::scene::{On, Scene};

on_both!(
    papers_come_together_or_not_at_all,
    only_what_changed_is_asked_for,
    papers_that_are_lost_come_again,
    a_copy_keeps_the_papers_when_the_first_repository_goes,
    a_paper_is_served_like_any_file,
    a_paper_that_is_left_out_is_served_for_a_while,
);

type Papers = BTreeMap<&'static str, &'static str>;

/// Three papers of the binder `zoo`.
fn papers() -> Papers {
    [
        ("a", "ape: fruit"),
        ("b/emu", "emu: seeds"),
        ("b/yak", "yak: grass"),
    ]
    .into()
}

fn offer(upstream: &Upstream, papers: &Papers) {
    let mut lines = String::new();
    for (path, text) in papers {
        let sha256 = Sha256::of(text.as_bytes());
        lines.push_str(&format!("zoo {path} {} {sha256}\n", text.len()));
        upstream.put(&format!("/f/zoo/{path}"), *text);
    }
    upstream.put("/f/names", "");
    upstream.put("/f/binders", lines);
}

/// A repository that mirrors these papers, synced and published.
async fn mirrored(on: On, papers: &Papers) -> Option<(Scene, Upstream)> {
    let scene = Scene::start(on).await?;
    let upstream = Upstream::start().await.unwrap();
    offer(&upstream, papers);
    let importer = json!({ "feed": format!("{}/f/", upstream.url()) });
    scene.mirror("f", importer, json!({})).await;
    well(&scene.sync("f").await);
    well(&scene.publish("f").await);
    Some((scene, upstream))
}

fn well(task: &Value) {
    assert_eq!(task["state"], "finished", "{task:#}");
}

async fn assert_served(scene: &Scene, repo: &str, papers: &Papers) {
    for (path, text) in papers {
        let read = scene.get(&format!("/notes/{repo}/zoo/{path}")).await;
        assert_eq!((read.status, read.text.as_str()), (200, *text), "{path}");
    }
}

/// All that a search tells of the binder.
async fn binder(scene: &Scene) -> Value {
    let criteria = json!({ "criteria": { "type_ids": ["binder"] } });
    let found = scene
        .api("POST", "/repositories/f/search/units/", criteria)
        .await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    found[0].clone()
}

async fn blobs(scene: &Scene) -> Vec<Sha256> {
    let listed = scene.engine().blobs.list().map_ok(|blob| blob.sha256);
    let mut listed: Vec<Sha256> = listed.try_collect().await.unwrap();
    listed.sort_unstable();
    listed
}

/// Removes at once what nothing needs.
async fn sweep(scene: &Scene) {
    // What is condemned in one round is deleted in the next.
    for _ in 0..2 {
        let swept = scene.engine().sweep_blobs(SignedDuration::ZERO).await;
        swept.unwrap();
    }
}

async fn papers_come_together_or_not_at_all(on: On) {
    let before = papers();
    let Some((scene, upstream)) = mirrored(on, &before).await else {
        return;
    };
    sweep(&scene).await;
    let (known, kept) = (binder(&scene).await, blobs(&scene).await);
    let mut after = before.clone();
    after.insert("a", "ape: leaves");
    after.insert("c", "cat: mice");
    offer(&upstream, &after);
    upstream.remove("/f/zoo/c");
    let failed = scene.sync("f").await;
    assert_eq!(failed["state"], "error", "{failed:#}");
    assert_eq!(binder(&scene).await, known);
    well(&scene.publish("f").await);
    assert_served(&scene, "f", &before).await;
    sweep(&scene).await;
    assert_eq!(blobs(&scene).await, kept, "what came of them is gone");
    offer(&upstream, &after);
    well(&scene.sync("f").await);
    well(&scene.publish("f").await);
    assert_served(&scene, "f", &after).await;
    scene.stop().await;
}

async fn only_what_changed_is_asked_for(on: On) {
    let mut papers = papers();
    let Some((scene, upstream)) = mirrored(on, &papers).await else {
        return;
    };
    papers.insert("a", "ape: leaves");
    offer(&upstream, &papers);
    well(&scene.sync("f").await);
    well(&scene.publish("f").await);
    assert_served(&scene, "f", &papers).await;
    let asked = |path: &str| upstream.requests(&format!("/f/zoo/{path}"));
    assert_eq!((asked("a"), asked("b/emu"), asked("b/yak")), (2, 1, 1));
    // What the binder of before had alone goes, and nothing that this one has from it.
    let orphans = scene.api("DELETE", "/content/orphans/", Value::Null).await;
    well(&scene.ended(&orphans).await);
    sweep(&scene).await;
    assert_served(&scene, "f", &papers).await;
    scene.stop().await;
}

async fn papers_that_are_lost_come_again(on: On) {
    let papers = papers();
    let Some((scene, _upstream)) = mirrored(on, &papers).await else {
        return;
    };
    let engine = scene.engine();
    let text: String = papers.values().copied().collect();
    // Three small papers are in one blob, in whichever order they came.
    let sizes = engine.blobs.list().try_filter(|blob| {
        let is_pack = blob.size == text.len() as u64;
        std::future::ready(is_pack)
    });
    let packs: Vec<Sha256> = sizes
        .map_ok(|blob| blob.sha256)
        .try_collect()
        .await
        .unwrap();
    let &[pack] = packs.as_slice() else {
        panic!("{packs:?}");
    };
    assert!(engine.blobs.delete(pack).await.unwrap());
    let read = scene.get("/notes/f/zoo/b/yak").await;
    assert_ne!(read.status, 200);
    let verify = json!({ "verify_all_units": true });
    let path = "/repositories/f/actions/download/";
    let verified = scene.api("POST", path, verify).await;
    well(&scene.ended(&verified).await);
    let missing = engine.store.repository_units_not_downloaded("f").await;
    assert_eq!(missing.unwrap(), 1);
    well(&scene.sync("f").await);
    well(&scene.publish("f").await);
    assert_served(&scene, "f", &papers).await;
    scene.stop().await;
}

async fn a_copy_keeps_the_papers_when_the_first_repository_goes(on: On) {
    let papers = papers();
    let Some((scene, _upstream)) = mirrored(on, &papers).await else {
        return;
    };
    scene.repository("copy", json!({})).await;
    let (path, from) = (
        "/repositories/copy/actions/associate/",
        json!({ "source_repo_id": "f" }),
    );
    let copied = scene.api("POST", path, from).await;
    well(&scene.ended(&copied).await);
    let removed = scene.api("DELETE", "/repositories/f/", Value::Null).await;
    well(&scene.ended(&removed).await);
    let orphans = scene.api("DELETE", "/content/orphans/", Value::Null).await;
    well(&scene.ended(&orphans).await);
    sweep(&scene).await;
    let scene = scene.restart().await;
    well(&scene.publish("copy").await);
    assert_served(&scene, "copy", &papers).await;
    scene.stop().await;
}

async fn a_paper_is_served_like_any_file(on: On) {
    let Some((scene, _upstream)) = mirrored(on, &papers()).await else {
        return;
    };
    let path = "/notes/f/zoo/b/emu";
    let whole = scene.get(path).await;
    let etag = format!("\"{}\"", Sha256::of(b"emu: seeds"));
    assert_eq!(whole.header("etag"), etag);
    assert_eq!(whole.header("content-length"), "10");
    let part = scene.with(path, "Range: bytes=5-7").await;
    assert_eq!((part.status, part.text.as_str()), (206, "see"));
    assert_eq!(part.header("content-range"), "bytes 5-7/10");
    let beyond = scene.with(path, "Range: bytes=10-").await;
    assert_eq!(
        beyond.status, 416,
        "what follows in the blob is no part of it"
    );
    let same = scene.with(path, &format!("If-None-Match: {etag}")).await;
    assert_eq!(same.status, 304);
    scene.stop().await;
}

async fn a_paper_that_is_left_out_is_served_for_a_while(on: On) {
    let mut papers = papers();
    let Some((scene, upstream)) = mirrored(on, &papers).await else {
        return;
    };
    let left_out = papers.remove("b/yak").unwrap();
    offer(&upstream, &papers);
    well(&scene.sync("f").await);
    well(&scene.publish("f").await);
    sweep(&scene).await;
    let read = scene.get("/notes/f/zoo/b/yak").await;
    assert_eq!((read.status, read.text.as_str()), (200, left_out));
    scene.stop().await;
}
