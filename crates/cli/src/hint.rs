//! The next step after an error: commands that exist, chosen by what the server says is missing or invalid.

use pith_core::ErrorDetail;
use serde_json::Value;

use crate::failure::{ErrorAnswer, FailedTask};

/// The next step after an answer that is not a success.
pub(crate) fn after_answer(answer: &ErrorAnswer) -> String {
    let detail = &answer.detail;
    match (answer.status, detail.code.as_str()) {
        // Pulp answers 401 to people whom it knows, too.
        (_, "PLP0026") | (403, _) => {
            "ask an administrator to grant the permission, or log in as another user".into()
        }
        (401, _) => {
            "log in with `pith login`, or give --user and --password (PITH_USER, PITH_PASSWORD)"
                .into()
        }
        (404, _) => missing(detail, &parts(&answer.request)),
        (409, _) => "choose another id, or change the one that is there with `update`".into(),
        (507, _) => {
            "make room on the server's disk, for example with `pith orphan remove --all`".into()
        }
        (503, _) => "the same command can be tried again in a moment".into(),
        (400..=499, _) => invalid(detail, &parts(&answer.request)),
        _ => "look at the server's log; the same command can be tried again".into(),
    }
}

/// The next step after tasks that failed; there is at least one.
pub(crate) fn after_tasks(tasks: &[FailedTask]) -> String {
    let Some(task) = tasks.first() else {
        return String::new();
    };
    if let Some(hint) = task.hint {
        return hint.to_owned();
    }
    let code = task.detail.as_ref().map_or("", |d| d.code.as_str());
    match (code, &task.detail) {
        ("PLP0044", _) => {
            "name the type of content to copy, or a repository that takes all that the other holds"
                .into()
        }
        ("PLP0047", _) => format!(
            "`pith task show {}` shows why the file was refused",
            task.id
        ),
        ("PLP0009", Some(detail)) => missing(detail, &[]),
        _ => format!("`pith task show {}` shows the whole task", task.id),
    }
}

/// The path of a request, `GET /pulp/api/v2/a/b/`, as `["a", "b"]`; a server may lie below another path.
fn parts(request: &str) -> Vec<&str> {
    let below = request.split_once("/pulp/api/v2/").map(|(_, path)| path);
    let parts = below.into_iter().flat_map(|path| path.split('/'));
    parts.filter(|part| !part.is_empty()).collect()
}

/// The command that lists things of the kind that is missing.
fn missing(detail: &ErrorDetail, path: &[&str]) -> String {
    let resources = detail.data.get("resources").unwrap_or(&Value::Null);
    let has = |names: &[&str]| names.iter().any(|name| resources.get(name).is_some());
    // The group or repository that the missing thing would belong to.
    let owner = |names: &[&str]| {
        let named = names.iter().find_map(|name| resources[name].as_str());
        word(named.or(path.get(1).copied()))
    };
    let unit_type = || {
        let named = ["content_type", "content_type_id"]
            .iter()
            .find_map(|name| resources[name].as_str());
        word(named.or(path.get(2).copied())).replace("ID", "TYPE")
    };
    let of_group = path.first() == Some(&"repo_groups") || has(&["repo_group"]);
    if has(&["schedule_id"]) {
        "`schedules list` in place of the same command shows the schedules there are".into()
    } else if has(&["distributor_id", "distributor"]) && of_group {
        let group = owner(&["repo_group"]);
        format!("`pith repo group distributor list {group}` shows the distributors of the group")
    } else if has(&["distributor_id", "distributor"]) {
        let repo = owner(&["repo_id", "repository"]);
        format!("`pith repo distributor list {repo}` shows the distributors of the repository")
    } else if has(&["importer_id"]) {
        let repo = owner(&["repo_id", "repository"]);
        format!("`pith repo importer list {repo}` shows the importer of the repository")
    } else if has(&["importer_type_id"]) {
        "`pith server importers` shows the types of importers".into()
    } else if has(&["distributor_type_id"]) {
        "`pith server distributors` shows the types of distributors".into()
    } else if has(&["content_unit"]) {
        let unit_type = unit_type();
        format!("`pith orphan list --type {unit_type}` shows the orphans of this type")
    } else if has(&["content_type_id", "content_type", "type"]) {
        "`pith server types` shows the types of content".into()
    } else if has(&["source_id"]) {
        "`pith content sources list` shows the sources".into()
    } else if has(&["login"]) {
        "`pith auth user list` shows the users".into()
    } else if has(&["upload_request"]) {
        "`uploads list` in place of the same command shows the uploads there are".into()
    } else if has(&["repository", "repositories", "repo_id"]) {
        "`pith repo list` shows the repositories".into()
    } else if has(&["repo_group"]) {
        "`pith repo group list` shows the groups".into()
    } else {
        missing_at(path, has(&["resource_id"]))
    }
}

/// The same by the address alone, where the server does not say what is missing, or names it as `resource_id`.
fn missing_at(path: &[&str], is_named: bool) -> String {
    match path {
        ["tasks" | "task_groups", ..] => {
            "`pith task list --all` shows the tasks that are still known".into()
        }
        ["users", ..] if !is_named => "`pith auth user list` shows the users".into(),
        // A user that is missing is a `login`; what else is named there is a role.
        ["roles" | "users", ..] => "`pith auth role list` shows the roles".into(),
        ["content", "units", unit_type, ..] => {
            let unit_type = word(Some(unit_type)).replace("ID", "TYPE");
            format!(
                "`pith content units search {unit_type}` shows the units of a type, `pith server types` the types"
            )
        }
        [] => "look with `pith repo show ID` at what is there".into(),
        _ => {
            "check the id, and that --url is the root of a pith or Pulp 2 server, without /pulp/api"
                .into()
        }
    }
}

/// The next step after a value that the server refuses.
fn invalid(detail: &ErrorDetail, path: &[&str]) -> String {
    let names = detail.data.get("property_names");
    let names = names
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let named = |name: &str| names.iter().any(|other| other == name);
    let own = |collection: &str| path == [collection];
    if named("source_repo_id") {
        "`pith repo list` shows the repositories"
    } else if named("login") && !own("users") {
        "`pith auth user list` shows the users"
    } else if named("role_id") && !own("roles") {
        "`pith auth role list` shows the roles"
    } else if named("distributor_type_id") {
        "`pith server distributors` shows the types of distributors"
    } else if named("importer_type_id") || detail.code == "PLP1008" {
        "`pith server importers` shows the types of importers"
    } else if named("schedule") {
        "write it as an ISO 8601 interval of at least six seconds, as in PT6H or 2015-01-01T00:00:00Z/P1D"
    } else if named("group_id") {
        "the id of a group of tasks is the `group_id` of the answer that started them"
    } else {
        "correct the value that the server names; `--help` lists what an option takes"
    }
    .into()
}

/// An id as a word of a command line; `ID` for one that a shell would not take as it is.
fn word(id: Option<&str>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match id {
        Some(id) if !id.is_empty() && !id.starts_with('-') && id.chars().all(plain) => id.into(),
        _ => "ID".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hint(request: &str, resources: Value) -> String {
        let mut detail = ErrorDetail::new("PLP0009", "Missing resource(s)");
        detail.data.insert("resources".into(), resources);
        let request = format!("GET /pulp/api/v2/{request}/");
        after_answer(&ErrorAnswer {
            status: 404,
            request,
            detail,
            anonymous: false,
        })
    }

    /// The hint after a refused value.
    fn refused(path: &str, name: &str) -> String {
        let mut detail = ErrorDetail::new("PLP0015", "Invalid properties");
        detail.data.insert("property_names".into(), json!([name]));
        let path: Vec<&str> = path.split('/').collect();
        invalid(&detail, &path)
    }

    #[test]
    fn what_is_missing_or_refused_is_answered_with_the_command_that_lists_what_would_do() {
        let cases = [
            (
                "repositories/r",
                json!({"repository": "r"}),
                "pith repo list",
            ),
            (
                "repositories/r/importers/i",
                json!({"importer_id": "i"}),
                "pith repo importer list r",
            ),
            (
                "repositories/r/distributors/d",
                json!({"repo_id": "r", "distributor_id": "d"}),
                "pith repo distributor list r",
            ),
            (
                "repositories/r/importers/i/schedules/sync/s",
                json!({"schedule_id": "s"}),
                "schedules list",
            ),
            (
                "repositories/r/importers/i/schedules/sync",
                json!({"repository": "r"}),
                "pith repo list",
            ),
            (
                "repo_groups/g",
                json!({"repo_group": "g"}),
                "pith repo group list",
            ),
            (
                "repo_groups",
                json!({"repositories": ["r"]}),
                "pith repo list",
            ),
            (
                "repo_groups/g/distributors/d",
                json!({"distributor": "d", "repo_group": "g"}),
                "pith repo group distributor list g",
            ),
            (
                "content/orphans/rpm/u",
                json!({"content_unit": "u", "content_type": "rpm"}),
                "pith orphan list --type rpm",
            ),
            (
                "content/orphans/rpm",
                json!({"content_type_id": "rpm"}),
                "pith server types",
            ),
            (
                "content/units/rpm/u",
                Value::Null,
                "pith content units search rpm",
            ),
            ("users/eve", json!({"login": "eve"}), "pith auth user list"),
            (
                "users/eve",
                json!({"resource_id": "r"}),
                "pith auth role list",
            ),
            ("users/eve", Value::Null, "pith auth user list"),
            (
                "roles/r/users",
                json!({"resource_id": "r"}),
                "pith auth role list",
            ),
            (
                "roles/r/users/eve",
                json!({"login": "eve"}),
                "pith auth user list",
            ),
            (
                "tasks/t",
                json!({"resource_id": "t"}),
                "pith task list --all",
            ),
            ("task_groups/t", json!({}), "pith task list --all"),
            (
                "repositories/a%20b/importers/i",
                json!({"importer_id": "i"}),
                "pith repo importer list ID",
            ),
            ("frob", Value::Null, "--url"),
        ];
        let missing = cases.map(|(request, resources, command)| {
            let hint = hint(request, resources);
            (request, hint, command)
        });
        let invalid = [
            ("roles/r/users", "login", "pith auth user list"),
            ("users", "login", "--help"),
            (
                "repositories/r/actions/associate",
                "source_repo_id",
                "pith repo list",
            ),
            (
                "repositories/r/distributors",
                "distributor_type_id",
                "pith server distributors",
            ),
        ]
        .map(|(path, name, command)| (path, refused(path, name), command));
        for (request, hint, command) in missing.into_iter().chain(invalid) {
            let wanted = match command.starts_with("--") {
                true => command.to_owned(),
                false => format!("`{command}`"),
            };
            assert!(hint.contains(&wanted), "{request}: {hint}");
        }
    }

    #[test]
    fn a_task_that_misses_something_names_the_list_with_the_ids_of_the_error() {
        let mut detail = ErrorDetail::new("PLP0009", "Missing resource(s)");
        let resources = json!({"repo_id": "files", "distributor_id": "yum_distributor"});
        detail.data.insert("resources".into(), resources);
        let task = FailedTask {
            id: "t".into(),
            what: "publish of files".into(),
            state: "error".into(),
            detail: Some(detail),
            hint: None,
        };
        assert!(after_tasks(&[task]).starts_with("`pith repo distributor list files`"));
    }
}
