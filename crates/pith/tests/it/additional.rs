//! Copies that take what is needed from several sources, and put what comes from each where a map says.

use pith_core::task::TaskState;
use pith_pulp::jobs::{Associate, Unassociate};
use serde_json::{Value, json};

use crate::feeds::{Package, content, copy, module, nevra, repository, synced, write_feed};
use crate::harness::{Harness, On};

crate::on_both!(
    what_comes_from_an_additional_source_goes_where_the_map_says,
    several_sources_may_lead_to_one_destination,
    a_copy_to_several_destinations_that_fails_changes_none,
    a_module_comes_from_an_additional_source_with_its_packages,
);

/// `app` in `main`, what it needs in `libs`, and two empty repositories.
async fn repositories(h: &Harness) -> Vec<tempfile::TempDir> {
    let main = repository(h, "main", json!({})).await;
    write_feed(
        main.path(),
        1,
        &[Package("app", "1", &["lib"]), Package("lib", "1", &[])],
        &[],
    );
    let libs = repository(h, "libs", json!({})).await;
    let packages = [Package("lib", "2", &["base"]), Package("base", "1", &[])];
    write_feed(libs.path(), 1, &packages, &[]);
    let mut folders = vec![main, libs];
    for id in ["main-copy", "libs-copy"] {
        folders.push(repository(h, id, json!({})).await);
    }
    synced(h, "main").await;
    synced(h, "libs").await;
    folders
}

fn app() -> Value {
    json!({"type_ids": ["rpm"], "filters": {"unit": {"name": "app"}}})
}

async fn what_comes_from_an_additional_source_goes_where_the_map_says(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _folders = repositories(&h).await;
    for flag in ["recursive", "recursive_conservative"] {
        let over = json!({flag: true, "additional_repos": {"libs": "libs-copy"}});
        let task = copy(&h, ("main", "main-copy"), app(), over).await;
        assert_eq!(content(&h, "main-copy").await, ["app-1"], "{flag}");
        assert_eq!(
            content(&h, "libs-copy").await,
            ["base-1", "lib-2"],
            "{flag}"
        );
        let told = task.result["units_successful"].as_array().unwrap().len();
        assert_eq!(told, 3, "{task:?}");
        for id in ["main-copy", "libs-copy"] {
            let job = Unassociate {
                repo_id: id.to_owned(),
                criteria: json!({}),
            };
            h.ended(h.engine.enqueue(job).await.unwrap()).await;
        }
    }
    // An empty map is none; what a destination of the map has is enough for a conservative copy.
    copy(
        &h,
        ("main", "main-copy"),
        app(),
        json!({"additional_repos": {}}),
    )
    .await;
    copy(&h, ("libs", "libs-copy"), json!({}), json!({})).await;
    let over = json!({"recursive_conservative": true, "additional_repos": {"libs": "libs-copy"}});
    copy(&h, ("main", "main-copy"), app(), over).await;
    assert_eq!(content(&h, "main-copy").await, ["app-1"]);
}

async fn several_sources_may_lead_to_one_destination(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _folders = repositories(&h).await;
    let over = json!({"recursive": true, "additional_repos": {"libs": "main-copy"}});
    copy(&h, ("main", "main-copy"), app(), over).await;
    assert_eq!(content(&h, "main-copy").await, ["app-1", "base-1", "lib-2"]);
}

async fn a_copy_to_several_destinations_that_fails_changes_none(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let _folders = repositories(&h).await;
    h.repository("files", "iso", "/f/", json!({})).await;
    let before = |id: &'static str| {
        let h = &h;
        async move {
            h.engine
                .store
                .repository_get(id)
                .await
                .unwrap()
                .unwrap()
                .version
        }
    };
    for map in [
        json!({"libs": "files"}),
        json!({"libs": "nowhere"}),
        json!({"nowhere": "libs-copy"}),
    ] {
        let job = Associate {
            repo_id: "main-copy".to_owned(),
            source_repo_id: "main".to_owned(),
            criteria: app(),
            override_config: serde_json::from_value(
                json!({"recursive": true, "additional_repos": map}),
            )
            .unwrap(),
        };
        let task = h.ended(h.engine.enqueue(job).await.unwrap()).await;
        assert_eq!(task.state, TaskState::Error, "{task:?}");
    }
    for id in ["main-copy", "libs-copy", "files"] {
        assert_eq!(before(id).await, 0, "{id}");
    }
}

async fn a_module_comes_from_an_additional_source_with_its_packages(on: On) {
    let Some(h) = Harness::start(on).await else {
        return;
    };
    let main = repository(&h, "main", json!({})).await;
    write_feed(main.path(), 1, &[Package("app", "1", &["perl"])], &[]);
    let streams = repository(&h, "streams", json!({})).await;
    let listed = [nevra("perl", "5"), nevra("perl-doc", "5")];
    let modules = module("perl", "5", 1, "c0", &listed)
        + "---\ndocument: modulemd-defaults\nversion: 1\ndata: {module: perl, stream: 5}\n...\n"
        + "---\ndocument: modulemd-translations\nversion: 1\ndata: {module: perl, stream: 5}\n...\n";
    let packages = [Package("perl", "5", &[]), Package("perl-doc", "5", &[])];
    write_feed(streams.path(), 1, &packages, &[("modules", &modules)]);
    let mut folders = Vec::new();
    for id in ["main-copy", "streams-copy"] {
        folders.push(repository(&h, id, json!({})).await);
    }
    synced(&h, "main").await;
    synced(&h, "streams").await;
    let over =
        json!({"recursive_conservative": true, "additional_repos": {"streams": "streams-copy"}});
    copy(&h, ("main", "main-copy"), app(), over).await;
    assert_eq!(content(&h, "main-copy").await, ["app-1"]);
    let expected = ["defaults of perl", "perl-5*", "perl-doc-5*", "perl:5:1:c0"];
    assert_eq!(content(&h, "streams-copy").await, expected);
    let said = h.units("streams-copy", "module_document", "document").await;
    assert_eq!(said, ["modulemd-translations"]);
}
