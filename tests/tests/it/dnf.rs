//! Repositories as dnf sees them.

use pith_e2e::tools::{is_root, missing, sample_repo};
use pith_e2e::{Dnf, Feed, Pith};
use serde_json::json;

/// Every package of the sample repository, as dnf names it.
pub(crate) const SAMPLE: [&str; 10] = [
    "greet-0:1.0-1.noarch",
    "greet-0:1.2-1.noarch",
    "greet-messages-0:1.0-3.noarch",
    "moon-phases-0:2026-1.noarch",
    "star-chart-0:0.9~beta1-1.noarch",
    "tea-timer-1:3.1-2.noarch",
    "tide-table-0:2026.1-1.noarch",
    "tree-facts-0:2.4.1-7.noarch",
    "weekday-0:1.0.1-1.noarch",
    "word-list-0:20260101-1.noarch",
];

/// A server that has mirrored and published the sample repository as `sample`, with the upstream.
pub(crate) fn mirrored() -> (Pith, Feed) {
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    api.create_rpm("sample", &feed.url("/feed/")).unwrap();
    api.sync("sample").unwrap();
    api.publish("sample").unwrap();
    (server, feed)
}

#[test]
fn dnf_lists_exactly_the_packages_of_the_upstream() {
    if missing(&["dnf"]) {
        return;
    }
    let (server, _feed) = mirrored();
    let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
    dnf.makecache().unwrap();
    assert_eq!(dnf.packages().unwrap(), SAMPLE);
}

#[test]
fn dnf_installs_a_package_with_what_it_requires() {
    if missing(&["dnf", "rpm"]) {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: installing into another root folder needs root");
        return;
    }
    let (server, _feed) = mirrored();
    let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
    dnf.install(&["greet", "tide-table"]).unwrap();
    assert_eq!(
        dnf.installed().unwrap(),
        [
            "greet-1.2-1",
            "greet-messages-1.0-3",
            "moon-phases-2026-1",
            "tide-table-2026.1-1"
        ]
    );
    let readme = dnf.root().join("usr/share/greet/README");
    assert!(
        std::fs::read_to_string(readme)
            .unwrap()
            .starts_with("greet 1.2")
    );
}

#[test]
fn dnf_sees_the_erratum_and_the_group() {
    if missing(&["dnf"]) {
        return;
    }
    let (server, _feed) = mirrored();
    let dnf = Dnf::new(&server.url("/pulp/repos/sample/")).unwrap();
    let groups = dnf.run(&["group", "list", "--hidden"]).unwrap();
    assert!(groups.contains("Almanacs"), "{groups}");
    let members = dnf.run(&["group", "info", "almanacs"]).unwrap();
    assert!(
        members.contains("moon-phases") && members.contains("star-chart"),
        "{members}"
    );
    if is_root() {
        // An advisory is listed for what is installed.
        dnf.install(&["greet-1.0"]).unwrap();
        let updates = dnf.run(&["updateinfo", "list"]).unwrap();
        assert!(
            updates.contains("SAMPLE-2026:0001") && updates.contains("greet-1.2-1"),
            "{updates}"
        );
    }
}

#[test]
fn a_second_sync_adds_nothing_and_its_publish_is_skipped() {
    let (server, feed) = mirrored();
    let api = server.api().unwrap();
    let before = feed.requests();
    let sync = api.sync("sample").unwrap();
    assert_eq!(sync["result"]["added_count"], 0, "{sync:#}");
    assert_eq!(sync["result"]["removed_count"], 0, "{sync:#}");
    assert!(
        feed.requests() - before <= 3,
        "an unchanged upstream was read again"
    );

    let publish = api.publish("sample").unwrap();
    assert_eq!(publish["result"]["result"], "skipped", "{publish:#}");
    assert_eq!(
        publish["result"]["summary"],
        "Skipped: Repository content has not changed since last publish."
    );
}

/// Packages of which the location means something else in a URL, at an upstream that is strict about that, here only
/// when dnf wants them.
#[test]
fn dnf_installs_packages_with_odd_names_on_demand() {
    if missing(&["dnf", "rpm"]) {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: installing into another root folder needs root");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let spec = pith_testkit::repos::Spec {
        packages: 2,
        location: |package| format!("P a/+^~%25 \u{fc}#?{}", package.file_name()),
        ..Default::default()
    };
    let made = pith_testkit::repos::write_repository(folder.path(), &spec).unwrap();
    for package in &made {
        let odd = folder.path().join((spec.location)(package));
        std::fs::create_dir_all(odd.parent().unwrap()).unwrap();
        let plain = folder.path().join(package.location());
        std::fs::copy(&plain, odd).unwrap();
        std::fs::remove_file(plain).unwrap();
    }
    let feed = Feed::start().unwrap();
    feed.act_as_object_store();
    feed.serve("/feed/", folder.path());
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    let importer = json!({"feed": feed.url("/feed/"), "download_policy": "on_demand"});
    api.create_rpm_with("odd", &importer).unwrap();
    api.sync("odd").unwrap();
    api.publish("odd").unwrap();
    let dnf = Dnf::new(&server.url("/pulp/repos/odd/")).unwrap();
    let names: Vec<&str> = made
        .iter()
        .map(|package| package.spec.name.as_str())
        .collect();
    dnf.install(&names).unwrap();
    assert_eq!(dnf.installed().unwrap().len(), 2);
}

/// Every algorithm that a publish can be asked for, with files that are here and with files that come when dnf wants
/// them; and an advisory that does not say all of its packages.
#[test]
fn dnf_reads_publications_in_every_checksum_type() {
    if missing(&["dnf", "rpm"]) {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: installing into another root folder needs root");
        return;
    }
    let feed = Feed::of(&sample_repo()).unwrap();
    let server = Pith::start().unwrap();
    let api = server.api().unwrap();
    let (url, kinds) = (feed.url("/feed/"), ["md5", "sha1", "sha256", "sha512"]);
    let later = json!({"feed": url, "download_policy": "on_demand"});
    api.create_rpm_with("later", &later).unwrap();
    api.sync("later").unwrap();
    let publish = |repo: &str, kind: &str| {
        let over = json!({"checksum_type": kind, "updateinfo_checksum_type": kind});
        let body = json!({"id": api.distributor(repo).unwrap(), "override_config": over});
        api.run(&format!("/repositories/{repo}/actions/publish/"), &body)
    };
    let look = |repo: &str, what: &str| {
        let dnf = Dnf::new(&server.url(&format!("/pulp/repos/{repo}/"))).unwrap();
        dnf.makecache().unwrap();
        assert_eq!(dnf.packages().unwrap(), SAMPLE, "{what}");
        dnf.install(&["greet-1.0"]).unwrap();
        let updates = dnf.run(&["updateinfo", "list"]).unwrap();
        assert!(updates.contains("greet-1.2-1"), "{what}: {updates}");
        let one = dnf.run(&["updateinfo", "info", "--all"]).unwrap();
        assert!(one.contains("SAMPLE-2026:0001"), "{what}: {one}");
    };
    // Of files that are elsewhere only what upstream says is known.
    for kind in ["md5", "sha1", "sha512"] {
        let error = publish("later", kind).unwrap_err().to_string();
        assert!(error.contains("RPM1008"), "{kind}: {error}");
    }
    publish("later", "sha256").unwrap();
    look("later", "on demand");
    api.create_rpm("here", &url).unwrap();
    api.sync("here").unwrap();
    let packages = json!([{"name": "greet", "version": "1.2", "release": "1"}, {"name": "weekday", "arch": null}]);
    let upload = json!({
        "upload_id": null, "unit_type_id": "erratum", "unit_key": {"id": "ODD-1"},
        "unit_metadata": {"title": "odd", "type": "security", "updated": "2026-01-01 00:00:00", "pkglist": [
            {"name": "c", "packages": packages}]},
    });
    api.run("/repositories/here/actions/import_upload/", &upload)
        .unwrap();
    for kind in kinds {
        publish("here", kind).unwrap();
        look("here", kind);
    }
    // The files are here now, for both.
    for kind in kinds {
        publish("later", kind).unwrap();
        look("later", kind);
    }
}
