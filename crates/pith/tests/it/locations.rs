//! Locations of files: names that a URL gives another meaning, tokens, folders above, servers that pack what they send.

use std::path::Path;

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_pulp::jobs::DownloadRepository;
use pith_store::{Task, UnitQuery};
use pith_testkit::repos::{MadePackage, Spec, write_repository};
use pith_testkit::upstream::{Fault, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::deferred::{Front, missing, whole};
use crate::harness::{Harness, On};

/// A name that a URL gives another meaning in every way there is.
const ODD: &str = "a+b^c~d %25 \u{fc}#e?f&g";
/// The name as dnf and curl ask for it.
const ODD_ESCAPED: &str = "a%2Bb%5Ec~d%20%2525%20%C3%BC%23e%3Ff%26g";

fn odd(package: &MadePackage) -> String {
    format!("P a/{ODD}-{}", package.file_name())
}

fn above(package: &MadePackage) -> String {
    format!("../../pool/{}", package.file_name())
}

/// A repository of one package in a folder of its own, and the package.
pub(crate) fn repository(spec: &Spec) -> (TempDir, MadePackage) {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 1,
        ..spec.clone()
    };
    let made = write_repository(folder.path(), &spec).unwrap().remove(0);
    (folder, made)
}

fn file(folder: &Path, package: &MadePackage) -> Vec<u8> {
    std::fs::read(folder.join(package.location())).unwrap()
}

fn located(location: fn(&MadePackage) -> String) -> Spec {
    Spec {
        location,
        ..Spec::default()
    }
}

/// Serves the documents of a repository, and its package at `path` only.
fn serve(upstream: &Upstream, prefix: &str, folder: &Path, path: &str, bytes: Vec<u8>) {
    let documents = folder.join("repodata");
    upstream.serve_dir(&format!("{prefix}repodata/"), documents);
    upstream.put(path, bytes);
}

pub(crate) async fn synced(h: &Harness, repo: &str) -> Task {
    let task = h.sync(repo).await;
    assert_eq!(task.state, TaskState::Finished, "{:?}", task.error);
    task
}

/// The notes of the report on what was bent.
pub(crate) fn bent<'a>(task: &'a Task, kind: &str) -> &'a Value {
    &task.result["details"]["upstream"][kind]
}

/// The URLs that are kept for the files of a repository.
async fn kept(h: &Harness, repo: &str) -> Vec<String> {
    let query = UnitQuery {
        type_ids: vec!["rpm", "iso"],
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let units: Vec<_> = h
        .engine
        .store
        .units_stream(&query)
        .unwrap()
        .try_concat()
        .await
        .unwrap();
    let mut urls = Vec::new();
    for unit in units {
        let sources = h.engine.store.sources_of(unit.unit.id, "").await.unwrap();
        urls.extend(sources.into_iter().flat_map(|source| source.urls));
    }
    urls
}

async fn download(h: &Harness, repo: &str) {
    let job = DownloadRepository {
        repo_id: repo.to_owned(),
        verify_all_units: false,
    };
    let id = h.engine.enqueue(job).await.unwrap();
    h.ended(id).await;
    assert_eq!(missing(h, repo).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_are_had_from_strict_servers_whenever_they_are_wanted() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    h.upstream.act_as_object_store();
    for (seed, policy) in (0..).zip(["immediate", "on_demand", "background"]) {
        // Another package for each, so that nothing is here already.
        let spec = Spec {
            seed,
            ..located(odd)
        };
        let (folder, package) = repository(&spec);
        let bytes = file(folder.path(), &package);
        let prefix = format!("/{policy}/");
        let path = format!("{prefix}{}", odd(&package));
        serve(&h.upstream, &prefix, folder.path(), &path, bytes.clone());
        let iso = format!("{ODD}.iso");
        let text = format!("iso of {policy}");
        h.upstream.put(&format!("/iso{prefix}{iso}"), text.clone());
        let line = format!(
            "\"{iso}\",{},{}\n",
            pith_core::Sha256::of(text.as_bytes()),
            text.len()
        );
        h.upstream.put(&format!("/iso{prefix}PULP_MANIFEST"), line);
        let config = json!({"download_policy": policy});
        let (rpms, isos) = (format!("rpm-{policy}"), format!("iso-{policy}"));
        h.repository(&rpms, "rpm", &prefix, config.clone()).await;
        h.repository(&isos, "iso", &format!("/iso{prefix}"), config)
            .await;
        let task = synced(&h, &rpms).await;
        assert!(bent(&task, "raw_spelling").is_null(), "{policy}");
        synced(&h, &isos).await;
        let front = Front::of(&h.engine);
        let name = package.file_name();
        let path = format!("/pulp/repos/{rpms}/Packages/a/{ODD_ESCAPED}-{name}");
        assert!(
            whole(front.get(&path).await).await.unwrap() == bytes,
            "{policy}"
        );
        let path = format!("/pulp/isos/{isos}/{ODD_ESCAPED}.iso");
        assert_eq!(whole(front.get(&path).await).await.unwrap(), text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_asked_for_as_they_stand_where_a_server_knows_them_so() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    // The first server decodes nothing; at the second one the location is encoded already.
    let plus = |package: &MadePackage| format!("a+b-{}", package.file_name());
    let encoded = |package: &MadePackage| format!("a%5Eb-{}", package.file_name());
    type Place = fn(&MadePackage) -> String;
    let places: [(&str, Place); 2] = [("plus", plus), ("encoded", encoded)];
    let mut seed = 0;
    for (repo, location) in places {
        for policy in ["immediate", "on_demand"] {
            seed += 1;
            let spec = Spec {
                seed,
                ..located(location)
            };
            let (folder, package) = repository(&spec);
            let prefix = format!("/{repo}/{policy}/");
            let path = format!("{prefix}{}", location(&package));
            let bytes = file(folder.path(), &package);
            serve(&h.upstream, &prefix, folder.path(), &path, bytes);
            let id = format!("{repo}-{policy}");
            let config = json!({"download_policy": policy});
            h.repository(&id, "rpm", &prefix, config).await;
            let task = synced(&h, &id).await;
            match policy {
                "immediate" => assert_eq!(bent(&task, "raw_spelling")["count"], 1),
                _ => download(&h, &id).await,
            }
            // Published under the name of the location, which some clients take for a piece of a URL.
            let front = Front::of(&h.engine);
            let name = location(&package);
            let escaped = name.replace('%', "%25").replace('+', "%2B");
            for asked in [name, escaped] {
                let path = format!("/pulp/repos/{id}/Packages/a/{asked}");
                assert_eq!(front.get(&path).await.status(), 200, "{path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_in_the_feed_is_behind_every_path_and_nowhere_else() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let (folder, package) = repository(&located(above));
    h.upstream.require_query("T0ken&1");
    let path = format!("/pool/{}", package.file_name());
    let bytes = file(folder.path(), &package);
    serve(&h.upstream, "/a/os/", folder.path(), &path, bytes.clone());
    serve(&h.upstream, "/b/os/", folder.path(), &path, bytes);
    let line = |text: &str| format!("{},{}", pith_core::Sha256::of(text.as_bytes()), text.len());
    h.upstream
        .put("/iso/PULP_MANIFEST", format!("a.iso,{}\n", line("a")));
    h.upstream.put("/iso/a.iso", "a");
    let later = json!({"download_policy": "on_demand"});
    for (repo, kind, feed, config) in [
        ("later", "rpm", "/a/os/?T0ken&1", later.clone()),
        ("now", "rpm", "/b/os?T0ken&1", json!({})),
        ("files", "iso", "/iso?T0ken&1", later),
    ] {
        h.repository(repo, kind, feed, config).await;
        let task = synced(&h, repo).await;
        assert!(!format!("{task:?}").contains("T0ken"), "{task:?}");
        let urls = kept(&h, repo).await;
        assert!(
            !urls.is_empty() && !urls.concat().contains("T0ken"),
            "{urls:?}"
        );
        download(&h, repo).await;
        let importers = h.pulp.importer_list(repo).await.unwrap();
        let shown = importers[0]["config"]["feed"].as_str().unwrap();
        assert!(shown.ends_with("?*****&*****"), "{shown}");
    }
    // What fails says where, and not with which token.
    h.upstream.remove("/iso/PULP_MANIFEST");
    let task = h.sync("files").await;
    let said = format!("{task:?}");
    assert!(
        said.contains("/iso/PULP_MANIFEST") && !said.contains("T0ken"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packages_above_the_feed_are_published_under_their_names() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    for (seed, policy) in (0..).zip(["immediate", "on_demand"]) {
        let spec = Spec {
            seed,
            ..located(above)
        };
        let (folder, package) = repository(&spec);
        let bytes = file(folder.path(), &package);
        let path = format!("/{policy}/pool/{}", package.file_name());
        let prefix = format!("/{policy}/a/os/");
        serve(&h.upstream, &prefix, folder.path(), &path, bytes.clone());
        let config = json!({"download_policy": policy});
        h.repository(policy, "rpm", &prefix, config).await;
        let task = synced(&h, policy).await;
        assert_eq!(bent(&task, "locations_outside")["count"], 1);
        let urls = kept(&h, policy).await;
        assert_eq!(urls, [above(&package)], "it follows the feed");
        let name = package.file_name();
        let letter = &name[..1];
        let front = Front::of(&h.engine);
        let path = format!("/pulp/repos/{policy}/Packages/{letter}/{name}");
        assert!(whole(front.get(&path).await).await.unwrap() == bytes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_packs_unasked_is_unpacked_everywhere() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let (folder, package) = repository(&Spec::default());
    h.upstream.serve_dir("/os/", folder.path());
    let repodata = std::fs::read_dir(folder.path().join("repodata")).unwrap();
    for entry in repodata {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("/os/repodata/{name}");
        h.upstream.fault(&path, Fault::PackedNoLength("gzip"));
    }
    let path = format!("/os/{}", package.location());
    h.upstream.fault(&path, Fault::PackedNoLength("gzip"));
    h.repository("now", "rpm", "/os/", json!({})).await;
    let task = synced(&h, "now").await;
    assert!(bent(&task, "content_encoding")["count"].as_u64() > Some(4));
    let (later, package) = repository(&Spec {
        seed: 1,
        ..Spec::default()
    });
    h.upstream.serve_dir("/later/", later.path());
    let path = format!("/later/{}", package.location());
    h.upstream.fault(&path, Fault::Packed("zstd"));
    let config = json!({"download_policy": "on_demand"});
    h.repository("later", "rpm", "/later/", config).await;
    synced(&h, "later").await;
    let front = Front::of(&h.engine);
    let name = package.file_name();
    let path = format!("/pulp/repos/later/Packages/{}/{name}", &name[..1]);
    assert!(whole(front.get(&path).await).await.unwrap() == file(later.path(), &package));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_on_this_machine_may_have_any_name() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd #1? %20 +");
    let made = write_repository(&odd, &Spec::of(1)).unwrap();
    let feed = format!("file://{}", odd.display()).replace('%', "%25");
    h.repository("r", "rpm", "/", json!({})).await;
    let change = json!({"importer_config": {"feed": feed}});
    let id = h
        .pulp
        .importer_update("r", "yum_importer", change.as_object().unwrap())
        .await
        .unwrap();
    h.ended(id).await;
    synced(&h, "r").await;
    assert_eq!(
        h.units("r", "rpm", "name").await,
        [made[0].spec.name.clone()]
    );
}
