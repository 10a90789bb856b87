//! RPM repositories whose packages come later, and alternate content sources.

use std::path::Path;

use pith_core::task::TaskState;
use pith_pulp::jobs::RefreshContentSource;
use pith_testkit::repos::{Spec, write_repository};
use pith_testkit::upstream::{Fault, Upstream};
use serde_json::json;

use crate::deferred::{Front, whole};
use crate::harness::{Harness, On};

crate::on_both!(
    packages_are_published_before_they_are_here,
    a_nearer_source_is_asked_first_and_the_feed_when_it_fails,
    a_nearer_source_is_asked_on_demand_too,
    a_source_that_cannot_be_read_fails_its_refresh_only,
);

/// A folder with a repository of a few packages; their file names.
fn feed(spec: &Spec) -> (tempfile::TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    write_repository(&folder.path().join("feed"), spec).unwrap();
    let mut names = Vec::new();
    let mut folders = vec![folder.path().join("feed")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rpm") {
                let below = path.strip_prefix(folder.path().join("feed")).unwrap();
                names.push(below.display().to_string());
            }
        }
    }
    names.sort();
    (folder, names)
}

fn spec() -> Spec {
    Spec {
        packages: 3,
        sources: 1,
        ..Spec::default()
    }
}

fn requests(upstream: &Upstream, prefix: &str, names: &[String]) -> usize {
    names
        .iter()
        .map(|name| upstream.requests(&format!("{prefix}{name}")))
        .sum()
}

/// A content source that mirrors the feed in `folder`.
async fn near(h: &Harness, folder: &Path) -> Upstream {
    let near = Upstream::start().await.unwrap();
    near.serve_dir("/mirror/os/", folder.join("feed"));
    std::fs::create_dir(h.content_sources()).unwrap();
    let text = format!(
        "[near]\nenabled: 1\ntype: yum\nbase_url: {}/mirror/\npaths: os/\n",
        near.url()
    );
    std::fs::write(h.content_sources().join("near.conf"), text).unwrap();
    near
}

async fn packages_are_published_before_they_are_here(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let (folder, names) = feed(&spec());
    h.upstream.serve_dir("/os/", folder.path().join("feed"));
    let config = json!({"download_policy": "on_demand"});
    h.repository("r", "rpm", "/os/", config).await;
    let task = h.sync("r").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let content = &task.progress["yum_importer"]["content"];
    assert_eq!(content["items_total"], names.len());
    assert_eq!(
        (&content["items_left"], &content["size_left"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(requests(&h.upstream, "/os/", &names), 0);
    let front = Front::of(&h.engine);
    let published = h.published("pulp/repos/r").await;
    let packages: Vec<_> = published
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with(".rpm"))
        .collect();
    assert_eq!(packages.len(), names.len());
    for path in packages {
        let answer = front.get(&format!("/pulp/repos/r/{path}")).await;
        let name = path.rsplit('/').next().unwrap();
        let upstream = names.iter().find(|full| full.ends_with(name)).unwrap();
        let expected = std::fs::read(folder.path().join("feed").join(upstream)).unwrap();
        assert!(whole(answer).await.unwrap() == expected, "{path}");
    }
    assert_eq!(requests(&h.upstream, "/os/", &names), names.len());
}

async fn a_nearer_source_is_asked_first_and_the_feed_when_it_fails(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let (folder, names) = feed(&spec());
    h.upstream.serve_dir("/os/", folder.path().join("feed"));
    let near = near(&h, folder.path()).await;
    // One package is broken there.
    near.fault(&format!("/mirror/os/{}", names[0]), Fault::WrongBytes);
    h.repository("r", "rpm", "/os/", json!({})).await;
    let task = h.sync("r").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(requests(&near, "/mirror/os/", &names), names.len());
    assert_eq!(requests(&h.upstream, "/os/", &names), 1);
}

async fn a_nearer_source_is_asked_on_demand_too(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let (folder, names) = feed(&spec());
    h.upstream.serve_dir("/os/", folder.path().join("feed"));
    let near = near(&h, folder.path()).await;
    near.fault(&format!("/mirror/os/{}", names[0]), Fault::Status(500));
    let config = json!({"download_policy": "on_demand"});
    h.repository("r", "rpm", "/os/", config).await;
    h.sync("r").await;
    let refresh = RefreshContentSource {
        source_id: "near".to_owned(),
    };
    let task = h.ended(h.engine.enqueue(refresh).await.unwrap()).await;
    assert_eq!((task.state, task.error), (TaskState::Finished, None));
    let step = &task.progress["Refresh Content Source"][0];
    assert_eq!(
        (&step["num_success"], &step["state"]),
        (&json!(1), &json!("FINISHED"))
    );
    let front = Front::of(&h.engine);
    for (path, _) in h.published("pulp/repos/r").await {
        if path.ends_with(".rpm") {
            let answer = front.get(&format!("/pulp/repos/r/{path}")).await;
            assert!(whole(answer).await.is_some(), "{path}");
        }
    }
    assert_eq!(requests(&h.upstream, "/os/", &names), 1);
    let deleted = h.engine.content_catalog_delete("near").await.unwrap();
    assert_eq!(deleted, names.len() as u64);
}

async fn a_source_that_cannot_be_read_fails_its_refresh_only(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let (folder, names) = feed(&spec());
    h.upstream.serve_dir("/os/", folder.path().join("feed"));
    std::fs::create_dir(h.content_sources()).unwrap();
    let text = format!(
        "[good]\nenabled: yes\ntype: yum\nbase_url: {0}/os\n\n[bad]\nenabled: true\ntype: yum\nbase_url: {0}/no\n\
         [off]\nenabled: 0\ntype: yum\nbase_url: {0}/off\n[strange]\nenabled: 1\ntype: none\nbase_url: {0}/off\n",
        h.upstream.url()
    );
    std::fs::write(h.content_sources().join("all.conf"), text).unwrap();
    let id = h.engine.content_sources_refresh().await.unwrap();
    let task = h.ended(id).await;
    assert_eq!(task.state, TaskState::Finished);
    let tags = [
        "pulp:action:refresh_all_content_sources",
        "pulp:content_source:bad",
        "pulp:content_source:good",
    ];
    assert_eq!(task.tags, tags);
    assert_eq!(task.error.unwrap()["code"], "PLP0032");
    let step = &task.progress["Refresh Content Sources"][0];
    assert_eq!(
        (&step["num_success"], &step["num_failures"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(step["error_details"][0]["error"]["code"], "PLP0031");
    assert_eq!(
        h.engine.content_catalog_delete("good").await.unwrap(),
        names.len() as u64
    );
    assert_eq!(h.engine.content_catalog_delete("bad").await.unwrap(), 0);
    // A sync is not held up by it.
    h.repository("r", "rpm", "/os/", json!({})).await;
    assert_eq!(h.sync("r").await.state, TaskState::Finished);
}
