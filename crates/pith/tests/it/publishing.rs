//! Publications of odd feeds: file names that several packages have, documents in several forms.

use pith_core::Sha256;
use pith_core::task::TaskState;
use pith_pulp::jobs::ImportUpload;
use pith_store::UnitQuery;
use pith_testkit::repos::Spec;
use serde_json::{Value, json};

use futures::TryStreamExt;

use crate::harness::{Harness, On};
use crate::rpm::Feed;
use crate::stale::served;

crate::on_both!(
    packages_that_share_a_file_name_are_all_published,
    a_package_keeps_its_path_when_another_of_its_name_comes_later,
    digests_that_were_worked_out_are_kept,
    other_forms_of_documents_that_are_written_anew_are_not_served,
);

/// Puts the package at `from` of a feed to another place.
fn move_package(feed: &Feed, primary: &str, from: &str, to: &str) -> String {
    let target = feed.folder.join(to);
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::copy(feed.folder.join(from), target).unwrap();
    std::fs::remove_file(feed.folder.join(from)).unwrap();
    let location = |path: &str| format!("<location href=\"{path}\"/>");
    assert!(primary.contains(&location(from)));
    primary.replace(&location(from), &location(to))
}

/// The texts between two others, each time.
pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let rest = text.split(start).skip(1);
    rest.map(|rest| rest.split_once(end).unwrap().0).collect()
}

async fn packages_that_share_a_file_name_are_all_published(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    for policy in ["immediate", "on_demand"] {
        let (path, repo) = (format!("/{policy}/"), policy);
        let spec = Spec {
            packages: 4,
            sources: 1,
            ..Spec::default()
        };
        let feed = Feed::new(&h, &path, &spec);
        let mut primary = feed.plain("primary.xml.gz");
        let places: Vec<String> = between(&primary, "<location href=\"", "\"/>")
            .into_iter()
            .map(str::to_owned)
            .collect();
        // Three packages and a source package have one name; the fourth has the name that one of them would get.
        let usual = places[1].rsplit('/').next().unwrap().to_owned();
        let moves = [
            (0, "a/same.rpm".to_owned()),
            (1, "b/same.rpm".to_owned()),
            (2, "c/same.rpm".to_owned()),
            (3, format!("d/{usual}")),
            (4, "e/same.rpm".to_owned()),
        ];
        for (at, to) in moves {
            primary = move_package(&feed, &primary, &places[at], &to);
        }
        std::fs::remove_file(feed.document_file("primary.xml.gz")).unwrap();
        feed.replace("primary", "primary.xml", &primary);
        let config = json!({"download_policy": policy});
        h.repository(repo, "rpm", &path, config).await;
        let task = h.sync(repo).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let published = h.published(&format!("pulp/repos/{repo}")).await;
        let document = served(&h, repo, "primary").await;
        let hrefs = between(&document, "<location href=\"", "\"/>");
        let digests = between(&document, "pkgid=\"YES\">", "<");
        // Of those that came together the smallest checksum has the name, whatever database and order.
        let of = |at: usize| between(&primary, "pkgid=\"YES\">", "<")[at].to_owned();
        let place = |digest: &str| hrefs[digests.iter().position(|d| *d == digest).unwrap()];
        let mut same = [0, 1, 2].map(of);
        same.sort();
        assert_eq!(place(&same[0]), "Packages/s/same.rpm");
        assert_eq!(place(&of(3)), format!("Packages/{}/{usual}", &usual[..1]));
        if of(1) != same[0] {
            let moved = format!("Packages/{}/{}-{usual}", &usual[..1], of(1));
            assert_eq!(place(&of(1)), moved);
        }
        assert_eq!(hrefs.len(), 5, "{policy}: {document}");
        for (href, digest) in hrefs.iter().zip(digests) {
            let (_, bytes) = published.iter().find(|(path, _)| path == href).unwrap();
            if policy == "immediate" {
                assert_eq!(Sha256::of(bytes).to_string(), digest, "{href}");
            }
        }
        assert!(hrefs.contains(&"Packages/s/same.rpm"), "{hrefs:?}");
        let publish = h.engine.store.task_get(task.spawned[0]).await;
        let publish = publish.unwrap().unwrap();
        let details = publish.result["details"].as_array().unwrap();
        let rpms = details.iter().find(|step| step["step_type"] == "rpms");
        let said = rpms.unwrap()["details"].as_str().unwrap();
        assert!(said.starts_with("3 files have the name"), "{said}");
        assert!(said.contains("same.rpm as Packages/"), "{said}");
        // To the byte the same when all is written anew.
        let full = json!({"force_full": true});
        let task = h.publish(repo, "yum_distributor", full).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        assert_eq!(served(&h, repo, "primary").await, document);
    }
}

async fn a_package_keeps_its_path_when_another_of_its_name_comes_later(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    for first in [0, 1] {
        let repo = format!("first-{first}");
        let path = format!("/{repo}/");
        let spec = Spec {
            packages: 2,
            ..Spec::default()
        };
        let feed = Feed::new(&h, &path, &spec);
        let mut both = feed.plain("primary.xml.gz");
        let places = between(&both, "<location href=\"", "\"/>")
            .into_iter()
            .map(str::to_owned);
        for (place, to) in places
            .collect::<Vec<_>>()
            .iter()
            .zip(["a/same.rpm", "b/same.rpm"])
        {
            both = move_package(&feed, &both, place, to);
        }
        let digest = between(&both, "pkgid=\"YES\">", "<")[first].to_owned();
        let (_, packages) = both.split_once("<package ").unwrap();
        let (packages, _) = packages.rsplit_once("</package>").unwrap();
        let other: Vec<&str> = packages.split("</package>\n<package ").collect();
        let other = format!("<package {}</package>", other[1 - first]);
        assert!(both.contains(&other), "{both}");
        feed.replace("primary", "primary.xml", &both.replace(&other, ""));
        h.repository(&repo, "rpm", &path, json!({})).await;
        for packages in [1, 2] {
            let task = h.sync(&repo).await;
            assert_eq!(task.state, TaskState::Finished, "{task:?}");
            let document = served(&h, &repo, "primary").await;
            let digests = between(&document, "pkgid=\"YES\">", "<");
            assert_eq!(digests.len(), packages);
            let at = digests.iter().position(|d| *d == digest).unwrap();
            let hrefs = between(&document, "<location href=\"", "\"/>");
            assert_eq!(hrefs[at], "Packages/s/same.rpm");
            feed.replace("primary", "primary.xml", &both);
        }
    }
}

async fn checksums(h: &Harness, repo: &str) -> Vec<Vec<String>> {
    let query = UnitQuery {
        type_ids: vec!["rpm"],
        repo: Some(repo),
        ..UnitQuery::default()
    };
    let units = h.engine.store.units_stream(&query).unwrap();
    let units = units.try_concat().await.unwrap();
    let known = units.iter().map(|unit| {
        let known = unit.unit.doc["checksums"].as_object().unwrap();
        known.keys().cloned().collect()
    });
    known.collect()
}

async fn digests_that_were_worked_out_are_kept(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let spec = Spec {
        packages: 2,
        ..Spec::default()
    };
    let feed = Feed::new(&h, "/r/", &spec);
    let later = json!({"download_policy": "on_demand"});
    h.repository("zoo", "rpm", "/r/", later).await;
    h.sync("zoo").await;
    assert_eq!(checksums(&h, "zoo").await, [["sha256"], ["sha256"]]);
    // An upload of a package that is known works out all of them.
    let name = between(&feed.plain("primary.xml.gz"), "<location href=\"", "\"/>")[0].to_owned();
    let bytes = std::fs::read(feed.folder.join(name)).unwrap();
    let id = uuid::Uuid::now_v7();
    let uploads = h.engine.blobs.uploads();
    uploads.create(id).await.unwrap();
    let data = futures::stream::iter([Ok::<_, std::io::Error>(bytes.into())]);
    uploads.write_at(id, 0, data, 1 << 20).await.unwrap();
    h.repository("other", "rpm", "/none/", json!({})).await;
    let job = ImportUpload {
        repo_id: "other".to_owned(),
        upload_id: json!(id),
        unit_type_id: json!("rpm"),
        unit_key: json!({}),
        unit_metadata: Value::Null,
        override_config: Value::Null,
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let four = vec!["md5", "sha1", "sha256", "sha512"];
    assert_eq!(checksums(&h, "other").await, std::slice::from_ref(&four));
    // A sync that validates knows them all, also of packages that were there without their files.
    h.set_config("zoo", json!({"validate": true, "download_policy": null}))
        .await;
    let task = h.sync("zoo").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(checksums(&h, "zoo").await, [four.clone(), four.clone()]);
    // What a publish works out is kept beside what was known.
    let task = h
        .publish("zoo", "yum_distributor", json!({"checksum_type": "sha512"}))
        .await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(checksums(&h, "zoo").await, [four.clone(), four]);
}

async fn other_forms_of_documents_that_are_written_anew_are_not_served(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = Feed::new(&h, "/r/", &Spec::full());
    for kind in [
        "group_xz",
        "group_zck",
        "primary_zck",
        "modules_gz",
        "appstream",
    ] {
        feed.add(kind, &format!("{kind}.xml"), "<x/>");
    }
    h.repository("zoo", "rpm", "/r/", json!({})).await;
    let task = h.sync("zoo").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let types = h.units("zoo", "yum_repo_metadata_file", "data_type").await;
    assert_eq!(types, ["appstream", "productid"]);
    assert_eq!(served(&h, "zoo", "appstream").await, "<x/>");
    assert_eq!(served(&h, "zoo", "group_xz").await, "");
}
