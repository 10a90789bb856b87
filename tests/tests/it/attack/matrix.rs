//! Every operation that the API describes, for everybody who may not do it, on what is there and on what is not: the answer is
//! the same. And every object of others that a body can name.

use std::collections::BTreeSet;

use pith_e2e::Api;
use serde_json::{Value, json};

use super::{Scene, denied, refusal};

/// The rights, as they are granted.
const OPERATIONS: [&str; 5] = ["CREATE", "READ", "UPDATE", "DELETE", "EXECUTE"];

/// One operation as the server describes it.
struct Operation {
    method: String,
    /// Below `/pulp/api/v2`, with `{name}` for what is named.
    path: String,
    /// The right that it takes; `None` for everybody's.
    right: Option<String>,
    /// The names of what its body says.
    body: Vec<String>,
}

/// The status of an answer and its code, if it has one: some refusals are plain text.
fn answered(by: &Api, method: &str, path: &str) -> (u16, String) {
    let path = format!("/pulp/api/v2{path}");
    let (status, body) = by.raw(method, &path, Some(&json!({}))).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or_default();
    (status, code.to_owned())
}

/// The operations that the running server describes.
fn operations(scene: &Scene) -> Vec<Operation> {
    let described = scene.admin.download("/pith/openapi.json").unwrap();
    let described: Value = serde_json::from_slice(&described).unwrap();
    let mut found = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let schema = match schema["$ref"].as_str() {
                Some(name) => described.pointer(name.trim_start_matches('#')).unwrap(),
                None => schema,
            };
            let names = schema["properties"].as_object();
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.trim_start_matches("/pulp/api/v2").to_owned(),
                right: operation["x-permission"].as_str().map(str::to_owned),
                body: names
                    .into_iter()
                    .flatten()
                    .map(|(name, _)| name.clone())
                    .collect(),
            });
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    found
}

/// The ids of objects, by their names in paths.
type Named<'a> = &'a dyn Fn(&str) -> String;

fn filled(path: &str, named: Named<'_>) -> String {
    let segments = path
        .split('/')
        .map(|segment| match segment.strip_prefix('{') {
            Some(name) => named(name.trim_end_matches('}')),
            None => segment.to_owned(),
        });
    segments.collect::<Vec<_>>().join("/")
}

/// Somebody with rights, as the matrix has them.
struct Role {
    name: String,
    /// Resources and what is granted on each.
    rights: Vec<(String, Vec<&'static str>)>,
}

impl Role {
    fn of(name: &str, rights: &[(&str, &[&'static str])]) -> Self {
        let rights = rights
            .iter()
            .map(|(resource, rights)| ((*resource).to_owned(), rights.to_vec()));
        Self {
            name: name.to_owned(),
            rights: rights.collect(),
        }
    }

    fn all() -> Vec<Self> {
        let collections = [
            "repositories",
            "repo_groups",
            "users",
            "roles",
            "content/uploads",
        ];
        let collections = collections.map(|name| (format!("/v2/{name}/"), vec!["CREATE"]));
        let mut roles = vec![
            Self::of("stranger", &[]),
            Self::of(
                "owner",
                &[
                    ("/v2/repositories/mine/", &OPERATIONS),
                    ("/v2/repo_groups/mine/", &OPERATIONS),
                ],
            ),
            Self {
                name: "maker".to_owned(),
                rights: collections.to_vec(),
            },
        ];
        for right in OPERATIONS {
            roles.push(Self {
                name: right.to_lowercase(),
                rights: vec![("/v2/".to_owned(), vec![right])],
            });
        }
        roles
    }

    /// The rule, said once more: a right holds for its resource and all below it; what is made inside of something takes
    /// CREATE on that very thing, or UPDATE on it besides.
    fn may(&self, right: &str, template: &str, path: &str) -> bool {
        let own = format!("/v2/users/{}/", self.name);
        let mut rights = self.rights.clone();
        for resource in ["/v2/actions/login/", own.as_str()] {
            rights.push((resource.to_owned(), vec!["READ", "UPDATE"]));
        }
        let on = |right: &str, path: &str, from: &str| {
            rights.iter().any(|(resource, granted)| {
                path.starts_with(resource.as_str())
                    && resource.starts_with(from)
                    && granted.contains(&right)
            })
        };
        let path = format!("/v2{path}");
        let inside = template
            .split('/')
            .position(|segment| segment.starts_with('{'));
        match inside.filter(|_| right == "CREATE") {
            None => on(right, &path, ""),
            Some(at) => {
                let owner: Vec<&str> = path.split('/').take(at + 2).collect();
                let owner = format!("{}/", owner.join("/"));
                on(right, &path, &owner) || on(right, &path, "") && on("UPDATE", &owner, "")
            }
        }
    }
}

#[test]
fn nobody_does_what_they_have_no_right_to_nor_learns_whether_it_is_there() {
    Scene::on_each_database(|scene| {
        let operations = operations(scene);
        let theirs: Named<'_> = &|name| match name {
            "repo" => "theirs".to_owned(),
            "importer" => "yum_importer".to_owned(),
            "distributor" => scene.admin.distributor("theirs").unwrap(),
            "login" => "admin".to_owned(),
            "role" => "super-users".to_owned(),
            "type" => "rpm".to_owned(),
            "action" => "refresh".to_owned(),
            "offset" => "0".to_owned(),
            _ => "00000000-0000-0000-0000-000000000000".to_owned(),
        };
        let ghost: Named<'_> = &|name| match name {
            "offset" => "0".to_owned(),
            _ => "ghost".to_owned(),
        };
        let nobody = Api::of(scene.server.address(), None);
        let mut cells = 0;
        for role in Role::all() {
            let rights: Vec<(&str, &[&str])> = role
                .rights
                .iter()
                .map(|(resource, granted)| (resource.as_str(), granted.as_slice()))
                .collect();
            let by = scene.user(&role.name, &rights);
            for operation in &operations {
                let Some(right) = &operation.right else {
                    continue;
                };
                for named in [theirs, ghost] {
                    let path = filled(&operation.path, named);
                    let send = |by: &Api| answered(by, &operation.method, &path);
                    let place = format!("{} {} {path}", role.name, operation.method);
                    cells += 1;
                    if !role.may(right, &operation.path, &path) {
                        assert_eq!(send(&by), denied(), "{place}");
                    } else if path.contains("ghost") || operation.method == "GET" {
                        // What is allowed is tried on nothing, so that everything is there for the next.
                        assert_ne!(send(&by).0, 401, "{place}");
                    }
                    if role.name == "stranger" {
                        assert_eq!(send(&nobody), (401, "PLP0025".to_owned()), "{place}");
                    }
                }
            }
        }
        eprintln!("{cells} cells");
        assert_eq!(scene.admin.units("theirs", "rpm").unwrap().len(), 10);
        assert!(
            scene
                .admin
                .download("/pulp/repos/theirs/repodata/repomd.xml")
                .is_ok()
        );
    });
}

/// What the names in bodies mean: those that say something of what the path names, or of what is made.
const OWN: [&str; 30] = [
    "auto_publish",
    "description",
    "display_name",
    "distributor_config",
    "distributor_id",
    "distributor_type_id",
    "distributors",
    "enabled",
    "failure_threshold",
    "force",
    "importer_config",
    "importer_type_id",
    "name",
    "notes",
    "operations",
    "parallel",
    "password",
    "resource",
    "schedule",
    "unit_key",
    "unit_metadata",
    "unit_type_id",
    "verify_all_units",
    // Without consumers there is nothing that the repositories it names would have done to them.
    "repo_criteria",
    // Of keys that sign: the name and the key are new ones.
    "algorithm",
    "default",
    "expires",
    "key",
    "passphrase",
    "user_id",
];
/// Those that name objects which may be others'.
const FOREIGN: [&str; 10] = [
    "criteria",
    "delta",
    "distributor_configs",
    "id",
    "login",
    "override_config",
    "repo_ids",
    "role_id",
    "source_repo_id",
    "upload_id",
];

#[test]
fn every_name_in_a_body_is_known_to_be_ones_own_or_tried_with_what_is_others() {
    let scene = Scene::start(None, &[]);
    let names: BTreeSet<String> = operations(&scene)
        .into_iter()
        .flat_map(|operation| operation.body)
        .collect();
    for name in &names {
        let is_known = OWN.contains(&name.as_str()) || FOREIGN.contains(&name.as_str());
        assert!(
            is_known,
            "'{name}' is new in a body: can it name what is somebody else's?"
        );
    }
    for name in OWN.iter().chain(&FOREIGN) {
        assert!(names.contains(*name), "no body has '{name}' any more");
    }
}

/// What a body says of a repository, a distributor, an upload and a schedule.
type Body = fn([&str; 4]) -> Value;

/// The answer to a request, and the end of its task if it starts one.
fn outcome(scene: &Scene, by: &Api, method: &str, path: &str, body: &Value) -> Value {
    let answer = by.call(method, path, Some(body)).unwrap();
    let mut shown = json!([answer.status, answer.body["error"]["code"]]);
    if let Some(task) = answer.body["spawned_tasks"][0]["task_id"].as_str() {
        let task = scene.admin.wait(&[task.to_owned()]).unwrap().remove(0);
        assert_eq!(task["state"], "error", "{method} {path} {body}: {task}");
        shown[1] = task["error"]["code"].clone();
    }
    assert!(
        answer.status >= 400 || shown[1].is_string() || answer.body == json!([]),
        "{method} {path} {body}: {}",
        answer.body
    );
    shown
}

#[test]
fn objects_of_others_in_a_body_are_as_good_as_none() {
    Scene::on_each_database(|scene| {
        let all: &[&str] = &OPERATIONS;
        let rights = [
            ("/v2/repositories/mine/", all),
            ("/v2/repositories/mine2/", all),
            ("/v2/repo_groups/", all),
            ("/v2/content/uploads/", all),
        ];
        let eve = scene.user("eve", &rights);
        for own in ["mine", "mine2"] {
            scene.admin.create_rpm(own, "http://127.0.0.1:9/").unwrap();
        }
        let (distributor, group) = (
            scene.admin.distributor("theirs").unwrap(),
            json!({"id": "mine"}),
        );
        assert_eq!(refusal(&eve, "POST", "/repo_groups/", &group).0, 201);
        let upload = scene.admin_does("POST", "/content/uploads/", &json!({}), 201);
        let schedules = "importers/yum_importer/schedules/sync/";
        let daily = json!({"schedule": "P1D"});
        let schedule = scene.admin_does(
            "POST",
            &format!("/repositories/theirs/{schedules}"),
            &daily,
            201,
        );
        let upload_id = upload["upload_id"].as_str().unwrap().to_owned();
        let schedule_id = schedule["_id"].as_str().unwrap().to_owned();
        let theirs = ["theirs", &distributor, &upload_id, &schedule_id];
        let ghost = [
            "ghost",
            "ghost",
            "11111111-2222-3333-4444-555555555555",
            "0123456789abcdef01234567",
        ];
        // Each with what is others', and with what is not there: nobody can tell one from the other.
        let mut cases: Vec<(&str, String, Body)> = Vec::new();
        let mut case = |method, path: &str, body: Body| {
            cases.push((method, path.to_owned(), body));
        };
        let associate = "/repositories/mine/actions/associate/";
        case(
            "POST",
            associate,
            |[repo, ..]| json!({"source_repo_id": repo}),
        );
        case(
            "POST",
            associate,
            |[repo, ..]| json!({"source_repo_id": "mine2", "override_config": {"recursive": true, "additional_repos": {repo: "mine"}}}),
        );
        case(
            "POST",
            associate,
            |[repo, ..]| json!({"source_repo_id": "mine", "override_config": {"recursive": true, "additional_repos": {"mine2": repo}}}),
        );
        case(
            "POST",
            "/repositories/mine/actions/publish/",
            |[_, distributor, ..]| json!({"id": format!("{distributor}x")}),
        );
        case(
            "POST",
            "/repositories/mine/actions/import_upload/",
            |[_, _, upload, _]| json!({"upload_id": upload, "unit_type_id": "rpm", "unit_key": {}}),
        );
        case(
            "PUT",
            "/repositories/mine/",
            |[_, distributor, ..]| json!({"distributor_configs": {format!("{distributor}x"): {"relative_url": "x"}}}),
        );
        case(
            "POST",
            "/repo_groups/",
            |[repo, ..]| json!({"id": "other", "repo_ids": [repo]}),
        );
        case(
            "POST",
            "/repo_groups/mine/actions/associate/",
            |[repo, ..]| json!({"criteria": {"filters": {"id": repo}}}),
        );
        case(
            "POST",
            "/repo_groups/mine/actions/unassociate/",
            |[repo, ..]| json!({"criteria": {"filters": {"id": repo}}}),
        );
        for (method, path, body) in &cases {
            let answers =
                [theirs, ghost].map(|named| outcome(scene, &eve, method, path, &body(named)));
            assert_eq!(answers[0], answers[1], "{method} {path}");
        }
        // Schedules are named by paths, and found below their own importer alone.
        for method in ["GET", "PUT", "DELETE"] {
            let answers = [theirs, ghost].map(|[_, _, _, schedule]| {
                let path = format!("/repositories/mine/{schedules}{schedule}/");
                refusal(&eve, method, &path, &json!({"enabled": false}))
            });
            assert_eq!(answers[0], answers[1], "{method}");
            assert_eq!(answers[0].0, 404, "{method}");
        }
        let kept = scene
            .admin
            .get(&format!("/repositories/theirs/{schedules}{schedule_id}/"));
        assert_eq!(kept.unwrap()["enabled"], true);
        assert_eq!(scene.admin.units("mine", "rpm").unwrap().len(), 0);
    });
}
