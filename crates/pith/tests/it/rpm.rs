//! RPM repositories through the whole engine: everything a feed can hold, and everything that can be wrong with it.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_testkit::repos::{Compression, Spec, write_repository};
use pith_testkit::upstream::Fault;
use serde_json::json;

use crate::harness::{Harness, On};

crate::on_both!(
    everything_in_a_feed_is_mirrored_and_published,
    an_unchanged_feed_costs_one_request,
    every_compression_and_digest_is_read,
    old_packages_go_when_the_feed_drops_them,
    a_publish_after_a_change_is_the_one_that_force_full_makes,
    a_checksum_that_nobody_told_is_worked_out_and_kept,
    hostile_metadata_changes_nothing,
);

/// A repository of the upstream, in a folder that can be spoilt.
pub(crate) struct Feed {
    pub(crate) folder: PathBuf,
    _keep: tempfile::TempDir,
}

impl Feed {
    pub(crate) fn new(h: &Harness, path: &str, spec: &Spec) -> Self {
        let keep = tempfile::tempdir().unwrap();
        let folder = keep.path().join("feed");
        write_repository(&folder, spec).unwrap();
        h.upstream.serve_dir(path, folder.clone());
        Self {
            folder,
            _keep: keep,
        }
    }

    pub(crate) fn rewrite(&self, spec: &Spec) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        write_repository(&self.folder, spec).unwrap();
    }

    /// The URL path of the document whose name ends so.
    fn document(&self, prefix: &str, ending: &str) -> String {
        format!(
            "{prefix}repodata/{}",
            self.document_file(ending)
                .file_name()
                .unwrap()
                .to_string_lossy()
        )
    }

    pub(crate) fn document_file(&self, ending: &str) -> PathBuf {
        let entries = std::fs::read_dir(self.folder.join("repodata")).unwrap();
        let mut paths = entries.map(|entry| entry.unwrap().path());
        paths
            .find(|path| path.to_string_lossy().ends_with(ending))
            .unwrap()
    }

    /// Replaces a document and what `repomd.xml` promises of it, so that only its content is wrong.
    pub(crate) fn replace(&self, kind: &str, plain_name: &str, text: &str) {
        let folder = self.folder.join("repodata");
        let repomd = std::fs::read_to_string(folder.join("repomd.xml")).unwrap();
        let start = repomd.find(&format!("<data type=\"{kind}\">")).unwrap();
        let end = start + repomd[start..].find("</data>").unwrap() + "</data>".len();
        let stored = Compression::Gz.compress(text.as_bytes()).unwrap();
        let digest = pith_core::Sha256::of(&stored);
        let file = format!("{digest}-{plain_name}.gz");
        std::fs::write(folder.join(&file), &stored).unwrap();
        let data = format!(
            "<data type=\"{kind}\"><checksum type=\"sha256\">{digest}</checksum><open-checksum type=\"sha256\">{}\
             </open-checksum><location href=\"repodata/{file}\"/><timestamp>1</timestamp><size>{}</size>\
             <open-size>{}</open-size></data>",
            pith_core::Sha256::of(text.as_bytes()),
            stored.len(),
            text.len()
        );
        std::fs::write(
            folder.join("repomd.xml"),
            format!("{}{data}{}", &repomd[..start], &repomd[end..]),
        )
        .unwrap();
    }

    /// Adds a document to what `repomd.xml` lists.
    pub(crate) fn add(&self, kind: &str, plain_name: &str, text: &str) {
        let repomd = self.folder.join("repodata/repomd.xml");
        let listed = std::fs::read_to_string(&repomd).unwrap();
        let place = format!("<data type=\"{kind}\"></data></repomd>");
        std::fs::write(repomd, listed.replace("</repomd>", &place)).unwrap();
        self.replace(kind, plain_name, text);
    }

    pub(crate) fn plain(&self, ending: &str) -> String {
        use std::io::Read;
        let bytes = std::fs::read(self.document_file(ending)).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

async fn everything_in_a_feed_is_mirrored_and_published(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = Feed::new(&h, "/r/", &Spec::full());
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    let task = h.sync("zoo").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let counts = h.engine.store.repository_unit_counts("zoo").await.unwrap();
    let expected = json!({
        "rpm": 20, "srpm": 2, "erratum": 1, "package_group": 1, "package_category": 1, "package_environment": 1,
        "package_langpacks": 1, "modulemd": 2, "modulemd_defaults": 2, "yum_repo_metadata_file": 1,
    });
    assert_eq!(serde_json::to_value(&counts).unwrap(), expected);
    let published = h.published("pulp/repos/zoo").await;
    let paths: Vec<&str> = published.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths
            .iter()
            .filter(|path| path.starts_with("Packages/"))
            .count(),
        22
    );
    for document in [
        "primary.xml.gz",
        "filelists.xml.gz",
        "other.xml.gz",
        "updateinfo.xml.gz",
        "comps.xml",
        "modules.yaml.gz",
        "productid.gz",
    ] {
        assert!(
            paths
                .iter()
                .any(|path| path.starts_with("repodata/") && path.ends_with(document)),
            "no {document}: {paths:?}"
        );
    }
    h.assert_no_leftovers().await;
}

async fn an_unchanged_feed_costs_one_request(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::of(10));
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.sync("zoo").await;
    let before = h.upstream.total_requests();
    let again = h.sync("zoo").await;
    assert_eq!(again.result["added_count"], 0, "{again:?}");
    assert_eq!(h.upstream.total_requests() - before, 1);
    // And a changed one only what changed.
    feed.rewrite(&Spec {
        packages: 12,
        revision: 1_800_000_000,
        ..Spec::of(10)
    });
    let packages = h.upstream.total_requests();
    let third = h.sync("zoo").await;
    assert_eq!(third.result["added_count"], 2, "{third:?}");
    assert!(h.upstream.total_requests() - packages < 10);
}

async fn every_compression_and_digest_is_read(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    use pith_core::Algorithm::{Sha1, Sha256, Sha512};
    let all = [
        (Compression::Plain, Sha256),
        (Compression::Gz, Sha1),
        (Compression::Xz, Sha256),
        (Compression::Zst, Sha512),
        (Compression::Bz2, Sha256),
    ];
    for (index, (compression, checksum)) in all.into_iter().enumerate() {
        let (path, id) = (format!("/r{index}/"), format!("r{index}"));
        let _feed = Feed::new(
            &h,
            &path,
            &Spec {
                compression,
                checksum,
                ..Spec::of(5)
            },
        );
        h.repository(&id, "rpm", &path, json!({})).await;
        let task = h.sync(&id).await;
        assert_eq!(
            task.state,
            TaskState::Finished,
            "{compression:?} {checksum}: {task:?}"
        );
        let published = h.published(&format!("pulp/repos/{id}")).await;
        let primary = published
            .iter()
            .find(|(path, _)| path.ends_with("primary.xml.gz"))
            .unwrap();
        let name = Path::new(&primary.0)
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        assert_eq!(
            name.split('-').next().unwrap().len(),
            checksum.len() * 2,
            "published with the feed's algorithm"
        );
    }
}

async fn old_packages_go_when_the_feed_drops_them(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(
        &h,
        "/r/",
        &Spec {
            packages: 6,
            groups: 0,
            errata: 0,
            ..Spec::default()
        },
    );
    h.repository("zoo", "rpm", "/r/", json!({"remove_missing": true}))
        .await;
    h.sync("zoo").await;
    feed.rewrite(&Spec {
        packages: 4,
        groups: 0,
        errata: 0,
        revision: 1_800_000_000,
        ..Spec::default()
    });
    let task = h.sync("zoo").await;
    assert_eq!(task.result["removed_count"], 2, "{task:?}");
    assert_eq!(h.units("zoo", "rpm", "name").await.len(), 4);
}

async fn a_publish_after_a_change_is_the_one_that_force_full_makes(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let spec = Spec {
        packages: 600,
        sources: 3,
        ..Spec::default()
    };
    let feed = Feed::new(&h, "/r/", &spec);
    h.repository("zoo", "rpm", "/r/", json!({"remove_missing": true}))
        .await;
    h.sync("zoo").await;
    let documents = |published: Vec<(String, Vec<u8>)>| {
        let kinds = ["primary.xml.gz", "filelists.xml.gz", "other.xml.gz"];
        let mut found: Vec<_> = published
            .into_iter()
            .filter(|(path, _)| kinds.iter().any(|kind| path.ends_with(kind)))
            .collect();
        found.sort();
        found
    };
    let before = documents(h.published("pulp/repos/zoo").await);
    assert_eq!(before.len(), 3);
    feed.rewrite(&Spec {
        packages: 599,
        revision: 1_800_000_000,
        ..spec
    });
    h.sync("zoo").await;
    assert_eq!(h.units("zoo", "rpm", "name").await.len(), 599);
    // Those that were replaced stay for clients in mid-run.
    let after = documents(h.published("pulp/repos/zoo").await);
    assert_eq!(after.len(), 6);
    let full = json!({"force_full": true});
    let task = h.publish("zoo", "yum_distributor", full).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert!(documents(h.published("pulp/repos/zoo").await) == after);
}

async fn a_checksum_that_nobody_told_is_worked_out_and_kept(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = Feed::new(&h, "/r/", &Spec::of(3));
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    h.sync("zoo").await;
    let task = h
        .publish("zoo", "yum_distributor", json!({"checksum_type": "sha512"}))
        .await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let published = h.published("pulp/repos/zoo").await;
    let named =
        |path: &str| path.ends_with("-primary.xml.gz") && path.len() > "repodata/".len() + 128;
    assert!(published.iter().any(|(path, _)| named(path)));
    let query = pith_store::UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some("zoo"),
        ..pith_store::UnitQuery::default()
    };
    let mut stream = h.engine.store.units_stream(&query).unwrap();
    while let Some(batch) = stream.try_next().await.unwrap() {
        for unit in batch {
            let checksums = &unit.unit.doc["checksums"];
            assert_eq!(checksums["sha512"].as_str().unwrap().len(), 128);
        }
    }
}

/// Checks that a sync of the spoilt feed fails, says where, and changes nothing.
async fn assert_harmless(h: &Harness, what: &str) {
    let before = (
        h.units("zoo", "rpm", "name").await,
        h.published("pulp/repos/zoo").await.len(),
    );
    assert!(!before.0.is_empty());
    let task = h.sync("zoo").await;
    assert_eq!(task.state, TaskState::Error, "{what}: {task:?}");
    let text = serde_json::to_string(&(&task.error, &task.progress)).unwrap();
    assert!(
        text.contains(&h.upstream.url()),
        "{what}: the error names no URL: {text}"
    );
    assert_eq!(h.units("zoo", "rpm", "name").await, before.0, "{what}");
    assert_eq!(
        h.published("pulp/repos/zoo").await.len(),
        before.1,
        "{what}"
    );
    h.assert_no_leftovers().await;
}

async fn hostile_metadata_changes_nothing(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(
        &h,
        "/r/",
        &Spec {
            packages: 3,
            ..Spec::default()
        },
    );
    h.repository("zoo", "rpm", "/r/", json!({"read_timeout": 0.5}))
        .await;
    assert_eq!(h.sync("zoo").await.state, TaskState::Finished);
    let next = Spec {
        packages: 4,
        revision: 1_800_000_000,
        ..Spec::default()
    };

    feed.rewrite(&next);
    let primary = feed.plain("primary.xml.gz");
    feed.replace(
        "primary",
        "primary.xml",
        &primary.replace("href=\"Packages/", "href=\"../../Packages/"),
    );
    assert_harmless(&h, "a location above the feed that has nothing there").await;

    feed.rewrite(&next);
    let entity = primary.replacen(
        '\n',
        "\n<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>\n",
        1,
    );
    feed.replace(
        "primary",
        "primary.xml",
        &entity.replace("<rpm:vendor>Example", "<rpm:vendor>&b;"),
    );
    assert_harmless(&h, "entities").await;

    feed.rewrite(&next);
    let filelists = feed.plain("filelists.xml.gz");
    let blanks = format!("<file>{}", " ".repeat(200 << 20));
    let bomb = filelists.replacen("<file>", &blanks, 1);
    feed.replace("filelists", "filelists.xml", &bomb);
    assert_harmless(&h, "a compression bomb").await;

    feed.rewrite(&next);
    feed.replace("primary", "primary.xml", &primary[..primary.len() / 2]);
    assert_harmless(&h, "half a document").await;
}

/// Each fault of the transport, on `repomd.xml`, on a document and on a package.
pub(crate) async fn faulty_feeds(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(
        &h,
        "/r/",
        &Spec {
            packages: 3,
            ..Spec::default()
        },
    );
    h.repository(
        "zoo",
        "rpm",
        "/r/",
        json!({"read_timeout": 0.3, "connect_timeout": 1.0}),
    )
    .await;
    assert_eq!(h.sync("zoo").await.state, TaskState::Finished);
    feed.rewrite(&Spec {
        packages: 4,
        revision: 1_800_000_000,
        ..Spec::default()
    });
    let package = std::fs::read_dir(feed.folder.join("Packages")).unwrap();
    let have = h.units("zoo", "rpm", "filename").await;
    let package = package
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .find(|name| !have.contains(name))
        .unwrap();
    let targets = [
        ("/r/repodata/repomd.xml".to_owned(), "repomd"),
        (feed.document("/r/", "primary.xml.gz"), "primary"),
        (format!("/r/Packages/{package}"), "package"),
    ];
    for (path, target) in targets {
        for (what, fault) in crate::faults::faults() {
            if target == "repomd" && what == "wrong bytes" {
                continue;
            }
            h.upstream.fault(&path, fault);
            assert_harmless(&h, &format!("{target}: {what}")).await;
            h.upstream.clear_faults(&path);
        }
    }
    h.upstream
        .fault("/r/repodata/repomd.xml", Fault::ContentLength(10 << 30));
    assert_harmless(&h, "a repomd.xml of 10 GiB").await;
    h.upstream.clear_faults("/r/repodata/repomd.xml");
    assert_eq!(h.sync("zoo").await.state, TaskState::Finished);
    assert_eq!(h.units("zoo", "rpm", "name").await.len(), 4);
}
