//! The samples. Requests that the pages print with a comma too many are sent without it; requests marked as set-up
//! make what a sample takes for granted.

use serde_json::{Value, json};

/// The answer as the page gives it.
pub(super) enum Want {
    /// Nothing that could be compared.
    Any,
    /// `null`.
    Nothing,
    /// A document.
    Document(Value),
    /// A list whose elements are like this one.
    First(Value),
    /// A call report with this result.
    Result(Value),
    /// A call report whose task has these tags and, unless null, this result.
    Task { tags: Value, result: Value },
}

/// A request of a page.
pub(super) struct Sample {
    pub(super) seed: &'static str,
    pub(super) section: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) body: Value,
    pub(super) status: u16,
    pub(super) want: Want,
    pub(super) is_setup: bool,
}

struct Page {
    seed: &'static str,
    samples: Vec<Sample>,
}

impl Page {
    fn setup(&mut self, method: &'static str, path: &'static str, body: Value) {
        self.say("Set-up", method, path, body, 200, Want::Any);
        if let Some(last) = self.samples.last_mut() {
            last.is_setup = true;
        }
    }

    fn say(
        &mut self,
        section: &'static str,
        method: &'static str,
        path: &'static str,
        body: Value,
        status: u16,
        want: Want,
    ) {
        self.samples.push(Sample {
            seed: self.seed,
            section,
            method,
            path,
            body,
            status,
            want,
            is_setup: false,
        });
    }
}

fn tags(of: &[&str]) -> Want {
    Want::Task {
        tags: json!(of),
        result: Value::Null,
    }
}

/// All of them, in an order in which each finds what it needs.
pub(super) fn samples() -> Vec<Sample> {
    let mut all = configuration("002 Creation, Deletion, and Configuration");
    all.extend(synchronization("000 Synchronization"));
    all.extend(publication("001 Publication"));
    all.extend(publication("003 Publication (as rendered)"));
    all.extend(deletion("002 Creation, Deletion, and Configuration"));
    all
}

fn configuration(seed: &'static str) -> Vec<Sample> {
    let mut page = Page {
        seed,
        samples: Vec::new(),
    };
    page.say(
        "Create a Repository",
        "POST",
        "/repositories/",
        json!({
            "display_name": "Harness Repository: harness_repo_1",
            "id": "harness_repo_1",
            "importer_type_id": "harness_importer",
            "importer_config": {"num_units": "5", "write_files": "true"},
            "distributors": [{
                "distributor_id": "dist_1",
                "distributor_type_id": "harness_distributor",
                "distributor_config": {"publish_dir": "/tmp/harness-publish", "write_files": "true"},
                "auto_publish": false,
            }],
        }),
        201,
        Want::Document(json!({
            "scratchpad": {},
            "display_name": "Harness Repository: harness_repo_1",
            "description": null,
            "_ns": "repos",
            "notes": {},
            "content_unit_counts": {},
            "_id": {"$oid": "52280416e5e71041ad000066"},
            "id": "harness_repo_1",
            "_href": "/pulp/api/v2/repositories/harness_repo_1/",
        })),
    );
    page.setup(
        "POST",
        "/repositories/harness_repo_1/distributors/",
        json!({
            "distributor_id": "demo_distributor", "distributor_type_id": "demo_distributor",
        }),
    );
    page.say(
        "Update a Repository",
        "PUT",
        "/repositories/harness_repo_1/",
        json!({
            "delta": {"display_name": "Updated"},
            "importer_config": {"demo_key": "demo_value"},
            "distributor_configs": {"demo_distributor": {"demo_key": "demo_value"}},
        }),
        200,
        Want::Result(json!({
            "display_name": "Updated",
            "description": null,
            "_ns": "repos",
            "notes": {},
            "content_unit_counts": {},
            "_id": "harness_repo_1",
            "id": "harness_repo_1",
        })),
    );
    page.say(
        "Update a Repository, its task",
        "PUT",
        "/repositories/harness_repo_1/",
        json!({"delta": {}, "distributor_configs": {"demo_distributor": {"demo_key": "demo_value"}}}),
        202,
        tags(&["pulp:action:add_importer", "pulp:repository:harness_repo_1"]),
    );
    plugins(&mut page);
    page.samples
}

fn plugins(page: &mut Page) {
    page.say(
        "Associate an Importer to a Repository",
        "POST",
        "/repositories/harness_repo_1/importers/",
        json!({
            "importer_type_id": "harness_importer",
            "importer_config": {"num_units": "5", "write_files": "true"},
        }),
        201,
        Want::Task {
            tags: json!([
                "pulp:action:update_importer",
                "pulp:repository:harness_repo_1",
                "pulp:repository_importer:harness_importer",
            ]),
            result: json!({
                "scratchpad": null,
                "_ns": "gc_repo_importers",
                "importer_type_id": "harness_importer",
                "last_sync": null,
                "repo_id": "harness_repo_1",
                "_id": "bab0f9d5-dfd1-45ef-bd1d-fd7ea8077d75",
                "config": {"num_units": "5", "write_files": "true"},
                "id": "harness_importer",
            }),
        },
    );
    page.say(
        "Associate a Distributor with a Repository",
        "POST",
        "/repositories/harness_repo_1/distributors/",
        json!({
            "distributor_id": "dist_1",
            "distributor_type_id": "harness_distributor",
            "distributor_config": {"publish_dir": "/tmp/harness-publish", "write_files": "true"},
            "auto_publish": false,
        }),
        201,
        Want::Document(json!({
            "scratchpad": null,
            "_ns": "gc_repo_distributors",
            "last_publish": null,
            "auto_publish": false,
            "distributor_type_id": "harness_distributor",
            "repo_id": "harness_repo_1",
            "publish_in_progress": false,
            "_id": "cfdd6ab9-6dbe-4192-bde2-d00db768f268",
            "config": {"publish_dir": "/tmp/harness-publish", "write_files": "true"},
            "id": "dist_1",
        })),
    );
    page.setup(
        "POST",
        "/repositories/",
        json!({
            "id": "demo_repo", "importer_type_id": "demo_importer",
            "distributors": [
                {"distributor_id": "demo_distributor", "distributor_type_id": "demo_distributor"},
                {"distributor_id": "distributor_1", "distributor_type_id": "demo_distributor",
             "distributor_config": {"relative_url": "one"}},
            ],
        }),
    );
    page.setup("POST", "/repositories/demo_repo/actions/sync/", json!({}));
    page.say(
        "Update an Importer Associated with a Repository",
        "PUT",
        "/repositories/demo_repo/importers/demo_importer/",
        json!({"importer_config": {"demo_key": "demo_value"}}),
        202,
        Want::Task {
            tags: json!([
                "pulp:action:update_importer",
                "pulp:repository:demo_repo",
                "pulp:repository_importer:demo_importer",
            ]),
            result: json!({
                "scratchpad": null,
                "_ns": "repo_importers",
                "importer_type_id": "demo_importer",
                "last_sync": "2013-10-03T14:08:35-04:00",
                "scheduled_syncs": [],
                "repo_id": "demo_repo",
                "_id": {"$oid": "524db282dd01fb194283e53f"},
                "config": {"demo_key": "demo_value"},
                "id": "demo_importer",
            }),
        },
    );
    page.say(
        "Update a Distributor Associated with a Repository",
        "PUT",
        "/repositories/demo_repo/distributors/demo_distributor/",
        json!({"distributor_config": {"demo_key": "demo_value"}, "delta": {"auto_publish": true}}),
        202,
        tags(&[
            "pulp:action:update_distributor",
            "pulp:repository:demo_repo",
            "pulp:repository_distributor:demo_distributor",
        ]),
    );
}

fn deletion(seed: &'static str) -> Vec<Sample> {
    let mut page = Page {
        seed,
        samples: Vec::new(),
    };
    page.say(
        "Disassociate an Importer from a Repository",
        "DELETE",
        "/repositories/harness_repo_1/importers/harness_importer/",
        Value::Null,
        202,
        tags(&[
            "pulp:action:delete_importer",
            "pulp:repository:harness_repo_1",
            "pulp:repository_importer:harness_importer",
        ]),
    );
    page.say(
        "Disassociate a Distributor from a Repository",
        "DELETE",
        "/repositories/harness_repo_1/distributors/dist_1/",
        Value::Null,
        202,
        tags(&[
            "pulp:action:remove_distributor",
            "pulp:repository:harness_repo_1",
            "pulp:repository_distributor:dist_1",
        ]),
    );
    page.say(
        "Delete a Repository",
        "DELETE",
        "/repositories/harness_repo_1/",
        Value::Null,
        202,
        tags(&["pulp:action:delete", "pulp:repository:harness_repo_1"]),
    );
    page.samples
}

/// A schedule as the pages show it.
fn schedule(
    id: &str,
    href: &str,
    task: &str,
    resource: &str,
    args: &[&str],
    interval: &str,
) -> Value {
    let mut shown = json!({
        "next_run": "2014-01-27T21:41:50Z",
        "task": task,
        "last_updated": 1_390_858_910.292_712,
        "first_run": "2014-01-27T21:41:50Z",
        "schedule": interval,
        "args": args,
        "enabled": true,
        "last_run_at": null,
        "_id": id,
        "total_run_count": 0,
        "failure_threshold": 3,
        "kwargs": {"overrides": {}},
        "resource": resource,
        "remaining_runs": null,
        "consecutive_failures": 0,
        "_href": href,
    });
    if interval == "P1DT" {
        shown["last_run_at"] = json!("2015-02-09T10:00:23Z");
        shown["total_run_count"] = json!(1);
        shown["failure_threshold"] = Value::Null;
    }
    shown
}

/// The paths of one kind of schedule, with the samples of the two repositories that the pages use.
struct Schedules {
    made_in: &'static str,
    listed_in: &'static str,
    one_made: &'static str,
    one_listed: &'static str,
    titles: [&'static str; 5],
    /// The interval that the sample request has.
    interval: &'static str,
    made: Value,
    listed: Value,
}

fn schedules(page: &mut Page, of: Schedules) {
    let [create, update, delete, list, read] = of.titles;
    let body = |interval: &str| json!({"override_config": {}, "schedule": interval, "failure_threshold": 3});
    if of.interval != "PT1H" {
        page.say(
            create,
            "POST",
            of.made_in,
            body(of.interval),
            201,
            Want::Any,
        );
    }
    let made = Want::Document(of.made);
    page.say(create, "POST", of.made_in, body("PT1H"), 201, made);
    page.say(
        update,
        "PUT",
        of.one_made,
        json!({"enabled": true}),
        200,
        Want::Any,
    );
    page.say(
        delete,
        "DELETE",
        of.one_made,
        Value::Null,
        200,
        Want::Nothing,
    );
    page.say(
        list,
        "POST",
        of.listed_in,
        json!({"schedule": "P1DT"}),
        201,
        Want::Any,
    );
    let listed = Want::First(of.listed.clone());
    page.say(list, "GET", of.listed_in, Value::Null, 200, listed);
    let one = Want::Document(of.listed);
    page.say(read, "GET", of.one_listed, Value::Null, 200, one);
    page.setup("DELETE", of.one_listed, Value::Null);
}

const ID: &str = "52e6d29edd01fb70bd0d9c37";

fn synchronization(seed: &'static str) -> Vec<Sample> {
    let mut page = Page {
        seed,
        samples: Vec::new(),
    };
    page.say(
        "Sync a Repository",
        "POST",
        "/repositories/demo_repo/actions/sync/",
        json!({"override_config": {"verify_checksum": false, "verify_size": false}}),
        202,
        tags(&["pulp:action:sync", "pulp:repository:demo_repo"]),
    );
    page.say(
        "Download a Repository",
        "POST",
        "/repositories/demo_repo/actions/download/",
        json!({"verify_all_units": false}),
        202,
        tags(&["pulp:action:download_repo", "pulp:repository:demo_repo"]),
    );
    page.setup("POST", "/repositories/", json!({
        "id": "demo", "importer_type_id": "puppet_importer",
        "distributors": [{"distributor_id": "puppet_distributor", "distributor_type_id": "puppet_distributor"}],
    }));
    page.setup(
        "POST",
        "/repositories/",
        json!({
            "id": "test", "importer_type_id": "yum_importer", "importer_config": {},
            "distributors": [{
                "distributor_id": "yum_distributor", "distributor_type_id": "yum_distributor",
                "distributor_config": {"http": true, "https": true, "relative_url": "test"},
            }],
        }),
    );
    let task = "pulp.server.tasks.repository.sync_with_auto_publish";
    let href = "/pulp/api/v2/repositories/demo/importers/puppet_importer/schedules/sync/52e6d29edd01fb70bd0d9c37/";
    schedules(
        &mut page,
        Schedules {
            made_in: "/repositories/demo/importers/puppet_importer/schedules/sync/",
            listed_in: "/repositories/test/importers/yum_importer/schedules/sync/",
            one_made: "/repositories/demo/importers/puppet_importer/schedules/sync/<schedule>/",
            one_listed: "/repositories/test/importers/yum_importer/schedules/sync/<schedule>/",
            titles: [
                "Scheduling a Sync",
                "Updating a Scheduled Sync",
                "Deleting a Scheduled Sync",
                "Listing All Scheduled Syncs",
                "Listing a Single Scheduled Sync",
            ],
            interval: "00:00:00Z/P1DT",
            made: schedule(
                ID,
                href,
                task,
                "pulp:importer:demo:puppet_importer",
                &["demo"],
                "PT1H",
            ),
            listed: schedule(
                ID,
                href,
                task,
                "pulp:importer:test:yum_importer",
                &["test"],
                "P1DT",
            ),
        },
    );
    page.say(
        "Retrieving Sync History",
        "GET",
        "/repositories/demo_repo/history/sync/",
        Value::Null,
        200,
        Want::First(json!({
            "result": "success",
            "importer_id": "my_demo_importer",
            "exception": null,
            "repo_id": "demo_repo",
            "traceback": null,
            "started": "1970:00:00T00:00:00Z",
            "completed": "1970:00:00T00:00:01Z",
            "importer_type_id": "demo_importer",
            "error_message": null,
        })),
    );
    page.samples
}

fn publication(seed: &'static str) -> Vec<Sample> {
    let mut page = Page {
        seed,
        samples: Vec::new(),
    };
    page.say(
        "Publish a Repository",
        "POST",
        "/repositories/demo_repo/actions/publish/",
        json!({"id": "distributor_1", "override_config": {}}),
        202,
        tags(&["pulp:action:publish", "pulp:repository:demo_repo"]),
    );
    let task = "pulp.server.tasks.repository.publish";
    let href = "/pulp/api/v2/repositories/demo/distributors/puppet_distributor/schedules/publish/52e6cf5cdd01fb70bd0d9c34/";
    schedules(
        &mut page,
        Schedules {
            made_in: "/repositories/demo/distributors/puppet_distributor/schedules/publish/",
            listed_in: "/repositories/test/distributors/yum_distributor/schedules/publish/",
            one_made: "/repositories/demo/distributors/puppet_distributor/schedules/publish/<schedule>/",
            one_listed: "/repositories/test/distributors/yum_distributor/schedules/publish/<schedule>/",
            titles: [
                "Scheduling a Publish",
                "Updating a Scheduled Publish",
                "Deleting a Scheduled Publish",
                "Listing All Scheduled Publishes",
                "Listing a Single Scheduled Publish",
            ],
            interval: "PT1H",
            made: schedule(
                ID,
                href,
                task,
                "pulp:distributor:demo:puppet_distributor",
                &["demo", "puppet_distributor"],
                "PT1H",
            ),
            listed: schedule(
                ID,
                href,
                task,
                "pulp:distributor:test:yum_distributor",
                &["test", "yum_distributor"],
                "P1DT",
            ),
        },
    );
    page.say(
        "Retrieving Publish History",
        "GET",
        "/repositories/demo_repo/history/publish/distributor_1/?sort=ascending",
        Value::Null,
        200,
        Want::First(json!({
            "result": "success",
            "distributor_id": "my_demo_distributor",
            "distributor_type_id": "demo_distributor",
            "exception": null,
            "repo_id": "demo_repo",
            "traceback": null,
            "started": "1970:00:00T00:00:00Z",
            "completed": "1970:00:00T00:00:01Z",
            "error_message": null,
        })),
    );
    page.samples
}
