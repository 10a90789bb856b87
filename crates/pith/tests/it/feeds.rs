//! Feeds written by hand: packages that are nowhere, and documents as a test wants them.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_core::{Document, Sha256};
use pith_pulp::jobs::{Associate, ImportUpload, Unassociate};
use pith_store::{Task, UnitQuery};
use serde_json::{Value, json};

use crate::harness::Harness;

/// A package: name, version, and what it needs.
pub(crate) struct Package(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static [&'static str],
);

pub(crate) fn nevra(name: &str, version: &str) -> String {
    format!("{name}-0:{version}-1.noarch")
}

/// A feed whose packages are nowhere, with these documents.
pub(crate) fn write_feed(
    folder: &Path,
    revision: u32,
    packages: &[Package],
    documents: &[(&str, &str)],
) {
    let count = packages.len();
    let mut primary = format!(
        "<metadata xmlns=\"http://linux.duke.edu/metadata/common\" xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\" \
         packages=\"{count}\">"
    );
    let mut filelists = format!(
        "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"{count}\">"
    );
    let mut other =
        format!("<otherdata xmlns=\"http://linux.duke.edu/metadata/other\" packages=\"{count}\">");
    for Package(name, version, requires) in packages {
        let id = Sha256::of(format!("{name}-{version}").as_bytes());
        let evr = format!("epoch=\"0\" ver=\"{version}\" rel=\"1\"");
        let requires: String = requires
            .iter()
            .map(|name| format!("<rpm:entry name=\"{name}\"/>"))
            .collect();
        write!(
            primary,
            "<package type=\"rpm\"><name>{name}</name><arch>noarch</arch><version {evr}/>\
             <checksum type=\"sha256\" pkgid=\"YES\">{id}</checksum><summary>s</summary><description>d</description>\
             <packager/><url/><time file=\"1\" build=\"1\"/><size package=\"1\" installed=\"1\" archive=\"1\"/>\
             <location href=\"{name}-{version}-1.noarch.rpm\"/><format><rpm:license>MIT</rpm:license><rpm:provides>\
             <rpm:entry name=\"{name}\" flags=\"EQ\" {evr}/></rpm:provides><rpm:requires>{requires}</rpm:requires>\
             </format></package>"
        )
        .unwrap();
        for document in [&mut filelists, &mut other] {
            write!(
                document,
                "<package pkgid=\"{id}\" name=\"{name}\" arch=\"noarch\"><version {evr}/></package>"
            )
            .unwrap();
        }
    }
    primary.push_str("</metadata>");
    filelists.push_str("</filelists>");
    other.push_str("</otherdata>");
    let mut all = vec![
        ("primary", primary.as_str()),
        ("filelists", &filelists),
        ("other", &other),
    ];
    all.extend(documents);
    let mut repomd = format!(
        "<repomd xmlns=\"http://linux.duke.edu/metadata/repo\"><revision>{revision}</revision>"
    );
    std::fs::create_dir_all(folder.join("repodata")).unwrap();
    for (kind, text) in all {
        let digest = Sha256::of(text.as_bytes());
        let path = format!("repodata/{digest}-{kind}");
        std::fs::write(folder.join(&path), text).unwrap();
        write!(
            repomd,
            "<data type=\"{kind}\"><checksum type=\"sha256\">{digest}</checksum><location href=\"{path}\"/></data>"
        )
        .unwrap();
    }
    repomd.push_str("</repomd>");
    std::fs::write(folder.join("repodata/repomd.xml"), repomd).unwrap();
}

/// A build of a module.
pub(crate) fn module(
    name: &str,
    stream: &str,
    version: u64,
    context: &str,
    artifacts: &[String],
) -> String {
    let artifacts = artifacts.join(", ");
    format!(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: {name}\n  stream: {stream}\n  version: {version}\n  \
         context: {context}\n  arch: noarch\n  summary: S\n  description: D\n  artifacts: {{rpms: [{artifacts}]}}\n...\n"
    )
}

pub(crate) fn obsoletes(name: &str, stream: &str, message: &str) -> String {
    obsoletes_of(2020, name, stream, message)
}

/// Returns what was said in a year.
pub(crate) fn obsoletes_of(year: u32, name: &str, stream: &str, message: &str) -> String {
    format!(
        "---\ndocument: modulemd-obsoletes\nversion: 1\ndata:\n  modified: {year}-05-01T00:00Z\n  module: {name}\n  \
         stream: \"{stream}\"\n  message: {message}\n...\n"
    )
}

/// A repository whose packages come later, of a feed in a folder.
pub(crate) async fn repository(h: &Harness, id: &str, config: Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = format!("/{id}/");
    h.upstream.serve_dir(&path, folder.path().to_owned());
    let mut config = config;
    config["download_policy"] = json!("on_demand");
    h.repository(id, "rpm", &path, config).await;
    folder
}

pub(crate) async fn synced(h: &Harness, id: &str) {
    let task = h.sync(id).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

/// The modules.yaml that is served.
pub(crate) async fn served(h: &Harness, id: &str) -> String {
    let published = h.published(&format!("pulp/repos/{id}")).await;
    let repomd = published
        .iter()
        .find(|(path, _)| path == "repodata/repomd.xml");
    let repomd = repomd.map_or_else(String::new, |(_, bytes)| {
        String::from_utf8(bytes.clone()).unwrap()
    });
    // What was published before is still there beside it.
    let current = |path: &str| path.ends_with("modules.yaml.gz") && repomd.contains(path);
    let packed = published.iter().find(|(path, _)| current(path));
    let mut text = String::new();
    if let Some((_, bytes)) = packed {
        flate2::read::GzDecoder::new(&**bytes)
            .read_to_string(&mut text)
            .unwrap();
    }
    text
}

pub(crate) async fn copy(
    h: &Harness,
    (from, to): (&str, &str),
    criteria: Value,
    over: Value,
) -> Task {
    let job = Associate {
        repo_id: to.to_owned(),
        source_repo_id: from.to_owned(),
        criteria,
        override_config: serde_json::from_value(over).unwrap(),
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    task
}

pub(crate) async fn remove(h: &Harness, repo: &str, criteria: Value) {
    let job = Unassociate {
        repo_id: repo.to_owned(),
        criteria,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

pub(crate) async fn upload(h: &Harness, repo: &str, text: &str) {
    let uploads = h.engine.blobs.uploads();
    let id = uuid::Uuid::now_v7();
    uploads.create(id).await.unwrap();
    let data = futures::stream::iter([Ok::<_, std::io::Error>(text.to_owned().into())]);
    uploads.write_at(id, 0, data, 1 << 20).await.unwrap();
    let job = ImportUpload {
        repo_id: repo.to_owned(),
        upload_id: json!(id.to_string()),
        unit_type_id: json!("modulemd"),
        unit_key: Value::Null,
        unit_metadata: Value::Null,
        override_config: Value::Null,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
}

/// The documents of a repository's units of a type.
pub(crate) async fn documents(h: &Harness, repo: &str, type_id: &str) -> Vec<Document> {
    let query = UnitQuery {
        type_ids: vec![type_id],
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let units: Vec<_> = units.try_concat().await.unwrap();
    units.into_iter().map(|unit| unit.unit.doc).collect()
}

/// `name-version` of packages and builds, with whether packages are modular.
pub(crate) async fn content(h: &Harness, repo: &str) -> Vec<String> {
    let mut found = Vec::new();
    for doc in documents(h, repo, "rpm").await {
        let text = |field: &str| doc[field].as_str().unwrap().to_owned();
        let mark = if doc["is_modular"] == json!(true) {
            "*"
        } else {
            ""
        };
        found.push(format!("{}-{}{mark}", text("name"), text("version")));
    }
    for doc in documents(h, repo, "modulemd").await {
        let text = |field: &str| doc[field].as_str().unwrap().to_owned();
        let (name, stream, context) = (text("name"), text("stream"), text("context"));
        found.push(format!("{name}:{stream}:{}:{context}", doc["version"]));
    }
    for doc in documents(h, repo, "modulemd_defaults").await {
        found.push(format!("defaults of {}", doc["name"].as_str().unwrap()));
    }
    found.sort();
    found
}
