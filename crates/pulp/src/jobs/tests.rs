//! Each kind as the queue has it, and as the wire shows it.

use pith_core::task::Resource;
use pith_engine::Job;
use pith_engine::job::stored;
use serde_json::{Value, json};

use super::*;

/// Reads a job as the queue has it and sees that it is written in the same way; its task type, tags and resources.
fn queued<J: Job>(args: Value) -> (&'static str, Vec<String>, Vec<Resource>) {
    assert_eq!(args["job"], J::KIND);
    let job: J = serde_json::from_value(args.clone()).unwrap();
    let Value::Object(args) = args else {
        panic!("arguments are an object");
    };
    assert_eq!(stored(&job).unwrap(), args);
    if J::ON_FEEDS {
        assert_eq!(job.task_type(), J::TASK_TYPE);
    }
    (job.task_type(), job.tags(), job.resources())
}

/// Reads a job that has the repository `zoo` to itself; its task type, and its tags behind that of the repository.
fn alone<J: Job>(args: Value) -> (&'static str, String) {
    let (task_type, tags, resources) = queued::<J>(args);
    assert_eq!(resources, [Resource::repository("zoo")]);
    assert_eq!(tags[0], "pulp:repository:zoo");
    (task_type, tags[1..].join(" "))
}

/// Reads a job that holds nothing; its task type and its tags.
fn of<J: Job>(args: Value) -> (&'static str, String) {
    let (task_type, tags, resources) = queued::<J>(args);
    assert_eq!(resources, []);
    (task_type, tags.join(" "))
}

#[test]
fn jobs_of_one_repository_are_queued_as_ever() {
    let sync = json!({"job": "sync", "repo_id": "zoo", "override_config": {"feed": "x"}});
    let publish =
        json!({"job": "publish", "repo_id": "zoo", "distributor_id": "d", "override_config": null});
    let delete = json!({"job": "delete_repository", "repo_id": "zoo"});
    let set =
        json!({"job": "set_importer", "repo_id": "zoo", "importer_type_id": "i", "config": {}});
    let update = json!({"job": "update_importer", "repo_id": "zoo", "importer_id": "i", "config": {"feed": null}});
    let remove = json!({"job": "remove_importer", "repo_id": "zoo", "importer_id": "i"});
    let update_distributor = json!({
        "job": "update_distributor", "repo_id": "zoo", "distributor_id": "d", "config": {}, "delta": {"auto_publish": true},
    });
    let remove_distributor =
        json!({"job": "remove_distributor", "repo_id": "zoo", "distributor_id": "d"});
    let import = json!({
        "job": "import_upload", "repo_id": "zoo", "upload_id": null, "unit_type_id": "iso", "unit_key": {}, "unit_metadata": null,
        "override_config": null,
    });
    let unassociate = json!({"job": "unassociate", "repo_id": "zoo", "criteria": {}});
    let shown = [
        alone::<SyncRepository>(sync),
        alone::<PublishRepository>(publish),
        alone::<DeleteRepository>(delete),
        alone::<SetImporter>(set),
        alone::<UpdateImporter>(update),
        alone::<RemoveImporter>(remove),
        alone::<UpdateDistributor>(update_distributor),
        alone::<RemoveDistributor>(remove_distributor),
        alone::<ImportUpload>(import),
        alone::<Unassociate>(unassociate),
    ];
    let expected = [
        ("managers.repo.sync.sync", "action:sync"),
        ("managers.repo.publish.publish", "action:publish"),
        ("tasks.repository.delete", "action:delete"),
        ("managers.repo.importer.set_importer", "action:add_importer"),
        (
            "managers.repo.importer.update_importer_config",
            "repository_importer:i pulp:action:update_importer",
        ),
        (
            "managers.repo.importer.remove_importer",
            "repository_importer:i pulp:action:delete_importer",
        ),
        (
            "tasks.repository.distributor_update",
            "repository_distributor:d pulp:action:update_distributor",
        ),
        (
            "tasks.repository.distributor_delete",
            "repository_distributor:d pulp:action:remove_distributor",
        ),
        (
            "managers.content.upload.import_uploaded_unit",
            "action:import_upload",
        ),
        (
            "managers.repo.unit_association.unassociate_by_criteria",
            "action:unassociate",
        ),
    ];
    for ((task_type, tags), (expected_type, expected_tags)) in shown.iter().zip(expected) {
        assert_eq!(*task_type, format!("pulp.server.{expected_type}"));
        assert_eq!(*tags, format!("pulp:{expected_tags}"));
    }
}

#[test]
fn jobs_of_no_repository_are_queued_as_ever() {
    let (_, tags, resources) = queued::<DownloadRepository>(
        json!({"job": "download_repository", "repo_id": "zoo", "verify_all_units": true}),
    );
    assert_eq!(tags, ["pulp:repository:zoo", "pulp:action:download"]);
    assert_eq!(resources, [], "it runs beside a sync");
    let group = json!({"job": "publish_group", "group_id": "g", "distributor_id": 5, "override_config": null});
    let (_, tags, resources) = queued::<PublishGroup>(group);
    let of_group = [
        "pulp:repository_group:g",
        "pulp:repository_group_distributor:5",
        "pulp:action:publish",
    ];
    assert_eq!(tags, of_group);
    assert_eq!(resources, [Resource::repository_group("g")]);
    let all = json!({"job": "regenerate_applicability", "repo_criteria": {}});
    let (_, tags, resources) = queued::<RegenerateApplicability>(all);
    assert_eq!(tags, ["pulp:action:content_applicability_regeneration"]);
    assert_eq!(resources, [Resource::applicability()]);
    let part =
        json!({"job": "batch_regenerate_applicability", "repo_id": "zoo", "profile_sets": ["x"]});
    assert_eq!(of::<BatchRegenerateApplicability>(part).1, "");
    let sources = json!({"job": "refresh_content_sources", "source_ids": ["a", "b"]});
    assert_eq!(
        of::<RefreshContentSources>(sources),
        (
            "pulp.server.tasks.content.refresh_content_sources",
            "pulp:action:refresh_all_content_sources pulp:content_source:a pulp:content_source:b"
                .to_owned()
        )
    );
    let source = json!({"job": "refresh_content_source", "source_id": "a"});
    assert_eq!(
        of::<RefreshContentSource>(source),
        (
            "pulp.server.tasks.content.refresh_content_source",
            "pulp:action:refresh_content_source pulp:content_source:a".to_owned()
        )
    );
    assert_eq!(
        of::<ReapExpiredDocuments>(json!({"job": "reap_expired_documents"})),
        (
            "pulp.server.db.reaper.reap_expired_documents",
            "pulp:action:reaper".to_owned()
        )
    );
}

#[test]
fn orphans_have_a_task_type_for_each_way_to_name_them() {
    let each = [
        (json!({"what": "all"}), "delete_all_orphans"),
        (
            json!({"what": "of_type", "type_id": "iso"}),
            "delete_orphans_by_type",
        ),
        (
            json!({"what": "one", "type_id": "iso", "unit_id": "1"}),
            "delete_orphans_by_id",
        ),
        (
            json!({"what": "listed", "units": []}),
            "delete_orphans_by_id",
        ),
    ];
    for (orphans, task_type) in each {
        let is_listed = orphans["what"] == "listed";
        let shown = of::<DeleteOrphans>(json!({"job": "delete_orphans", "orphans": orphans}));
        let expected = format!("pulp.server.managers.content.orphan.{task_type}");
        assert_eq!(shown.0, expected);
        let tags = match is_listed {
            true => "pulp:action:delete_orphans pulp:content_unit:orphans",
            false => "pulp:content_unit:orphans",
        };
        assert_eq!(shown.1, tags);
    }
}

#[test]
fn a_copy_has_its_destinations_to_itself_and_shares_its_sources() {
    let further = json!({"more": "beside", "zoo": "other", "odd": 5});
    let args = json!({
        "job": "associate", "repo_id": "zoo", "source_repo_id": "from", "criteria": {},
        "override_config": {"additional_repos": further},
    });
    let (_, tags, resources) = queued::<Associate>(args);
    let tags: Vec<&str> = tags
        .iter()
        .map(|tag| tag.trim_start_matches("pulp:"))
        .collect();
    assert_eq!(
        tags,
        [
            "repository:zoo",
            "repository:from",
            "repository:more",
            "repository:beside",
            "repository:other",
            "action:associate"
        ]
    );
    let (alone, shared) = (Resource::repository, Resource::repository_shared);
    let expected = [
        alone("zoo"),
        alone("beside"),
        alone("other"),
        shared("from"),
        shared("more"),
    ];
    assert_eq!(resources, expected);
}

#[test]
fn what_older_versions_left_out_has_its_default() {
    let job: SyncRepository =
        serde_json::from_value(json!({"job": "sync", "repo_id": "zoo", "discreet": true})).unwrap();
    assert_eq!(job.override_config, Value::Null);
    let download = json!({"job": "download_repository", "repo_id": "zoo"});
    let job: DownloadRepository = serde_json::from_value(download).unwrap();
    assert!(!job.verify_all_units);
}
