//! Modules: documents that are only passed on, packages that modules list, advisories that name builds.

use std::fmt::Write as _;

use futures::TryStreamExt;
use pith_core::task::TaskState;
use pith_pulp::jobs::SyncRepository;
use pith_pulp::repositories::Expand;
use pith_pulp::search::Shown;
use serde_json::{Value, json};

use crate::feeds::{
    Package, content, copy, documents, module, nevra, obsoletes, obsoletes_of, remove, repository,
    served, synced, upload, write_feed,
};
use crate::harness::{Harness, On};

crate::on_both!(
    documents_that_nobody_interprets_follow_the_feed,
    an_uploaded_document_stays_and_goes_along,
    of_what_is_said_of_one_stream_the_newest_is_kept_wherever_it_came_from,
    packages_are_modular_whichever_came_first,
    packages_are_modular_where_a_module_lists_them,
    retained_versions_leave_modular_packages_alone,
    a_modular_advisory_brings_exactly_the_builds_it_names,
    an_advisory_that_names_a_module_and_no_packages_brings_it,
    builds_that_differ_in_context_or_architecture_are_not_confused,
    streams_and_defaults_are_kept_as_they_are_written,
);

async fn documents_that_nobody_interprets_follow_the_feed(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({})).await;
    let packages = [Package("perl", "5.30", &[])];
    let [old, new] =
        ["5.24", "5.30"].map(|stream| module("perl", &format!("\"{stream}\""), 1, "c0", &[]));
    let future = "---\n# a comment\ndocument: modulemd-future\nversion: 1\ndata: [1]\n...\n";
    let (one, two) = (
        obsoletes("perl", "5.24", "one"),
        obsoletes("perl", "5.30", "two"),
    );
    let first = [old.as_str(), &new, &one, &two, future].concat();
    write_feed(feed.path(), 1, &packages, &[("modules", &first)]);
    synced(&h, "mod").await;
    let text = served(&h, "mod").await;
    for part in [
        "message: one",
        "message: two",
        "# a comment",
        "stream: \"5.24\"",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    let shown = h
        .pulp
        .repository_document("mod", Expand::default(), false)
        .await
        .unwrap();
    assert_eq!(
        shown["content_unit_counts"],
        json!({"rpm": 1, "modulemd": 2}),
        "old clients do not notice"
    );

    // Nothing changed: nothing is published.
    let version = || async {
        h.engine
            .store
            .repository_get("mod")
            .await
            .unwrap()
            .unwrap()
            .version
    };
    let before = version().await;
    write_feed(feed.path(), 2, &packages, &[("modules", &first)]);
    synced(&h, "mod").await;
    assert_eq!(version().await, before);

    // One is changed, one withdrawn, and of one the feed lets go together with its stream.
    let second = format!("{new}{}", obsoletes("perl", "5.30", "three"));
    write_feed(feed.path(), 3, &packages, &[("modules", &second)]);
    synced(&h, "mod").await;
    let text = served(&h, "mod").await;
    assert!(
        text.contains("message: three") && !text.contains("message: two"),
        "{text}"
    );
    assert!(!text.contains("modulemd-future"), "{text}");
    assert!(
        text.contains("message: one"),
        "the stream is still here: {text}"
    );
    let job = SyncRepository {
        repo_id: "mod".to_owned(),
        override_config: json!({"remove_missing": true, "force_full": true}),
    };
    let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(documents(&h, "mod", "module_document").await.len(), 1);
    let text = served(&h, "mod").await;
    assert!(
        !text.contains("message: one") && text.contains("message: three"),
        "{text}"
    );
}

async fn an_uploaded_document_stays_and_goes_along(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({})).await;
    let _none = repository(&h, "copy", json!({})).await;
    let perl = module("perl", "\"5.24\"", 1, "c0", &[]);
    let fed = obsoletes("perl", "5.24", "fed");
    write_feed(feed.path(), 1, &[], &[("modules", &format!("{perl}{fed}"))]);
    synced(&h, "mod").await;
    upload(&h, "mod", &obsoletes("perl", "5.24", "ours")).await;
    write_feed(feed.path(), 2, &[], &[("modules", &perl)]);
    synced(&h, "mod").await;
    let text = served(&h, "mod").await;
    assert!(text.contains("ours") && !text.contains("fed"), "{text}");

    let modules = json!({"type_ids": ["modulemd"]});
    let task = copy(&h, ("mod", "copy"), modules.clone(), json!({})).await;
    let listed = task.result["units_successful"].as_array().unwrap();
    assert_eq!(listed.len(), 1, "only the module is told: {listed:?}");
    h.publish("copy", "yum_distributor", Value::Null).await;
    assert!(served(&h, "copy").await.contains("ours"));
    // What is said now takes the place of what was said before.
    write_feed(feed.path(), 3, &[], &[("modules", &format!("{perl}{fed}"))]);
    synced(&h, "mod").await;
    remove(
        &h,
        "mod",
        json!({"type_ids": ["module_document"], "filters": {"unit": {"origin": "upload"}}}),
    )
    .await;
    copy(&h, ("mod", "copy"), modules.clone(), json!({})).await;
    assert_eq!(documents(&h, "copy", "module_document").await.len(), 1);
    h.publish("copy", "yum_distributor", Value::Null).await;
    let text = served(&h, "copy").await;
    assert!(text.contains("fed") && !text.contains("ours"), "{text}");
    remove(&h, "copy", modules).await;
    assert!(documents(&h, "copy", "module_document").await.is_empty());
}

async fn of_what_is_said_of_one_stream_the_newest_is_kept_wherever_it_came_from(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({})).await;
    let other = repository(&h, "other", json!({})).await;
    let perl = module("perl", "\"5.24\"", 1, "c0", &[]);
    let said = |year, message| obsoletes_of(year, "perl", "5.24", message);
    // Of another build it is another matter.
    let beside = "---\ndocument: modulemd-obsoletes\nversion: 1\ndata:\n  modified: 2019-05-01T00:00Z\n  module: perl\n  \
        stream: \"5.24\"\n  context: c9\n  message: beside\n...\n";
    let fed = |of: &tempfile::TempDir, revision, text: &str| {
        let modules = [&perl, beside, text].concat();
        write_feed(of.path(), revision, &[], &[("modules", &modules)]);
    };
    let messages = || async {
        let task = h.publish("mod", "yum_distributor", Value::Null).await;
        assert_eq!(task.state, TaskState::Finished, "{task:?}");
        let text = served(&h, "mod").await;
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("message: "));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let copied = || {
        copy(
            &h,
            ("other", "mod"),
            json!({"type_ids": ["modulemd"]}),
            json!({}),
        )
    };
    fed(&feed, 1, &said(2020, "one"));
    synced(&h, "mod").await;
    fed(&other, 1, &said(2021, "two"));
    synced(&h, "other").await;
    copied().await;
    assert_eq!(
        messages().await,
        ["beside", "two"],
        "a copy replaces what a feed said"
    );
    fed(&feed, 2, &said(2020, "one again"));
    synced(&h, "mod").await;
    assert_eq!(
        messages().await,
        ["beside", "two"],
        "a feed that says it earlier does not"
    );
    fed(&feed, 3, &said(2022, "three"));
    synced(&h, "mod").await;
    assert_eq!(
        messages().await,
        ["beside", "three"],
        "a feed replaces what was copied"
    );
    copied().await;
    assert_eq!(
        messages().await,
        ["beside", "three"],
        "a copy that is older brings nothing"
    );
    upload(&h, "mod", &said(2023, "four")).await;
    assert_eq!(
        messages().await,
        ["beside", "four"],
        "an upload replaces what a feed said"
    );
    upload(&h, "mod", &said(2021, "late")).await;
    assert_eq!(
        messages().await,
        ["beside", "four"],
        "an older one changes nothing"
    );
    remove(&h, "mod", json!({"type_ids": ["modulemd"]})).await;
    assert!(documents(&h, "mod", "module_document").await.is_empty());
}

async fn packages_are_modular_whichever_came_first(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let packages = || {
        [
            Package("perl", "5.24", &[]),
            Package("ruby", "1", &[]),
            Package("tool", "1", &[]),
        ]
    };
    let plain = repository(&h, "plain", json!({})).await;
    write_feed(plain.path(), 1, &packages(), &[]);
    synced(&h, "plain").await;
    assert_eq!(
        content(&h, "plain").await,
        ["perl-5.24", "ruby-1", "tool-1"]
    );
    // The epoch is left out, as some do.
    let perl = module(
        "perl",
        "\"5.24\"",
        1,
        "c0",
        &["perl-5.24-1.noarch".to_owned()],
    );
    let modular = repository(&h, "mod", json!({})).await;
    write_feed(modular.path(), 1, &packages()[..1], &[("modules", &perl)]);
    synced(&h, "mod").await;
    assert_eq!(content(&h, "mod").await, ["perl-5.24*", "perl:5.24:1:c0"]);
    // A module that comes with an upload, after its packages.
    upload(
        &h,
        "plain",
        &module("ruby", "1", 1, "c0", &[nevra("ruby", "1")]),
    )
    .await;
    assert!(content(&h, "plain").await.contains(&"ruby-1*".to_owned()));
    // A module that comes with a copy, whose packages another repository has.
    let _none = repository(&h, "empty", json!({})).await;
    upload(
        &h,
        "empty",
        &module("tool", "1", 1, "c0", &[nevra("tool", "1")]),
    )
    .await;
    copy(
        &h,
        ("empty", "plain"),
        json!({"type_ids": ["modulemd"]}),
        json!({}),
    )
    .await;
    assert!(content(&h, "plain").await.contains(&"tool-1*".to_owned()));
}

/// The packages that a search of a repository shows, by name and whether they are modular; all fields, or these.
async fn shown(h: &Harness, repo: &str, criteria: Value) -> Vec<String> {
    let criteria = pith_core::criteria::UnitCriteria::parse(&criteria).unwrap();
    let found = h.pulp.repository_units(repo, criteria).await.unwrap();
    let batches: Vec<Vec<Shown>> = found.try_collect().await.unwrap();
    let mut found: Vec<String> = Vec::new();
    for shown in batches.into_iter().flatten() {
        let one = match shown {
            Shown::Document(document) => Value::Object(document),
            Shown::Text(text) => serde_json::from_str(&text).unwrap(),
        };
        let metadata = &one["metadata"];
        let mark = if metadata["is_modular"] == json!(true) {
            "*"
        } else {
            ""
        };
        found.push(format!("{}{mark}", metadata["name"].as_str().unwrap()));
    }
    found.sort();
    found
}

async fn packages_are_modular_where_a_module_lists_them(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let packages = [Package("perl", "5.24", &[]), Package("tool", "1", &[])];
    let perl = module("perl", "\"5.24\"", 1, "c0", &[nevra("perl", "5.24")]);
    let modular = repository(&h, "mod", json!({})).await;
    write_feed(modular.path(), 1, &packages, &[("modules", &perl)]);
    synced(&h, "mod").await;
    // The same packages elsewhere, later, by a sync and by a copy.
    let plain = repository(&h, "plain", json!({})).await;
    write_feed(plain.path(), 1, &packages, &[]);
    synced(&h, "plain").await;
    let _none = repository(&h, "copy", json!({})).await;
    let rpms = json!({"type_ids": ["rpm"]});
    copy(&h, ("mod", "copy"), rpms.clone(), json!({})).await;
    for (repo, all, are) in [
        ("mod", "perl*", 1),
        ("plain", "perl", 0),
        ("copy", "perl", 0),
    ] {
        let some = json!({"type_ids": ["rpm"], "fields": {"unit": ["name", "is_modular"]}});
        for criteria in [rpms.clone(), some] {
            assert_eq!(shown(&h, repo, criteria).await, [all, "tool"], "{repo}");
        }
        for (flag, count) in [(true, are), (false, 2 - are)] {
            let filter = json!({"type_ids": ["rpm"], "filters": {"unit": {"is_modular": flag}}});
            assert_eq!(shown(&h, repo, filter).await.len(), count, "{repo} {flag}");
        }
    }
    // A copy takes what the source shows.
    let _none = repository(&h, "some", json!({})).await;
    let listed = json!({"type_ids": ["rpm"], "filters": {"unit": {"is_modular": true}}});
    copy(&h, ("plain", "some"), listed.clone(), json!({})).await;
    assert!(shown(&h, "some", rpms.clone()).await.is_empty());
    copy(&h, ("mod", "some"), listed, json!({})).await;
    assert_eq!(shown(&h, "some", rpms.clone()).await, ["perl"]);
    copy(
        &h,
        ("mod", "some"),
        json!({"type_ids": ["modulemd"]}),
        json!({}),
    )
    .await;
    assert_eq!(shown(&h, "some", rpms).await, ["perl*"]);
}

async fn retained_versions_leave_modular_packages_alone(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({"retain_old_count": 0})).await;
    let packages = [
        Package("perl", "5.24", &[]),
        Package("perl", "5.26", &[]),
        Package("perl", "5.28", &[]),
        Package("perl", "5.30", &[]),
    ];
    let modules =
        ["5.24", "5.30"].map(|v| module("perl", &format!("\"{v}\""), 1, "c0", &[nevra("perl", v)]));
    write_feed(feed.path(), 1, &packages, &[("modules", &modules.concat())]);
    synced(&h, "mod").await;
    let kept = [
        "perl-5.24*",
        "perl-5.28",
        "perl-5.30*",
        "perl:5.24:1:c0",
        "perl:5.30:1:c0",
    ];
    assert_eq!(content(&h, "mod").await, kept);
    // A stream that the feed lets go of keeps its packages as long as it is here itself.
    write_feed(feed.path(), 2, &packages, &[("modules", &modules[1])]);
    synced(&h, "mod").await;
    assert_eq!(content(&h, "mod").await, kept);
    remove(
        &h,
        "mod",
        json!({"type_ids": ["modulemd"], "filters": {"unit": {"stream": "5.24"}}}),
    )
    .await;
    synced(&h, "mod").await;
    assert_eq!(
        content(&h, "mod").await,
        ["perl-5.28", "perl-5.30*", "perl:5.30:1:c0"]
    );
}

/// An advisory that names builds, each with its packages.
pub(crate) fn advisory(builds: &[(&str, &[(&str, &str)])]) -> String {
    let mut text = "<updates><update from=\"a@b\" status=\"final\" type=\"security\" version=\"1\"><id>A-1</id><title>t</title>\
        <issued date=\"2020-01-01 00:00:00\"/><updated date=\"2020-01-01 00:00:00\"/><description>d</description><pkglist>"
        .to_owned();
    for (build, packages) in builds {
        let parts: Vec<&str> = build.split(':').collect();
        write!(
            text,
            "<collection short=\"c\"><name>c</name><module name=\"{}\" stream=\"{}\" version=\"{}\" context=\"{}\" \
             arch=\"noarch\"/>",
            parts[0], parts[1], parts[2], parts[3]
        )
        .unwrap();
        for (name, version) in *packages {
            write!(
                text,
                "<package name=\"{name}\" version=\"{version}\" release=\"1\" epoch=\"0\" arch=\"noarch\" src=\"s\">\
                 <filename>{name}-{version}-1.noarch.rpm</filename></package>"
            )
            .unwrap();
        }
        text.push_str("</collection>");
    }
    text + "</pkglist></update></updates>"
}

/// Two streams of perl, one with three builds, each build with a package of its own, and defaults.
async fn perls(h: &Harness, advisory: &str) -> tempfile::TempDir {
    let feed = repository(h, "mod", json!({})).await;
    let packages = [
        Package("perl", "5.24.1", &["perl-libs"]),
        Package("perl", "5.24.2", &["perl-libs"]),
        Package("perl", "5.24.3", &["perl-libs"]),
        Package("perl-libs", "5.24.2", &[]),
        Package("perl-libs", "5.30", &[]),
    ];
    let list = |names: &[(&str, &str)]| -> Vec<String> {
        names
            .iter()
            .map(|(name, version)| nevra(name, version))
            .collect()
    };
    let modules = [
        module("perl", "\"5.24\"", 1, "c0", &list(&[("perl", "5.24.1")])),
        module("perl", "\"5.24\"", 2, "c0", &list(&[("perl", "5.24.2"), ("perl-libs", "5.24.2")])),
        module("perl", "\"5.24\"", 2, "c1", &list(&[("perl", "5.24.3")])),
        module("perl", "\"5.30\"", 1, "c0", &list(&[("perl-libs", "5.30")])),
        "---\ndocument: modulemd-defaults\nversion: 1\ndata: {module: perl, stream: \"5.24\"}\n...\n".to_owned(),
    ];
    write_feed(
        feed.path(),
        1,
        &packages,
        &[("modules", &modules.concat()), ("updateinfo", advisory)],
    );
    synced(h, "mod").await;
    feed
}

async fn a_modular_advisory_brings_exactly_the_builds_it_names(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let named = advisory(&[("perl:5.24:2:c0", &[("perl", "5.24.2")])]);
    let _feed = perls(&h, &named).await;
    let errata = json!({"type_ids": ["erratum"]});
    for (id, over) in [
        ("relaxed", json!({"recursive": true})),
        ("conservative", json!({"recursive_conservative": true})),
    ] {
        let _none = repository(&h, id, json!({})).await;
        // Another build of the stream is there already.
        let other = json!({"type_ids": ["modulemd"], "filters": {"unit": {"stream": "5.24", "version": 1}}});
        copy(&h, ("mod", id), other, json!({})).await;
        assert_eq!(content(&h, id).await, ["perl-5.24.1*", "perl:5.24:1:c0"]);
        copy(&h, ("mod", id), errata.clone(), over).await;
        let expected = [
            "defaults of perl",
            "perl-5.24.1*",
            "perl-5.24.2*",
            "perl-libs-5.24.2*",
            "perl:5.24:1:c0",
            "perl:5.24:2:c0",
        ];
        assert_eq!(content(&h, id).await, expected, "{id}");
    }
}

async fn an_advisory_that_names_a_module_and_no_packages_brings_it(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _feed = perls(&h, &advisory(&[("perl:5.24:2:c1", &[])])).await;
    let _none = repository(&h, "copy", json!({})).await;
    let errata = json!({"type_ids": ["erratum"]});
    copy(
        &h,
        ("mod", "copy"),
        errata,
        json!({"recursive_conservative": true}),
    )
    .await;
    let found = content(&h, "copy").await;
    assert!(found.contains(&"perl:5.24:2:c1".to_owned()), "{found:?}");
    assert!(found.contains(&"perl-5.24.3*".to_owned()), "{found:?}");
    assert!(
        !found.contains(&"perl:5.24:2:c0".to_owned())
            || found.contains(&"perl-libs-5.24.2*".to_owned())
    );
}

async fn builds_that_differ_in_context_or_architecture_are_not_confused(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({})).await;
    let packages = [
        Package("perl", "5.24.1", &[]),
        Package("perl", "5.24.2", &[]),
        Package("perl", "5.24.3", &[]),
        Package("perl-doc", "5.24", &[]),
    ];
    // One package is in all builds, one is listed without its epoch, one is nowhere.
    let doc = nevra("perl-doc", "5.24");
    let build = |context, own: &str| {
        let listed = [own.to_owned(), doc.clone(), nevra("perl-gone", "1")];
        module("perl", "\"5.24\"", 7, context, &listed)
    };
    let elsewhere = build("c0", &nevra("perl", "5.24.3")).replace("arch: noarch", "arch: s390x");
    let modules = [
        build("c0", "perl-5.24.1-1.noarch"),
        build("c1", &nevra("perl", "5.24.2")),
        elsewhere,
        module("empty", "\"1\"", 1, "c0", &[]),
    ];
    let named = advisory(&[
        (
            "perl:5.24:7:c0",
            &[("perl", "5.24.1"), ("perl-doc", "5.24")],
        ),
        ("empty:1:1:c0", &[]),
    ]);
    let parts = [("modules", &*modules.concat()), ("updateinfo", &*named)];
    write_feed(feed.path(), 1, &packages, &parts);
    synced(&h, "mod").await;
    for (id, over) in [
        ("relaxed", json!({"recursive": true})),
        ("conservative", json!({"recursive_conservative": true})),
    ] {
        let _none = repository(&h, id, json!({})).await;
        // The destination has a build of the same name, stream and version.
        let other = json!({"type_ids": ["modulemd"], "filters": {"unit": {"context": "c1"}}});
        copy(&h, ("mod", id), other, json!({})).await;
        let before = ["perl-5.24.2*", "perl-doc-5.24*", "perl:5.24:7:c1"];
        assert_eq!(content(&h, id).await, before, "{id}");
        copy(&h, ("mod", id), json!({"type_ids": ["erratum"]}), over).await;
        let after = [
            "empty:1:1:c0",
            "perl-5.24.1*",
            "perl-5.24.2*",
            "perl-doc-5.24*",
            "perl:5.24:7:c0",
            "perl:5.24:7:c1",
        ];
        assert_eq!(content(&h, id).await, after, "{id}");
        let archs = h.units(id, "modulemd", "arch").await;
        assert_eq!(archs, ["noarch"; 3], "{id}");
    }
}

async fn streams_and_defaults_are_kept_as_they_are_written(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let feed = repository(&h, "mod", json!({})).await;
    let defaults = |stream: &str, modified: &str| {
        format!(
            "---\ndocument: modulemd-defaults\nversion: 1\ndata:\n  module: perl\n  modified: {modified}\n  stream: {stream}\n...\n"
        )
    };
    let text = [
        module("perl", "5.30", 1, "c0", &[]),
        module("perl", "5.30", 1, "c1", &[]),
        module("odd", "010", 1, "00", &[]),
        defaults("5.30", "202001010000"),
        defaults("5.24", "201901010000"),
        "---\ndocument: modulemd-packager\nversion: 3\ndata: {name: perl, stream: 5.30}\n...\n"
            .to_owned(),
    ]
    .concat();
    write_feed(feed.path(), 1, &[], &[("modules", &text)]);
    synced(&h, "mod").await;
    let streams = h.units("mod", "modulemd", "stream").await;
    assert_eq!(streams, ["010", "5.30", "5.30"]);
    assert_eq!(
        h.units("mod", "modulemd_defaults", "stream").await,
        ["5.30"]
    );
    let served = served(&h, "mod").await;
    for document in text.split_inclusive("...\n") {
        assert!(served.contains(document), "{document} is missing: {served}");
    }
}
