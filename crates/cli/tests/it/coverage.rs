//! Every operation of the API has a command, or a reason to have none.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::fake::{Fake, pith};

/// Commands, and the operation that each of them asks for.
#[rustfmt::skip]
const COMMANDS: &[(&str, &str)] = &[
    ("DELETE content/catalog/{}", "content catalog delete s"),
    ("GET content/orphans", "orphan list"),
    ("DELETE content/orphans", "orphan remove --all"),
    ("GET content/orphans/{}", "orphan list --type rpm"),
    ("DELETE content/orphans/{}", "orphan remove --type rpm"),
    ("GET content/orphans/{}/{}", "orphan list --type rpm --unit-id u"),
    ("DELETE content/orphans/{}/{}", "orphan remove --type rpm --unit-id u"),
    ("GET content/sources", "content sources list"),
    ("POST content/sources/action/{}", "content sources refresh"),
    ("GET content/sources/{}", "content sources show s"),
    ("POST content/sources/{}/action/{}", "content sources refresh --source-id s"),
    ("POST content/units/{}/search", "content units search rpm"),
    ("GET content/units/{}/{}", "content units show rpm u"),
    ("GET content/units/{}/{}/pulp_user_metadata", "content units metadata rpm u"),
    ("PUT content/units/{}/{}/pulp_user_metadata", "content units set-metadata rpm u {}"),
    ("GET content/uploads", "rpm repo uploads list"),
    ("POST content/uploads", "rpm repo uploads category --repo-id r --category-id c --name C"),
    ("DELETE content/uploads/{}", "rpm repo uploads cancel u"),
    ("PUT content/uploads/{}/{}", "iso repo uploads upload --repo-id r Cargo.toml"),
    ("POST distributors/search", "repo distributor search"),
    ("GET permissions", "auth permission list"),
    ("POST permissions/actions/grant_to_role", "auth permission grant --resource /v2/x/ -o read --role-id r"),
    ("POST permissions/actions/grant_to_user", "auth permission grant --resource /v2/x/ -o read --login l"),
    ("POST permissions/actions/revoke_from_role", "auth permission revoke --resource /v2/x/ -o read --role-id r"),
    ("POST permissions/actions/revoke_from_user", "auth permission revoke --resource /v2/x/ -o read --login l"),
    ("GET pith/signing_keys", "key list"),
    ("POST pith/signing_keys", "key create k --user-id u"),
    ("POST pith/signing_keys/actions/import", "key import k Cargo.toml"),
    ("GET pith/signing_keys/{}", "key export k"),
    ("DELETE pith/signing_keys/{}", "key delete k"),
    ("POST pith/signing_keys/{}/actions/export", "key export k --secret"),
    ("POST pith/signing_keys/{}/actions/rotate", "key rotate k"),
    ("GET plugins/distributors", "server distributors"),
    ("GET plugins/distributors/{}", "rpm repo create r"),
    ("GET plugins/importers", "server importers"),
    ("GET plugins/types", "server types"),
    ("GET repo_groups", "repo group list"),
    ("POST repo_groups", "repo group create g"),
    ("POST repo_groups/search", "repo group search"),
    ("GET repo_groups/{}", "repo group show g"),
    ("PUT repo_groups/{}", "repo group update g --description d"),
    ("DELETE repo_groups/{}", "repo group delete g"),
    ("POST repo_groups/{}/actions/associate", "repo group members add g --all"),
    ("POST repo_groups/{}/actions/publish", "repo group publish g --distributor-id d"),
    ("POST repo_groups/{}/actions/unassociate", "repo group members remove g --all"),
    ("GET repo_groups/{}/distributors", "repo group distributor list g"),
    ("POST repo_groups/{}/distributors", "repo group distributor create g --type t"),
    ("GET repo_groups/{}/distributors/{}", "repo group distributor show g --distributor-id d"),
    ("PUT repo_groups/{}/distributors/{}", "repo group distributor update g --distributor-id d --config {}"),
    ("DELETE repo_groups/{}/distributors/{}", "repo group distributor delete g --distributor-id d"),
    ("GET repositories", "repo list"),
    ("POST repositories", "iso repo create r"),
    ("POST repositories/actions/content/regenerate_applicability", "repo applicability"),
    ("POST repositories/search", "repo search"),
    ("GET repositories/{}", "repo show r"),
    ("PUT repositories/{}", "repo update r --description d"),
    ("DELETE repositories/{}", "repo delete r"),
    ("POST repositories/{}/actions/associate", "iso repo copy -f a -t b"),
    ("POST repositories/{}/actions/download", "repo download r"),
    ("POST repositories/{}/actions/import_upload", "iso repo uploads upload --repo-id r Cargo.toml"),
    ("POST repositories/{}/actions/publish", "iso repo publish run r"),
    ("POST repositories/{}/actions/sync", "iso repo sync run r"),
    ("POST repositories/{}/actions/unassociate", "iso repo remove r"),
    ("GET repositories/{}/distributors", "repo distributor list r"),
    ("POST repositories/{}/distributors", "repo distributor create r --type t"),
    ("GET repositories/{}/distributors/{}", "repo distributor show r --distributor-id d"),
    ("PUT repositories/{}/distributors/{}", "repo distributor update r --distributor-id d --config {}"),
    ("DELETE repositories/{}/distributors/{}", "repo distributor delete r --distributor-id d"),
    ("GET repositories/{}/distributors/{}/schedules/publish", "iso repo publish schedules list r"),
    ("POST repositories/{}/distributors/{}/schedules/publish", "iso repo publish schedules create r -s P1D"),
    ("PUT repositories/{}/distributors/{}/schedules/publish/{}", "iso repo publish schedules update r --schedule-id s --enabled"),
    ("DELETE repositories/{}/distributors/{}/schedules/publish/{}", "iso repo publish schedules delete r --schedule-id s"),
    ("GET repositories/{}/history/publish/{}", "rpm repo publish history r"),
    ("GET repositories/{}/history/sync", "repo history sync r"),
    ("GET repositories/{}/importers", "repo importer list r"),
    ("POST repositories/{}/importers", "repo importer create r --type t"),
    ("PUT repositories/{}/importers/{}", "repo importer update r --importer-id i --config {}"),
    ("DELETE repositories/{}/importers/{}", "repo importer delete r --importer-id i"),
    ("GET repositories/{}/importers/{}/schedules/sync", "rpm repo sync schedules next r"),
    ("POST repositories/{}/importers/{}/schedules/sync", "rpm repo sync schedules create r -s P1D"),
    ("PUT repositories/{}/importers/{}/schedules/sync/{}", "rpm repo sync schedules update r --schedule-id s -s P2D"),
    ("DELETE repositories/{}/importers/{}/schedules/sync/{}", "rpm repo sync schedules delete r --schedule-id s"),
    ("POST repositories/{}/search/units", "rpm repo content rpm r"),
    ("GET roles", "auth role list"),
    ("POST roles", "auth role create r"),
    ("GET roles/{}", "auth role show r"),
    ("PUT roles/{}", "auth role update r --description d"),
    ("DELETE roles/{}", "auth role delete r"),
    ("GET roles/{}/users", "auth role user list r"),
    ("POST roles/{}/users", "auth role user add r --login l"),
    ("DELETE roles/{}/users/{}", "auth role user remove r --login l"),
    ("GET status", "status"),
    ("DELETE task_groups/{}", "task group cancel g"),
    ("GET task_groups/{}/state_summary", "task group show g"),
    ("DELETE tasks", "task purge --all"),
    ("POST tasks/search", "task list"),
    ("GET tasks/{}", "task show t"),
    ("DELETE tasks/{}", "task cancel t"),
    ("GET users", "auth user list"),
    ("POST users", "auth user create l --new-password x"),
    ("POST users/search", "auth user search"),
    ("GET users/{}", "auth user show l"),
    ("PUT users/{}", "auth user update l --name n"),
    ("DELETE users/{}", "auth user delete l"),
];

/// Operations without a command of their own.
#[rustfmt::skip]
const WITHOUT: &[(&str, &str)] = &[
    ("POST actions/login", "`pith login`, over TLS only"),
    ("POST content/actions/delete_orphans", "deprecated; `orphan remove`"),
    ("GET content/units/{}", "the search finds the same"),
    ("GET plugins/importers/{}", "the list shows it"),
    ("GET plugins/types/{}", "the list shows it"),
    ("GET repositories/{}/distributors/{}/schedules/publish/{}", "the list shows it"),
    ("GET repositories/{}/importers/{}", "the list shows it"),
    ("GET repositories/{}/importers/{}/schedules/sync/{}", "the list shows it"),
    ("GET task_groups/{}", "always 404, as in Pulp"),
    ("GET tasks", "the search finds the same"),
];

/// An operation of the page, with `{}` for what varies.
fn operation(method: &str, path: &str) -> Option<String> {
    let path = path.strip_prefix("/pulp/api/v2/")?.trim_end_matches('/');
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part });
    let path = parts.collect::<Vec<_>>().join("/");
    Some(format!("{} {path}", method.to_uppercase()))
}

fn described() -> BTreeSet<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/openapi.json");
    let page: Value = serde_json::from_slice(&std::fs::read(page).unwrap()).unwrap();
    let paths = page["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.filter_map(|method| operation(method, path))
        })
        // Every search has a GET and a POST form; one is enough.
        .filter(|operation| !(operation.starts_with("GET ") && operation.contains("/search")))
        .collect()
}

#[test]
fn every_operation_of_the_api_has_a_command_or_a_reason() {
    let all = COMMANDS.iter().chain(WITHOUT);
    let named: BTreeSet<String> = all.map(|(operation, _)| (*operation).to_owned()).collect();
    let described = described();
    let missing: Vec<_> = described.difference(&named).collect();
    let gone: Vec<_> = named.difference(&described).collect();
    assert!(
        missing.is_empty(),
        "add a command and a row to COMMANDS, or a reason to WITHOUT: {missing:#?}"
    );
    assert!(gone.is_empty(), "not in the API: {gone:#?}");
}

#[tokio::test]
async fn each_command_asks_for_its_operation() {
    for (operation, line) in COMMANDS {
        let fake = Fake::start().await;
        fake.otherwise(json!({"upload_id": "u", "state": "finished"}));
        pith(&fake.url, line).await;
        let asked = |seen: &String| {
            let seen = seen.split('?').next().unwrap_or_default();
            let (seen, wanted) = (seen.split('/'), operation.split('/'));
            seen.clone().count() == wanted.clone().count()
                && seen
                    .zip(wanted)
                    .all(|(seen, wanted)| wanted == "{}" || seen == wanted)
        };
        assert!(
            fake.lines().iter().any(asked),
            "`pith {line}` asks {:?}, not {operation}",
            fake.lines()
        );
    }
}
