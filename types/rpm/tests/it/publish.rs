//! Publishes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use pith_content::Config;
use pith_core::clock::SignedDuration;
use pith_core::{Algorithm, Sha256, UnitId};
use pith_testkit::memory::{PUBLIC_KEY, signature};
use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::{compression, primary, snippet, updateinfo};
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
    // They came together: the smaller checksum keeps the name.
    let [_, second] = {
        let mut digests = [b"a", b"b"].map(|name| Sha256::of(name).to_string());
        digests.sort();
        digests
    };
    let second = format!("drpms/{second}-x.drpm");
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

/// Adds a package like the first one of the repository, with another file, that differs in `fields` and came at `added`.
fn add_like(repo: &Fake, checksum: &str, added: Option<&str>, fields: Value) {
    let state = &mut *repo.state.lock();
    let of_type = |key: &&Sha256| state.units[*key].type_id == "rpm";
    let first = |key: &&Sha256| state.units[*key].order;
    let like = *state.repo.iter().filter(of_type).min_by_key(first).unwrap();
    let mut copy = state.units[&like].clone();
    copy.unit.doc.insert("checksum".to_owned(), json!(checksum));
    let fields: pith_core::Document = serde_json::from_value(fields).unwrap();
    if let Some(new) = fields.get("filename").and_then(Value::as_str) {
        let old = copy.unit.doc["filename"].as_str().unwrap();
        let (_, part) = copy
            .parts
            .iter_mut()
            .find(|(name, _)| name == "primary")
            .unwrap();
        let path = primary::published_path(new).parse().unwrap();
        *part = primary::moved(&snippet::unpack(part).unwrap(), old, &path).unwrap();
    }
    copy.unit.doc.extend(fields);
    copy.unit.doc.remove("checksums");
    copy.unit.blob = None;
    copy.unit.id = UnitId::new();
    if let Some(added) = added {
        copy.unit.added = Some(added.parse().unwrap());
    }
    let key = Sha256::of(checksum.as_bytes());
    copy.order = state.units.len();
    state.units.insert(key, copy);
    state.repo.insert(key);
}

/// The paths of packages, by the first characters of their checksums.
fn paths(repo: &Fake) -> BTreeMap<String, String> {
    let mut stream = primary::PrimaryStream::open(open(repo, "primary")).unwrap();
    let (mut snippet, mut found) = (Vec::new(), BTreeMap::new());
    while let Some(package) = stream.next(&mut snippet).unwrap() {
        let checksum = package.digest.unwrap().hex()[..4].to_owned();
        found.insert(checksum, package.href.unwrap().to_string());
    }
    found
}

#[tokio::test]
async fn two_packages_that_agree_in_all_but_their_files_are_both_published() {
    // The one that came first keeps the name; of those that came together the one with the smaller checksum.
    for (added, checksum, moves) in [
        (None, "f", true),
        (None, "0", false),
        (Some("2025-01-01T00:00:00Z"), "0", true),
        (Some("2023-01-01T00:00:00Z"), "f", false),
    ] {
        let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
        repo.publish().await.unwrap();
        let before = paths(&repo);
        let checksum = checksum.repeat(64);
        add_like(&repo, &checksum, added, json!({}));
        repo.publish().await.unwrap();
        let after = paths(&repo);
        let own = after[&checksum[..4]].clone();
        let moved: Vec<_> = before
            .iter()
            .filter(|(key, path)| after[*key] != **path)
            .collect();
        let (folder, name) = own.rsplit_once('/').unwrap();
        if moves {
            assert!(moved.is_empty(), "{moved:?}");
            let plain = name.strip_prefix(&format!("{checksum}-")).unwrap();
            assert!(
                before
                    .values()
                    .any(|path| *path == format!("{folder}/{plain}"))
            );
        } else {
            let [(key, path)] = moved[..] else {
                panic!("{moved:?}")
            };
            assert_eq!(own, *path);
            let other = after[key].strip_prefix(folder).unwrap();
            assert!(other.starts_with(&format!("/{key}")) && other.ends_with(&format!("-{name}")));
        }
        let served = repo.state.lock().served.clone();
        assert!(after.values().all(|path| served.contains_key(path)));
        let mut text = String::new();
        open(&repo, "primary").read_to_string(&mut text).unwrap();
        assert!(text.contains("packages=\"11\""));
    }
}

#[tokio::test]
async fn the_same_packages_have_the_same_paths_in_whatever_order_they_are_read() {
    let digit = |at: usize| {
        char::from_digit(u32::try_from(at).unwrap(), 16)
            .unwrap()
            .to_string()
    };
    // Three share a file name; one of them is called as the fourth is, which has that name by right; two agree in all.
    let packages = [
        json!({"name": "a", "filename": "cli.rpm"}),
        json!({"name": "b", "filename": "cli.rpm"}),
        json!({"name": "b", "filename": "cli.rpm"}),
        json!({"name": "c", "filename": "b-1-1.noarch.rpm"}),
        json!({"name": "b", "filename": "b-1-1.noarch.rpm"}),
    ];
    let mut seen = BTreeSet::new();
    for turn in 0..packages.len() {
        let (_feed, repo) = synced(&Spec::default(), json!({"http": true})).await;
        // Half of them come with a second publish, which takes over what it can.
        for at in 0..packages.len() {
            let at = (at + turn) % packages.len();
            if at == 2 {
                repo.publish().await.unwrap();
            }
            let mut package = packages[at].clone();
            let version = json!({"version": "1", "release": "1", "arch": "noarch", "epoch": "0"});
            for (key, value) in version.as_object().unwrap() {
                package[key] = value.clone();
            }
            add_like(&repo, &digit(at + 1).repeat(64), None, package);
        }
        repo.publish().await.unwrap();
        let mut paths = paths(&repo);
        let names: BTreeSet<&str> = (paths.values())
            .map(|path| path.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(
            names.len(),
            paths.len(),
            "clients put files of all folders into one"
        );
        paths.retain(|key, _| key.chars().all(|c| key.starts_with(c)));
        seen.insert(paths);
    }
    let of = |digit: &str, path: &str| (digit.repeat(4), path.to_owned());
    let long = |digit: &str| format!("Packages/b/{}-b-1-1.noarch.rpm", digit.repeat(64));
    let wanted = BTreeMap::from([
        of("1", "Packages/c/cli.rpm"),
        of("2", &long("2")),
        of("3", &long("3")),
        of("4", "Packages/c/c-1-1.noarch.rpm"),
        of("5", "Packages/b/b-1-1.noarch.rpm"),
    ]);
    assert_eq!(seen, BTreeSet::from([wanted]));
}

#[tokio::test]
async fn repomd_is_signed_where_the_settings_say_so_and_old_signatures_go() {
    let spec = Spec {
        packages: 3,
        ..Spec::default()
    };
    let (_feed, mut repo) = synced(&spec, json!({"http": true, "https": true})).await;
    let served = |repo: &Fake, beside: &str| {
        let bytes = repo.served(&format!("repodata/repomd.xml{beside}"));
        bytes.map(|bytes| String::from_utf8(bytes).unwrap())
    };
    for signed in [false, true, true, false] {
        let config = json!({"http": true, "https": true, "gpg_sign_metadata": signed});
        repo.config = Config::new(config.as_object().cloned().unwrap());
        let report = repo.publish().await.unwrap();
        let state = report.summary.get("sign_repo_metadata");
        assert_eq!(state, signed.then(|| json!("FINISHED")).as_ref());
        let expected = signature(served(&repo, "").unwrap().as_bytes());
        assert_eq!(served(&repo, ".asc"), signed.then_some(expected));
        let key = signed.then(|| PUBLIC_KEY.to_owned());
        assert_eq!(served(&repo, ".key"), key);
        // The next one is another second's.
        repo.clock.advance(SignedDuration::from_secs(5));
    }
}
