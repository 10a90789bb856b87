//! Publishes.

use std::collections::BTreeSet;
use std::io::Read;

use pith_core::clock::SignedDuration;
use pith_core::{Algorithm, Sha256, UnitId};
use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::{compression, primary, updateinfo};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::Fake;

pub async fn synced(spec: &Spec, config: Value) -> (TempDir, Fake) {
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), spec).unwrap();
    let mut repo = Fake::new(folder.path(), config);
    repo.sync().await.unwrap();
    (folder, repo)
}

pub fn repomd(repo: &Fake) -> Repomd {
    let entry = repo.state.lock().served["repodata/repomd.xml"].0.clone();
    Repomd::read(repo.bytes(&entry).as_slice()).unwrap()
}

pub fn open(repo: &Fake, kind: &str) -> Box<dyn std::io::BufRead + Send> {
    let href = repomd(repo).get(kind).unwrap().href.to_string();
    let entry = repo.state.lock().served[&href].0.clone();
    compression::open(std::io::Cursor::new(repo.bytes(&entry)), 1 << 30).unwrap()
}

#[tokio::test]
async fn a_publication_holds_every_package_and_consistent_metadata() {
    let spec = Spec {
        packages: 20,
        sources: 2,
        modules: 2,
        product_id: true,
        ..Spec::default()
    };
    let (_feed, repo) = synced(&spec, json!({"http": true, "https": true})).await;
    let report = repo.publish().await.unwrap();
    let repomd = repomd(&repo);
    let kinds: Vec<&str> = repomd.data.iter().map(|d| d.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "filelists",
            "other",
            "primary",
            "updateinfo",
            "modules",
            "group",
            "productid"
        ]
    );
    for data in &repomd.data {
        let digest = data.checksum.as_ref().unwrap();
        let entry = repo.state.lock().served[data.href.as_str()].0.clone();
        let bytes = repo.bytes(&entry);
        assert_eq!(pith_core::Sha256::of(&bytes).to_string(), digest.hex());
        assert_eq!(data.size, Some(bytes.len() as u64));
        assert!(
            data.href
                .as_str()
                .starts_with(&format!("repodata/{}-", digest.hex()))
        );
    }
    let mut stream = primary::PrimaryStream::open(open(&repo, "primary")).unwrap();
    let (mut snippet, mut seen) = (Vec::new(), 0);
    while let Some(package) = stream.next(&mut snippet).unwrap() {
        let href = package.href.as_ref().unwrap().to_string();
        let entry = repo.state.lock().served[&href].0.clone();
        let bytes = repo.bytes(&entry);
        assert_eq!(
            package.digest.unwrap().hex(),
            pith_core::Sha256::of(&bytes).to_string()
        );
        seen += 1;
    }
    assert_eq!(seen, 22);
    assert_eq!(report.summary["rpms"], "FINISHED");
    assert_eq!(report.summary["drpms"], "SKIPPED");
    let steps = report.details.as_array().unwrap();
    assert_eq!(steps.len(), 15);
    assert_eq!(steps[2]["items_total"], 22);
    assert_eq!(steps[2]["num_success"], 22);
    assert_eq!(steps[6]["num_success"], 5);
    assert_eq!(steps[14]["description"], "Writing Listings File");
}

#[tokio::test]
async fn only_advisories_about_packages_that_are_here_are_published() {
    let (_feed, repo) = synced(
        &Spec {
            errata: 3,
            packages: 9,
            ..Spec::default()
        },
        json!({"http": true}),
    )
    .await;
    {
        let state = &mut *repo.state.lock();
        let units = &state.units;
        // The second advisory is about the packages three to five.
        let gone = ["dusty-anvil", "eager-anvil", "fuzzy-anvil"];
        state.repo.retain(|key| {
            let name = units[key].unit.doc.get("name").and_then(Value::as_str);
            !gone.contains(&name.unwrap_or_default())
        });
    }
    repo.publish().await.unwrap();
    let mut stream = updateinfo::ErratumStream::open(open(&repo, "updateinfo")).unwrap();
    let mut ids = Vec::new();
    while let Some(erratum) = stream.next_erratum().unwrap() {
        assert_eq!(erratum.pkglist[0].name, "zoo_0_default");
        ids.push(erratum.id);
    }
    assert_eq!(ids, ["EXSA-2026:0000", "EXSA-2026:0002"]);
}

#[tokio::test]
async fn an_empty_repository_is_published_with_empty_documents() {
    let folder = tempfile::tempdir().unwrap();
    let repo = Fake::new(folder.path(), json!({"http": true}));
    repo.publish().await.unwrap();
    let kinds: Vec<String> = repomd(&repo).data.into_iter().map(|d| d.kind).collect();
    assert_eq!(
        kinds,
        ["filelists", "other", "primary", "updateinfo", "group"]
    );
    let mut stream = primary::PrimaryStream::open(open(&repo, "primary")).unwrap();
    assert!(stream.next(&mut Vec::new()).unwrap().is_none());
}

#[tokio::test]
async fn metadata_that_was_replaced_stays_for_clients_in_mid_run() {
    let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
    repo.publish().await.unwrap();
    let old: BTreeSet<String> = repomd(&repo)
        .data
        .iter()
        .map(|d| d.href.to_string())
        .collect();
    // However old it is when it is replaced, it stays for the threshold from then on.
    repo.clock.advance(SignedDuration::from_hours(24 * 30));
    {
        let state = &mut *repo.state.lock();
        let key = *state
            .repo
            .iter()
            .find(|k| state.units[*k].type_id == "rpm")
            .unwrap();
        state.repo.remove(&key);
    }
    repo.publish().await.unwrap();
    let served = |repo: &Fake| {
        repo.state
            .lock()
            .served
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    assert!(served(&repo).is_superset(&old));
    repo.clock.advance(SignedDuration::from_hours(24 * 15));
    repo.publish().await.unwrap();
    let current: BTreeSet<String> = repomd(&repo)
        .data
        .iter()
        .map(|d| d.href.to_string())
        .collect();
    assert!(
        old.difference(&current)
            .all(|path| !served(&repo).contains(path))
    );
}

#[tokio::test]
async fn deltas_that_share_a_file_name_are_all_published() {
    let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
    for (order, folder) in ["a", "b"].into_iter().enumerate() {
        let checksum = Sha256::of(folder.as_bytes());
        let doc = json!({
            "new_package": "x", "arch": "noarch", "epoch": "0", "version": "2", "release": "1", "oldepoch": "0",
            "oldversion": "1", "oldrelease": "1", "filename": format!("{folder}/x.drpm"), "sequence": "s", "size": 4,
            "checksumtype": "sha256", "checksum": checksum.to_string(),
        });
        let state = &mut *repo.state.lock();
        let mut stored = state.units.values().next().unwrap().clone();
        stored.type_id = "drpm";
        stored.order = order;
        stored.unit.id = UnitId::new();
        stored.unit.doc = serde_json::from_value(doc).unwrap();
        stored.unit.blob = Some(checksum);
        state.units.insert(checksum, stored);
        state.repo.insert(checksum);
    }
    let report = repo.publish().await.unwrap();
    let served = repo.state.lock().served.clone();
    let second = format!("drpms/{}/x.drpm", Sha256::of(b"b"));
    assert!(served.contains_key("drpms/x.drpm") && served.contains_key(&second));
    let mut deltas = String::new();
    open(&repo, "prestodelta")
        .read_to_string(&mut deltas)
        .unwrap();
    assert!(deltas.contains(&format!("<filename>{second}</filename>")));
    let steps = report.details.as_array().unwrap();
    let drpms = steps.iter().find(|step| step["step_type"] == "drpms");
    let said = drpms.unwrap()["details"].as_str().unwrap();
    assert!(said.starts_with("1 file has the name"), "{said}");
}

#[tokio::test]
async fn each_repomd_has_a_later_second_than_the_one_before() {
    let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
    let mut last = 0;
    for _ in 0..3 {
        // The clock stands still.
        repo.publish().await.unwrap();
        let (_, modified) = repo.state.lock().served["repodata/repomd.xml"].clone();
        assert!(modified.as_second() > last);
        last = modified.as_second();
        assert_eq!(repomd(&repo).revision, Some(last));
    }
}

#[tokio::test]
async fn no_replaced_metadata_stays_where_the_threshold_is_nothing() {
    let config = json!({"http": true, "remove_old_repodata_threshold": 0});
    let (_feed, repo) = synced(&Spec::default(), config).await;
    repo.publish().await.unwrap();
    {
        let state = &mut *repo.state.lock();
        let key = *state.repo.iter().next().unwrap();
        state.repo.remove(&key);
    }
    repo.publish().await.unwrap();
    let mut right: BTreeSet<String> = (repomd(&repo).data.iter())
        .map(|data| data.href.to_string())
        .collect();
    right.insert("repodata/repomd.xml".to_owned());
    let served = repo.state.lock().served.clone();
    let there = served.into_keys().filter(|p| p.starts_with("repodata/"));
    assert_eq!(there.collect::<BTreeSet<_>>(), right);
}

#[tokio::test]
async fn the_checksum_type_of_the_feed_is_used_unless_another_is_asked_for() {
    let spec = Spec {
        checksum: Algorithm::Sha1,
        ..Spec::default()
    };
    let (_feed, repo) = synced(&spec, json!({"http": true})).await;
    repo.publish().await.unwrap();
    let algorithm = |repo: &Fake| repomd(repo).data[0].checksum.as_ref().unwrap().algorithm();
    assert_eq!(algorithm(&repo), Algorithm::Sha1);
    let (_feed, repo) = synced(&spec, json!({"http": true, "checksum_type": "sha256"})).await;
    repo.publish().await.unwrap();
    assert_eq!(algorithm(&repo), Algorithm::Sha256);
    let (_feed, repo) = synced(&spec, json!({"http": true, "checksum_type": "md5"})).await;
    repo.publish().await.unwrap();
    assert_eq!(algorithm(&repo), Algorithm::Md5);
    let kept = |unit: &crate::fake::Stored| unit.unit.doc["checksums"]["md5"].is_string();
    let packages = |state: &crate::fake::State| {
        state
            .units
            .values()
            .filter(|unit| unit.type_id == "rpm")
            .all(kept)
    };
    assert!(packages(&repo.state.lock()), "what was worked out is kept");
}

#[tokio::test]
async fn two_packages_that_agree_in_all_but_their_files_are_both_published() {
    let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
    let name = {
        let state = &mut *repo.state.lock();
        let key = *state
            .repo
            .iter()
            .find(|k| state.units[*k].type_id == "rpm")
            .unwrap();
        let mut copy = state.units[&key].clone();
        copy.unit
            .doc
            .insert("checksum".to_owned(), json!("f".repeat(64)));
        copy.unit.doc.remove("checksums");
        copy.unit.blob = None;
        copy.unit.id = pith_core::UnitId::new();
        copy.unit.updated = "2025-01-01T00:00:00Z".parse().unwrap();
        let other = pith_core::Sha256::of(b"other");
        state.units.insert(other, copy);
        state.repo.insert(other);
        state.units[&key].unit.doc["filename"].clone()
    };
    repo.publish().await.unwrap();
    let mut stream = primary::PrimaryStream::open(open(&repo, "primary")).unwrap();
    let (mut snippet, mut found) = (Vec::new(), Vec::new());
    while let Some(package) = stream.next(&mut snippet).unwrap() {
        if name == package.filename() {
            found.push(package.href.unwrap().to_string());
        }
    }
    // Which of the two keeps the plain path is decided by their ids; the other lies below its digest.
    assert_eq!(found.len(), 2);
    let nested = found.iter().filter(|path| path.matches('/').count() == 3);
    assert_eq!(nested.count(), 1, "{found:?}");
    let served = repo.state.lock().served.clone();
    assert!(found.iter().all(|path| served.contains_key(path)));
    let mut text = String::new();
    std::io::Read::read_to_string(&mut open(&repo, "primary"), &mut text).unwrap();
    assert!(text.contains("packages=\"11\""));
}
