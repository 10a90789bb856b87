//! Every setting of importers and distributors: it changes what happens, or its help and docs/differences.md say that
//! it does not. A new setting comes with its row here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use pith_content::ContentType;
use pith_content::descriptor::{PluginDescriptor, Setting, SettingKind};
use pith_core::task::TaskState;
use pith_pulp::jobs::SyncRepository;
use pith_store::Task;
use pith_testkit::repos::{Spec, write_repository};
use serde_json::{Value, json};

use crate::harness::{Harness, On, put_files};

crate::on_both!(
    old_versions_beyond_the_count_are_left_out,
    a_repository_is_served_where_and_how_its_settings_say,
    replaced_metadata_stays_or_goes_as_asked,
    advisories_are_published_with_the_digest_that_was_asked_for,
);

const NETWORK: &str =
    "crates/engine/src/upstream.rs::every_setting_of_the_network_reaches_the_downloads";

const GUARDS: &str = "tests/tests/it/attack/guards.rs::only_certificates_of_the_authority_that_open_the_path_get_anything";

/// Settings that work, with a test that changes them and sees it: file and name.
#[rustfmt::skip]
const WORKS: &[(&str, &[&str], &str)] = &[
    ("*_importer", &["ssl_ca_cert", "ssl_client_cert", "ssl_client_key", "ssl_validation", "proxy_host", "proxy_port",
        "proxy_username", "proxy_password", "basic_auth_username", "basic_auth_password", "max_downloads", "max_speed",
        "connect_timeout", "read_timeout"], NETWORK),
    ("yum_importer", &["query_auth_token"], NETWORK),
    ("*_importer", &["auth_sites"], "crates/pith/tests/it/mirrors.rs::secrets_stay_at_the_feed_and_its_documents_lead_to_no_files_here"),
    ("*_importer", &["feed"], "crates/pith/tests/it/settings.rs::a_feed_that_is_no_url_is_refused_in_pulps_words"),
    ("iso_importer", &["remove_missing"], "crates/pith/tests/it/life.rs::files_that_left_the_feed_stay_unless_asked_to_go"),
    ("python_importer", &["package_names"], "types/python/tests/memory.rs::projects_are_mirrored_described_and_published"),
    ("python_importer", &["package_types", "prereleases"], "types/python/tests/memory.rs::versions_kinds_and_prereleases_are_chosen"),
    ("python_importer", &["remove_missing"], "types/python/tests/memory.rs::what_left_the_feed_goes_if_it_should_and_changed_files_are_taken"),
    ("python_importer", &["on_download_failure"], "types/python/tests/memory.rs::what_cannot_be_had_fails_the_sync_unless_told_to_go_on"),
    ("python_importer", &["download_policy"], "crates/pith/src/suite.rs::deferred_files_are_the_same"),
    ("yum_importer", &["remove_missing"], "crates/pith/tests/it/rpm.rs::old_packages_go_when_the_feed_drops_them"),
    ("iso_importer", &["download_policy"], "crates/pith/tests/it/deferred.rs::a_deferred_sync_brings_no_file_and_says_what_is_missing"),
    ("yum_importer", &["download_policy"], "crates/pith/tests/it/sources.rs::packages_are_published_before_they_are_here"),
    ("yum_importer", &["validate"], "crates/pith/tests/it/publishing.rs::digests_that_were_worked_out_are_kept"),
    ("yum_importer", &["type_skip_list"], "types/rpm/tests/it/sync.rs::types_can_be_left_out"),
    ("yum_importer", &["retain_old_count"], "crates/pith/tests/it/settings.rs::old_versions_beyond_the_count_are_left_out"),
    ("yum_importer", &["on_download_failure"], "types/rpm/tests/it/sync.rs::packages_that_cannot_be_had_fail_the_sync_unless_told_to_go_on"),
    ("yum_importer", &["require_signature"], "types/rpm/tests/it/sync.rs::unsigned_packages_are_left_out_when_signatures_are_required"),
    ("yum_importer", &["allowed_keys"], "types/rpm/src/signature.rs::a_key_that_is_not_allowed_is_refused"),
    ("yum_importer", &["force_full"], "types/rpm/tests/it/sync.rs::an_unchanged_feed_costs_one_request_and_a_forced_sync_adds_nothing"),
    ("yum_distributor", &["relative_url", "http", "https"], "crates/pith/tests/it/settings.rs::a_repository_is_served_where_and_how_its_settings_say"),
    ("iso_distributor", &["relative_url", "serve_http", "serve_https"], "crates/pith/tests/it/settings.rs::a_repository_is_served_where_and_how_its_settings_say"),
    ("yum_distributor", &["checksum_type"], "types/rpm/tests/it/publish.rs::the_checksum_type_of_the_feed_is_used_unless_another_is_asked_for"),
    ("yum_distributor", &["updateinfo_checksum_type"], "crates/pith/tests/it/settings.rs::advisories_are_published_with_the_digest_that_was_asked_for"),
    ("*export_distributor", &["export_dir", "relative_url"], "tests/tests/it/exports.rs::dnf_installs_from_the_folder_that_a_repository_was_exported_to"),
    ("*export_distributor", &["start_date", "end_date", "incremental_export_repomd"],
        "tests/tests/it/exports.rs::what_came_in_a_time_is_exported_as_files_with_documents_or_as_a_repository"),
    ("*export_distributor", &["http", "https", "iso_prefix", "iso_size", "manifest"], "tests/tests/it/exports.rs::dnf_installs_from_images_that_were_unpacked"),
    ("*export_distributor", &["checksum_type", "updateinfo_checksum_type"], "tests/tests/it/exports.rs::digests_of_an_export_are_those_that_were_asked_for"),
    ("yum_clone_distributor", &["source_repo_id", "source_distributor_id", "destination_distributor_id"],
        "tests/tests/it/exports.rs::a_clone_serves_what_another_repository_has_published"),
    ("*_rsync_distributor", &["remote", "predistributor_id"], "tests/tests/it/rsync.rs::dnf_installs_from_a_web_server_that_a_repository_was_sent_to"),
    ("*_rsync_distributor", &["remote_units_path", "content_units_only"],
        "tests/tests/it/rsync.rs::files_are_sent_with_their_manifest_and_units_alone_when_asked_for"),
    ("*_rsync_distributor", &["delete"], "tests/tests/it/rsync.rs::delete_removes_what_is_not_published_from_the_repository_alone"),
    ("*_rsync_distributor", &["force_full"], "tests/tests/it/rsync.rs::what_changes_is_sent_and_nothing_is_sent_twice"),
    ("*_rsync_distributor", &["rsync_extra_args", "skip_repodata"], "tests/tests/it/rsync.rs::options_are_rsyncs_and_metadata_is_left_out_when_asked_for"),
    ("yum_distributor", &["auth_ca"], GUARDS),
    ("iso_distributor", &["ssl_auth_ca_cert"], GUARDS),
    ("*_distributor", &["force_full"], "crates/pith/tests/it/settings.rs::a_repository_is_served_where_and_how_its_settings_say"),
    ("yum_distributor", &["gpg_sign_metadata", "signing_key"], "tests/tests/it/signing.rs::what_is_served_is_signed_by_the_key_that_the_settings_mean"),
    ("*export_distributor", &["gpg_sign_metadata", "signing_key"], "tests/tests/it/signing.rs::exports_are_signed_like_what_is_served"),
    ("yum_distributor", &["remove_old_repodata", "remove_old_repodata_threshold"], "crates/pith/tests/it/settings.rs::replaced_metadata_stays_or_goes_as_asked"),
];

fn families() -> Vec<Box<dyn ContentType>> {
    vec![
        Box::new(pith_type_file::File),
        Box::new(pith_type_python::Python),
        Box::new(pith_type_rpm::Rpm),
    ]
}

fn descriptors() -> Vec<&'static PluginDescriptor> {
    let families = families();
    let importers = families.iter().flat_map(|family| family.importers());
    let mut all: Vec<_> = importers.map(|importer| importer.descriptor()).collect();
    let distributors = families.iter().flat_map(|family| family.distributors());
    all.extend(distributors.map(|distributor| distributor.descriptor()));
    let groups = families
        .iter()
        .flat_map(|family| family.group_distributors());
    all.extend(groups.map(|distributor| distributor.descriptor()));
    all
}

fn workspace(path: &str) -> String {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn row_of(plugin: &str, setting: &str) -> Option<&'static str> {
    let belongs = |pattern: &str| match pattern.strip_prefix('*') {
        Some(ending) => plugin.ends_with(ending),
        None => plugin == pattern,
    };
    WORKS
        .iter()
        .find(|(pattern, settings, _)| belongs(pattern) && settings.contains(&setting))
        .map(|(_, _, test)| *test)
}

#[test]
fn every_setting_has_a_test_or_is_said_to_have_no_effect() {
    let differences = workspace("docs/differences.md");
    let mut named = BTreeSet::new();
    for plugin in descriptors() {
        for Setting {
            name, help, works, ..
        } in plugin.settings()
        {
            let what = format!("`{name}` of {}", plugin.id);
            let row = row_of(plugin.id, name);
            named.extend(row.map(|test| (test, *name)));
            if *works {
                assert!(
                    row.is_some(),
                    "{what}: add a test that sees it work, and a row"
                );
                assert!(!help.starts_with("no effect"), "{what}: it works");
            } else {
                assert!(
                    row.is_none(),
                    "{what} works by its row and has no effect by its descriptor"
                );
                assert!(
                    help.starts_with("no effect"),
                    "{what}: its help must say so"
                );
                let said = differences
                    .lines()
                    .any(|line| line.contains(&format!("`{name}`")) && line.contains("no effect"));
                assert!(
                    said,
                    "{what}: docs/differences.md must say that it has no effect"
                );
            }
        }
    }
    for (_, settings, test) in WORKS {
        let (file, function) = test.split_once("::").unwrap();
        assert!(
            workspace(file).contains(&format!("fn {function}(")),
            "{test} does not exist"
        );
        for setting in *settings {
            assert!(named.contains(&(test, setting)), "nobody has {setting}");
        }
    }
}

#[test]
fn the_reference_page_of_the_settings_is_current() {
    let mut page = "# Settings of importers and distributors\n\n\
        <!-- Made from the descriptors of the content types; change those, not this page. -->\n\n\
        Overrides of syncs and publishes take the same keys, and so do those of copies and uploads where the importer's\n\
        policy on signatures counts. Importers keep keys that are not listed, as in Pulp, and they have no effect; the yum\n\
        distributor refuses them.\n"
        .to_owned();
    for plugin in descriptors() {
        let _ = write!(
            page,
            "\n## `{}`\n\n| setting | values | meaning |\n|---|---|---|\n",
            plugin.id
        );
        for setting in plugin.settings() {
            let values = match setting.kind {
                SettingKind::Text => "text".to_owned(),
                SettingKind::Bool => "`true`, `false`".to_owned(),
                SettingKind::Integer => "whole number".to_owned(),
                SettingKind::Number => "number".to_owned(),
                SettingKind::Pem => "PEM text".to_owned(),
                SettingKind::List => "list of texts".to_owned(),
                SettingKind::Object => "JSON object".to_owned(),
                SettingKind::Choice(words) => {
                    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                    words.join(", ")
                }
            };
            let secret = if setting.secret {
                "; shown as `*****`"
            } else {
                ""
            };
            let _ = writeln!(
                page,
                "| `{}` | {values} | {}{secret} |",
                setting.name, setting.help
            );
        }
    }
    pith_testkit::golden::check("docs/reference/settings.md", &page);
}

async fn sync_with(h: &Harness, repo: &str, override_config: Value) -> Task {
    let job = SyncRepository {
        repo_id: repo.to_owned(),
        override_config,
    };
    let id = h.engine.enqueue(job).await.unwrap();
    h.ended(id).await
}

fn description(task: &Task) -> String {
    task.error.as_ref().map_or_else(String::new, |error| {
        error["description"].as_str().unwrap_or_default().to_owned()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_that_is_no_url_is_refused_in_pulps_words() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    for (kind, feed, words) in [
        (
            "rpm",
            "example.com/os",
            "Invalid feed URL - scheme must be: ('http', 'https', 'file')",
        ),
        (
            "rpm",
            "ftp://example.com/os",
            "Invalid feed URL - scheme must be: ('http', 'https', 'file')",
        ),
        (
            "iso",
            "example.com/os",
            "Importer indicated a failed response",
        ),
    ] {
        let repo = format!("{kind}-{}", feed.len());
        h.repository(&repo, kind, "/x/", json!({})).await;
        let task = sync_with(&h, &repo, json!({ "feed": feed })).await;
        assert_eq!(
            (task.state, description(&task)),
            (TaskState::Error, words.to_owned())
        );
        if kind == "iso" {
            let report = &task.progress["iso_importer"];
            let message = report["error_message"].as_str().unwrap_or_default();
            assert!(message.contains("No schema supplied"), "{report}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_without_metadata_is_not_found() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    h.repository("rpm", "rpm", "/nothing/", json!({})).await;
    let task = h.sync("rpm").await;
    assert_eq!(task.error.as_ref().unwrap()["code"], "RPM1004");
    assert!(description(&task).contains("not found"), "{task:?}");
    h.repository("iso", "iso", "/nothing/", json!({})).await;
    let task = h.sync("iso").await;
    let report = &task.progress["iso_importer"];
    let expected = json!({"response_code": 404, "response_msg": "Not Found"});
    assert_eq!(report["error_message"], expected);
    assert_eq!(report["state"], "manifest_failed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_of_files_lists_the_files() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    let files: [(&str, &[u8]); 3] = [("a.iso", b"a"), ("b.iso", b"b"), ("c.iso", b"c")];
    put_files(&h.upstream, "/f/", &files);
    h.upstream.remove("/f/a.iso");
    h.upstream.put("/f/b.iso", "x");
    h.repository("files", "iso", "/f/", json!({})).await;
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Error);
    let text = description(&task);
    assert!(text.starts_with("2 files could not be had: "), "{text}");
    assert!(
        text.contains("a.iso: cannot fetch") && text.contains("not found"),
        "{text}"
    );
    assert!(
        text.contains("b.iso: Downloading <b.iso> failed checksum validation"),
        "{text}"
    );
    let report = &task.progress["iso_importer"];
    assert_eq!(report["state"], "isos_failed");
    let errors = report["iso_error_messages"].as_array().unwrap();
    let of = |name: &str| &errors.iter().find(|error| error["name"] == name).unwrap()["error"];
    assert_eq!(
        of("a.iso"),
        &json!({"response_code": 404, "response_msg": "Not Found"})
    );
    assert!(of("b.iso").is_string());
    assert!(h.units("files", "iso", "name").await.is_empty());
}

async fn old_versions_beyond_the_count_are_left_out(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 4,
        named: &[
            ("bear", "1.0"),
            ("bear", "2.0"),
            ("bear", "3.0"),
            ("wolf", "1.0"),
        ],
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    h.repository("all", "rpm", "/r/", json!({})).await;
    h.repository("two", "rpm", "/r/", json!({"retain_old_count": 1}))
        .await;
    for (repo, versions) in [
        ("all", &["1.0", "1.0", "2.0", "3.0"][..]),
        ("two", &["1.0", "2.0", "3.0"]),
    ] {
        let task = h.sync(repo).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        assert_eq!(h.units(repo, "rpm", "version").await, versions, "{repo}");
    }
}

async fn a_repository_is_served_where_and_how_its_settings_say(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::default()).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    put_files(&h.upstream, "/f/", &[("a.iso", b"a")]);
    for (kind, feed, distributor, keys, below) in [
        (
            "rpm",
            "/r/",
            "yum_distributor",
            ["http", "https"],
            "pulp/repos",
        ),
        (
            "iso",
            "/f/",
            "iso_distributor",
            ["serve_http", "serve_https"],
            "pulp/isos",
        ),
    ] {
        h.repository(kind, kind, feed, json!({})).await;
        h.sync(kind).await;
        for (http, https) in [(true, false), (false, true), (true, true)] {
            let settings = json!({"relative_url": "some/where", keys[0]: http, keys[1]: https});
            let body = json!({"distributor_config": settings});
            let body = serde_json::from_value(body).unwrap();
            let task = h.pulp.distributor_update(kind, distributor, &body).await;
            let task = h.ended(task.unwrap()).await;
            assert_eq!(task.state, TaskState::Finished, "{task:?}");
            let task = h.publish(kind, distributor, json!({})).await;
            assert_eq!(task.state, TaskState::Finished, "{task:?}");
            let mounts = h.engine.store.mounts_all().await.unwrap();
            let served: Vec<_> = mounts
                .into_iter()
                .filter(|mount| mount.repo_id.as_deref() == Some(kind))
                .map(|mount| (mount.prefix, mount.http, mount.https))
                .collect();
            assert_eq!(served, [(format!("{below}/some/where"), http, https)]);
        }
        let result = |task: Task| task.result["result"].clone();
        let again = h.publish(kind, distributor, json!({})).await;
        assert_eq!(result(again), "skipped");
        let forced = json!({"force_full": true});
        assert_eq!(
            result(h.publish(kind, distributor, forced).await),
            "success"
        );
    }
}

async fn replaced_metadata_stays_or_goes_as_asked(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::default()).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    h.repository("r", "rpm", "/r/", json!({})).await;
    h.sync("r").await;
    // Each publish has another digest, so that the documents before it are replaced.
    let primaries = async |digest: &str, more: Value| {
        let mut settings = more;
        settings["checksum_type"] = json!(digest);
        let task = h.publish("r", "yum_distributor", settings).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let published = h.published("pulp/repos/r").await;
        let documents = published
            .iter()
            .filter(|(path, _)| path.ends_with("primary.xml.gz"));
        documents.count()
    };
    assert_eq!(
        primaries(
            "md5",
            json!({"remove_old_repodata_threshold": 0, "force_full": true})
        )
        .await,
        1
    );
    assert_eq!(primaries("sha1", json!({})).await, 2);
    assert_eq!(
        primaries("md5", json!({"remove_old_repodata": false})).await,
        2
    );
    assert_eq!(
        primaries("sha512", json!({"remove_old_repodata": false})).await,
        3
    );
}

async fn advisories_are_published_with_the_digest_that_was_asked_for(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    write_repository(folder.path(), &Spec::default()).unwrap();
    h.upstream.serve_dir("/r/", folder.path());
    h.repository("r", "rpm", "/r/", json!({})).await;
    h.sync("r").await;
    let task = h
        .publish(
            "r",
            "yum_distributor",
            json!({"updateinfo_checksum_type": "sha256"}),
        )
        .await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    let none = h
        .publish(
            "r",
            "yum_distributor",
            json!({"updateinfo_checksum_type": "none"}),
        )
        .await;
    assert_eq!(none.state, TaskState::Error, "{none:?}");
    assert_eq!(none.error.unwrap()["code"], "RPM1012");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_that_has_no_key_to_sign_with_fails_and_says_so() {
    let h = Harness::start(On::Sqlite).await.unwrap();
    h.repository("r", "rpm", "/r/", json!({})).await;
    let task = h
        .publish("r", "yum_distributor", json!({"gpg_sign_metadata": true}))
        .await;
    assert_eq!(task.state, TaskState::Error);
    let error = task.error.unwrap().to_string();
    assert!(
        error.contains("PTH0004") && error.contains("pith key create"),
        "{error}"
    );
}
