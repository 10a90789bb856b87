//! A feed that misbehaves: each fault ends in a clear task error that names the URL, changes nothing in the repository
//! and leaves nothing behind.

use pith_core::task::TaskState;
use pith_testkit::upstream::Fault;
use serde_json::json;

use crate::harness::{Harness, On, put_files};

crate::on_both!(
    file_feeds_that_misbehave_change_nothing,
    a_manifest_that_is_none_changes_nothing,
    rpm_feeds_that_misbehave_change_nothing,
);

/// Syncs a good feed, spoils it, syncs again; the repository and what is served stay as they were.
async fn assert_harmless(
    h: &Harness,
    repo: &str,
    type_id: &str,
    names: &str,
    mount: &str,
    what: &str,
) {
    let before = (
        h.units(repo, type_id, names).await,
        h.published(mount).await,
    );
    assert!(!before.1.is_empty());
    let version = h
        .engine
        .store
        .repository_get(repo)
        .await
        .unwrap()
        .unwrap()
        .version;
    let task = h.sync(repo).await;
    assert_eq!(task.state, TaskState::Error, "{what}: {task:?}");
    let text = serde_json::to_string(&(&task.error, &task.progress)).unwrap();
    assert!(
        text.contains(&h.upstream.url()),
        "{what}: the error names no URL: {text}"
    );
    assert_eq!(h.units(repo, type_id, names).await, before.0, "{what}");
    assert_eq!(h.published(mount).await, before.1, "{what}");
    assert_eq!(
        h.engine
            .store
            .repository_get(repo)
            .await
            .unwrap()
            .unwrap()
            .version,
        version,
        "{what}"
    );
    h.assert_no_leftovers().await;
}

pub(crate) fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("missing", Fault::Status(404)),
        ("forbidden", Fault::Status(403)),
        ("broken server", Fault::Status(500)),
        ("truncated", Fault::CutAfter(3)),
        ("stalled", Fault::StallAfter(3)),
        ("never answers", Fault::StallBeforeHead),
        ("endless", Fault::Endless),
        ("redirect loop", Fault::RedirectLoop),
        ("wrong bytes", Fault::WrongBytes),
    ]
}

async fn file_feeds_that_misbehave_change_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
    h.repository(
        "files",
        "iso",
        "/f/",
        json!({"read_timeout": 0.3, "connect_timeout": 1.0}),
    )
    .await;
    h.sync("files").await;
    put_files(
        &h.upstream,
        "/f/",
        &[("a.iso", b"aaa"), ("b.iso", b"a file of some length")],
    );
    for (what, fault) in faults() {
        h.upstream.fault("/f/b.iso", fault);
        assert_harmless(&h, "files", "iso", "name", "pulp/isos/files", what).await;
        h.upstream.clear_faults("/f/b.iso");
    }
    // And once it behaves, everything is there.
    assert_eq!(h.sync("files").await.state, TaskState::Finished);
    assert_eq!(h.units("files", "iso", "name").await, ["a.iso", "b.iso"]);
}

async fn a_manifest_that_is_none_changes_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("a.iso", b"aaa")]);
    h.repository(
        "files",
        "iso",
        "/f/",
        json!({"read_timeout": 0.3, "remove_missing": true}),
    )
    .await;
    h.sync("files").await;
    let sha = pith_core::Sha256::of(b"aaa");
    for (what, manifest) in [
        ("html", "<html>not found</html>\n".to_owned()),
        ("two columns", format!("b.iso,{sha}\n")),
        ("a path that escapes", format!("../../etc/passwd,{sha},3\n")),
        ("an absolute path", format!("/etc/passwd,{sha},3\n")),
        ("its own name", format!("PULP_MANIFEST,{sha},3\n")),
        ("no digest", "b.iso,zz,3\n".to_owned()),
    ] {
        h.upstream.put("/f/PULP_MANIFEST", manifest);
        assert_harmless(&h, "files", "iso", "name", "pulp/isos/files", what).await;
    }
    for (what, fault) in faults()
        .into_iter()
        .filter(|(what, _)| *what != "wrong bytes")
    {
        h.upstream.fault("/f/PULP_MANIFEST", fault);
        assert_harmless(&h, "files", "iso", "name", "pulp/isos/files", what).await;
        h.upstream.clear_faults("/f/PULP_MANIFEST");
    }
}

async fn rpm_feeds_that_misbehave_change_nothing(on: On) {
    crate::rpm::faulty_feeds(on).await;
}
