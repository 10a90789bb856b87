//! Claims of clients about an upload: each key of `unit_key` and `unit_metadata` counts, or the import fails and names it.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use pith_core::criteria::Criteria;
use pith_core::task::TaskState;
use pith_pulp::jobs::ImportUpload;
use pith_pulp::search::Shown;
use pith_store::Task;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};

use crate::harness::{Harness, On};

crate::on_both!(
    every_field_of_an_upload_without_a_file_is_stored,
    what_is_said_of_a_file_must_be_so,
    an_advisory_is_published_with_what_it_says_of_its_packages,
);

struct Import {
    type_id: &'static str,
    key: Value,
    metadata: Value,
}

async fn import(h: &Harness, bytes: Option<Vec<u8>>, import: Import) -> Task {
    import_into(h, "r", bytes, import).await
}

async fn import_into(h: &Harness, repo: &str, bytes: Option<Vec<u8>>, import: Import) -> Task {
    let upload_id = match bytes {
        None => Value::Null,
        Some(bytes) => {
            let id = uuid::Uuid::now_v7();
            let uploads = h.engine.blobs.uploads();
            uploads.create(id).await.unwrap();
            let data = futures::stream::iter([Ok::<_, std::io::Error>(bytes.into())]);
            uploads.write_at(id, 0, data, 1 << 30).await.unwrap();
            json!(id)
        }
    };
    let job = ImportUpload {
        repo_id: repo.to_owned(),
        upload_id,
        unit_type_id: json!(import.type_id),
        unit_key: import.key,
        unit_metadata: import.metadata,
        override_config: Value::Null,
    };
    let id = h.engine.enqueue(job).await.unwrap();
    h.ended(id).await
}

async fn units(h: &Harness, type_id: &str) -> Vec<Value> {
    let found = h.pulp.type_units(type_id, Criteria::default(), false);
    let batches: Vec<_> = found.await.unwrap().try_collect().await.unwrap();
    let shown = batches.into_iter().flatten();
    shown
        .map(|shown| match shown {
            Shown::Document(document) => Value::Object(document),
            Shown::Text(text) => serde_json::from_str(&text).unwrap(),
        })
        .collect()
}

/// A value for each field that is none of the defaults.
fn sample(type_id: &str) -> Value {
    let described = json!({
        "id": "x", "repo_id": "r", "name": "N", "description": "D", "display_order": 7,
        "translated_name": {"de": "n"}, "translated_description": {"de": "d"},
    });
    let own = match type_id {
        "package_group" => json!({
            "default": true, "user_visible": true, "langonly": "de", "mandatory_package_names": ["a"],
            "default_package_names": ["b"], "optional_package_names": ["c"],
            "conditional_package_names": [["d", "e"]],
        }),
        "package_category" => json!({"packagegroupids": ["g"]}),
        "package_environment" => json!({
            "group_ids": ["g"], "options": [{"group": "o", "default": false}],
        }),
        "package_langpacks" => {
            return json!({"repo_id": "r", "matches": [{"install": "l-%s", "name": "l"}]});
        }
        _ => {
            return json!({
                "id": "x", "title": "T", "description": "D", "summary": "S", "solution": "O", "rights": "R",
                "severity": "low", "status": "final", "type": "security", "release": "8", "version": "2",
                "pushcount": "3", "issued": "2020-01-01 00:00:00", "updated": "2020-01-02 00:00:00", "from": "f",
                "references": [{"href": "h", "id": "i", "type": "t", "title": "u"}], "reboot_suggested": true,
                "relogin_suggested": true, "restart_suggested": true,
                "pkglist": [{"name": "c", "short": "", "packages": [{"name": "bear", "version": "1", "release": "1",
                    "epoch": "0", "arch": "noarch", "src": "s", "filename": "bear.rpm", "sum": ["md5", "00"]}]}],
            });
        }
    };
    let mut all = described;
    all.as_object_mut()
        .unwrap()
        .extend(own.as_object().unwrap().clone());
    all
}

async fn every_field_of_an_upload_without_a_file_is_stored(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    h.repository("r", "rpm", "/none/", json!({})).await;
    for type_id in [
        "package_group",
        "package_category",
        "package_environment",
        "package_langpacks",
        "erratum",
    ] {
        let sample = sample(type_id);
        let key = if type_id == "package_langpacks" {
            json!({"repo_id": "r"})
        } else {
            json!({"id": "x"})
        };
        let mut metadata = sample.clone();
        metadata["pulp_user_metadata"] = json!({"mine": [1]});
        metadata["_content_type_id"] = json!(type_id);
        let task = import(
            &h,
            None,
            Import {
                type_id,
                key: key.clone(),
                metadata,
            },
        )
        .await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let found = &units(&h, type_id).await[0];
        assert_eq!(found["pulp_user_metadata"], json!({"mine": [1]}));
        let mut types = pith_type_rpm::types::UNIT_TYPES.iter();
        let known = types.find(|unit| unit.id == type_id).unwrap().known;
        for field in known.unwrap() {
            let given = &sample[*field];
            assert!(!given.is_null(), "no sample of {field} of {type_id}");
            if *field == "pkglist" {
                assert_eq!(found["pkglist"][0]["packages"], given[0]["packages"]);
            } else {
                assert_eq!(&found[*field], given, "{field} of {type_id}");
            }
        }
        for (bad, named) in [
            (json!({"colour": "red"}), "colour"),
            (
                json!({"repo_id": "other"}),
                if type_id == "erratum" {
                    "repo_id"
                } else {
                    "other"
                },
            ),
        ] {
            let task = import(
                &h,
                None,
                Import {
                    type_id,
                    key: key.clone(),
                    metadata: bad.clone(),
                },
            )
            .await;
            let error = task.error.unwrap_or_default();
            // In the key of langpacks the right repository stands, and counts.
            if type_id == "package_langpacks" && bad["repo_id"] == "other" {
                continue;
            }
            assert_eq!(error["code"], "PLP0047", "{type_id} {bad}");
            assert!(
                error["description"].as_str().unwrap().contains(named),
                "{error}"
            );
        }
    }
    let metadata = json!({"pulp_user_metadata": "text"});
    let task = import(
        &h,
        None,
        Import {
            type_id: "erratum",
            key: json!({"id": "y"}),
            metadata,
        },
    )
    .await;
    assert_eq!(task.error.unwrap()["code"], "PLP1010");
}

/// The first package below a folder.
fn package_in(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rpm") {
                return Some(path);
            }
        }
    }
    None
}

async fn what_is_said_of_a_file_must_be_so(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    h.repository("r", "rpm", "/none/", json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 1,
        named: &[("bear", "1.0")],
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    let package = std::fs::read(package_in(folder.path()).unwrap()).unwrap();
    let rpm = |key: Value, metadata: Value| {
        let import_of = Import {
            type_id: "rpm",
            key,
            metadata,
        };
        import(&h, Some(package.clone()), import_of)
    };
    for (key, named) in [
        (json!({"name": "wolf"}), "name"),
        (json!({"version": "9"}), "version"),
        (json!({"summary": "mine"}), "summary"),
        (json!({"filename": "mine.rpm"}), "filename"),
        (json!({"requires": [{"name": "x"}]}), "requires"),
    ] {
        let error = rpm(json!({}), key).await.error.unwrap_or_default();
        assert_eq!(error["code"], "PLP0047", "{named}: {error}");
        assert!(
            error["description"].as_str().unwrap().contains(named),
            "{error}"
        );
        assert!(h.units("r", "rpm", "name").await.is_empty());
    }
    let digest = pith_core::Sha256::of(&package).to_string();
    let key =
        json!({"name": "bear", "version": "1.0", "checksumtype": "sha256", "checksum": digest});
    let task = rpm(
        key,
        json!({"nobody": "knows", "pulp_user_metadata": {"a": 1}}),
    )
    .await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(
        units(&h, "rpm").await[0]["pulp_user_metadata"],
        json!({"a": 1})
    );
    let file = |metadata: Value| {
        let import_of = Import {
            type_id: "yum_repo_metadata_file",
            key: json!({"data_type": "productid", "repo_id": "r"}),
            metadata,
        };
        import(&h, Some(b"product".to_vec()), import_of)
    };
    let wrong = file(json!({"checksum": digest, "checksum_type": "sha256"})).await;
    assert_eq!(wrong.error.unwrap()["code"], "PLP1013");
    let right = pith_core::Sha256::of(b"product").to_string();
    let task = file(json!({"checksum": right, "checksum_type": null})).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    h.repository("f", "iso", "/none/", json!({})).await;
    let digest = pith_core::Sha256::of(b"file").to_string();
    for (metadata, fits) in [
        (json!({"size": 5}), false),
        (json!({"size": 4, "mine": true}), true),
    ] {
        let import_of = Import {
            type_id: "iso",
            key: json!({"name": "a.iso", "checksum": digest, "size": 4}),
            metadata,
        };
        let task = import_into(&h, "f", Some(b"file".to_vec()), import_of).await;
        assert_eq!(task.state == TaskState::Finished, fits, "{task:?}");
    }
}

async fn an_advisory_is_published_with_what_it_says_of_its_packages(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let named: &[(&str, &str)] = &[
        ("bear", "1.0"),
        ("wolf", "2.0"),
        ("lion", "3.0"),
        ("fox", "4.0"),
    ];
    let spec = Spec {
        packages: 4,
        named,
        errata: 0,
        ..Spec::default()
    };
    let _feed = crate::rpm::Feed::new(&h, "/r/", &spec);
    h.repository("r", "rpm", "/r/", json!({})).await;
    assert_eq!(h.sync("r").await.state, TaskState::Finished);
    let packages = json!([
        {"name": "bear", "epoch": "0", "version": "1.0", "release": "1"},
        {"name": "wolf", "epoch": null, "version": "2.0", "release": "1", "arch": null},
        {"name": "lion", "epoch": " ", "version": "3.0", "arch": "noarch"},
        {"name": "fox"},
        {"name": "bear", "version": "7"},
        {"name": "absent"},
        {"version": "1.0"},
    ]);
    let metadata = json!({"title": "t", "pkglist": [{"name": "c", "packages": packages}]});
    let what = Import {
        type_id: "erratum",
        key: json!({"id": "A-1"}),
        metadata,
    };
    let task = import(&h, None, what).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    h.repository("copy", "rpm", "/none/", json!({})).await;
    let advisory = json!({"type_ids": ["erratum"]});
    let deep = json!({"recursive": true});
    crate::feeds::copy(&h, ("r", "copy"), advisory, deep).await;
    let mut brought = h.units("copy", "rpm", "name").await;
    brought.sort();
    assert_eq!(brought, ["bear", "fox", "lion", "wolf"]);
    for repo in ["r", "copy"] {
        let task = h.publish(repo, "yum_distributor", Value::Null).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let document = crate::stale::served(&h, repo, "updateinfo").await;
        for package in [
            r#"name="bear" version="1.0" release="1" epoch="0" arch="""#,
            r#"name="wolf" version="2.0" release="1" epoch="0" arch="""#,
            r#"name="lion" version="3.0" release="" epoch="0" arch="noarch""#,
            r#"name="fox" version="" release="" epoch="0" arch="""#,
        ] {
            assert!(document.contains(package), "{repo}: {package}: {document}");
        }
        assert_eq!(document.matches("<package ").count(), 4, "{document}");
    }
}
