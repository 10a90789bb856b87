//! Syncs.

use pith_content::ContentError;
use pith_core::Algorithm;
use pith_testkit::repos::{Compression, Spec, write_repository};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fake::Fake;
use crate::spoil::{Fault, add_delta, spoiled};

fn feed(spec: &Spec) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), spec).unwrap();
    folder
}

fn finished() -> Value {
    let step = json!({"state": "FINISHED"});
    json!({
        "metadata": step, "content": step, "distribution": step, "modules": step, "errata": step, "comps": step,
        "purge_duplicates": step,
    })
}

#[tokio::test]
async fn a_sync_brings_everything_and_reports_as_pulp_did() {
    let spec = Spec {
        packages: 20,
        sources: 3,
        modules: 2,
        product_id: true,
        ..Spec::default()
    };
    let folder = feed(&spec);
    let mut repo = Fake::new(folder.path(), json!({}));
    let report = repo.sync().await.unwrap();
    for (type_id, count) in [
        ("rpm", 20),
        ("srpm", 3),
        ("erratum", 2),
        ("package_group", 2),
        ("package_category", 1),
        ("package_environment", 1),
        ("package_langpacks", 1),
        ("modulemd", 2),
        ("modulemd_defaults", 2),
        ("yum_repo_metadata_file", 1),
    ] {
        assert_eq!(repo.count_of(type_id), count, "{type_id}");
    }
    assert_eq!(report.summary, finished());
    let content = &report.details["content"];
    assert_eq!(content["items_total"], 23);
    assert_eq!(content["items_left"], 0);
    assert_eq!(content["size_left"], 0);
    assert_eq!(
        content["details"],
        json!({"rpm_total": 23, "rpm_done": 23, "drpm_total": 0, "drpm_done": 0})
    );
    assert_eq!(repo.state.lock().progress, report.details);
    assert_eq!(report.repo_scratchpad["checksum_type"], "sha256");
}

#[tokio::test]
async fn a_unit_is_shown_as_pulp_showed_it() {
    let folder = feed(&Spec {
        modules: 1,
        ..Spec::default()
    });
    let mut repo = Fake::new(folder.path(), json!({}));
    repo.sync().await.unwrap();
    let doc = repo.shown("rpm", "name", "amber-anvil");
    // The package's own header does not say so, but a module lists it.
    assert_eq!(doc["is_modular"], true);
    assert_eq!(doc["provides"][0]["flags"], "EQ");
    assert_eq!(doc["provides"][1]["release"], Value::Null);
    assert_eq!(doc["files"]["file"].as_array().unwrap().len(), 3);
    assert_eq!(doc["changelog"].as_array().unwrap().len(), 3);
    assert_eq!(
        doc["changelog"][0][2],
        "- change 1 of amber-anvil & friends"
    );
    let primary = doc["repodata"]["primary"].as_str().unwrap();
    assert!(
        primary.contains(
            "<checksum type=\"{{ checksumtype }}\" pkgid=\"YES\">{{ checksum }}</checksum>"
        )
    );
    let filename = doc["filename"].as_str().unwrap();
    assert!(primary.contains(&format!("<location href=\"Packages/a/{filename}\"/>")));
    let other = doc["repodata"]["other"].as_str().unwrap();
    assert!(other.starts_with("<package pkgid=\"{{ pkgid }}\""));
    let erratum = repo.shown("erratum", "id", "EXSA-2026:0000");
    assert_eq!(erratum["pkglist"][0]["name"], "collection-0");
    let packages = erratum["pkglist"][0]["packages"].as_array().unwrap();
    assert_eq!(packages.len(), 3);
    assert_eq!(packages[0]["sum"][0], "sha256");
}

#[tokio::test]
async fn an_unchanged_feed_costs_one_request_and_a_forced_sync_adds_nothing() {
    let folder = feed(&Spec::default());
    let mut repo = Fake::new(folder.path(), json!({}));
    repo.sync().await.unwrap();
    let units = repo.state.lock().repo.clone();
    repo.take_asked();
    let report = repo.sync().await.unwrap();
    assert_eq!(report.summary, finished());
    assert_eq!(repo.take_asked(), ["http://feed/repodata/repomd.xml"]);
    repo.force = true;
    let report = repo.sync().await.unwrap();
    assert_eq!(report.details["content"]["items_total"], 0);
    assert_eq!(repo.state.lock().repo, units);
}

#[tokio::test]
async fn every_compression_and_checksum_is_read() {
    for compression in [
        Compression::Plain,
        Compression::Gz,
        Compression::Xz,
        Compression::Zst,
        Compression::Bz2,
    ] {
        for checksum in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
            let folder = feed(&Spec {
                compression,
                checksum,
                packages: 2,
                ..Spec::default()
            });
            let mut repo = Fake::new(folder.path(), json!({}));
            let report = repo.sync().await.unwrap();
            assert_eq!(repo.count_of("rpm"), 2);
            assert_eq!(report.repo_scratchpad["checksum_type"], checksum.name());
        }
    }
}

#[tokio::test]
async fn broken_feeds_fail_with_a_reason_and_leave_the_repository_alone() {
    for (fault, code, text) in [
        (Fault::Bomb, "RPM1015", "larger than 8 MiB"),
        (Fault::Entity, "RPM1015", "entities of its own"),
        (
            Fault::NoPrimary,
            "RPM1015",
            "\"primary\" metadata is not found",
        ),
        (Fault::WrongMetadata, "RPM1004", "primary.xml"),
    ] {
        let folder = spoiled(fault, 5);
        let mut repo = Fake::new(folder.path(), json!({}));
        let Err(ContentError::Coded(detail)) = repo.sync().await else {
            panic!("{fault:?} passed");
        };
        assert_eq!(detail.code, code, "{fault:?}: {}", detail.description);
        assert!(
            detail.description.contains(text),
            "{fault:?}: {}",
            detail.description
        );
        assert!(
            detail.description.contains("http://feed/"),
            "{}",
            detail.description
        );
        assert!(repo.state.lock().repo.is_empty());
    }
}

#[tokio::test]
async fn feeds_that_are_none_fail_with_pulps_codes() {
    let empty = tempfile::tempdir().unwrap();
    for (config, code) in [(json!({"feed": null}), "RPM1005"), (json!({}), "RPM1004")] {
        let mut repo = Fake::new(empty.path(), config);
        let Err(ContentError::Coded(detail)) = repo.sync().await else {
            panic!("{code} passed");
        };
        assert_eq!(detail.code, code);
    }
    std::fs::create_dir(empty.path().join("repodata")).unwrap();
    std::fs::write(empty.path().join("repodata/repomd.xml"), "<html>").unwrap();
    let mut repo = Fake::new(empty.path(), json!({}));
    let Err(ContentError::Coded(detail)) = repo.sync().await else {
        panic!("passed");
    };
    assert_eq!(detail.code, "RPM1006");
    assert_eq!(repo.state.lock().progress["metadata"]["state"], "FAILED");
    assert_eq!(
        repo.state.lock().progress["content"]["state"],
        "NOT_STARTED"
    );
}

#[tokio::test]
async fn packages_that_cannot_be_had_fail_the_sync_unless_told_to_go_on() {
    for fault in [Fault::MissingPackage, Fault::WrongPackage] {
        let folder = spoiled(fault, 5);
        let mut repo = Fake::new(folder.path(), json!({}));
        let Err(ContentError::Failed {
            message, details, ..
        }) = repo.sync().await
        else {
            panic!("{fault:?} passed");
        };
        assert!(
            message.contains("http://feed/Packages/amber-anvil"),
            "{message}"
        );
        assert_eq!(details["content"]["state"], "FAILED");
        assert!(repo.state.lock().repo.is_empty());

        let mut repo = Fake::new(folder.path(), json!({"on_download_failure": "continue"}));
        let report = repo.sync().await.unwrap();
        assert_eq!(repo.count_of("rpm"), 4);
        assert_eq!(
            report.details["content"]["error_details"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        assert_eq!(
            report.importer_scratchpad.unwrap()["repomd_revision"],
            Value::Null
        );
    }
}

#[tokio::test]
async fn documents_in_another_order_are_joined_too() {
    let folder = spoiled(Fault::ReversedFilelists, 250);
    let mut repo = Fake::new(folder.path(), json!({}));
    repo.sync().await.unwrap();
    assert_eq!(repo.count_of("rpm"), 250);
    let doc = repo.shown("rpm", "name", "jolly-cedar");
    assert!(
        doc["files"]["file"][0]
            .as_str()
            .unwrap()
            .contains("jolly-cedar")
    );
}

#[tokio::test]
async fn what_upstream_dropped_goes_of_every_type_when_asked() {
    let types = || pith_type_rpm::types::UNIT_TYPES.iter().map(|kind| kind.id);
    for remove in [false, true] {
        let folder = feed(&Spec {
            sources: 2,
            modules: 1,
            product_id: true,
            ..Spec::default()
        });
        add_delta(folder.path());
        let mut repo = Fake::new(folder.path(), json!({"remove_missing": remove}));
        repo.sync().await.unwrap();
        let before: Vec<(&str, usize)> = types().map(|id| (id, repo.count_of(id))).collect();
        let unknown = ["distribution", "module_document"];
        for (id, count) in &before {
            assert!(*count > 0 || unknown.contains(id), "the feed has no {id}");
        }
        let smaller = Spec {
            packages: 4,
            errata: 0,
            groups: 0,
            revision: 1_800_000_000,
            ..Spec::default()
        };
        std::fs::remove_dir_all(folder.path().join("repodata")).unwrap();
        write_repository(folder.path(), &smaller).unwrap();
        repo.sync().await.unwrap();
        for (id, count) in before {
            let left = match (remove, id) {
                (false, _) => count,
                (true, "rpm") => 4,
                (true, _) => 0,
            };
            assert_eq!(repo.count_of(id), left, "{id}, remove_missing {remove}");
        }
    }
}

#[tokio::test]
async fn types_can_be_left_out() {
    let folder = feed(&Spec {
        sources: 2,
        ..Spec::default()
    });
    let mut repo = Fake::new(folder.path(), json!({"type_skip_list": ["rpm", "erratum"]}));
    repo.sync().await.unwrap();
    assert_eq!(
        (
            repo.count_of("rpm"),
            repo.count_of("srpm"),
            repo.count_of("erratum")
        ),
        (0, 0, 0)
    );
    assert_eq!(repo.count_of("package_group"), 2);
}

#[tokio::test]
async fn unsigned_packages_are_left_out_when_signatures_are_required() {
    let folder = feed(&Spec::default());
    let mut repo = Fake::new(folder.path(), json!({"require_signature": true}));
    // The engine tells the observer of a refused unit; the fake ends there.
    let error = repo.sync().await.unwrap_err();
    assert!(error.to_string().contains("signature"));
}
