//! Ids that are nowhere, on every command that takes one: the exit code, and a hint that leads on.

use std::fs::File;

use pith_e2e::Pith;
use pith_e2e::tools::sample_files;
use serde_json::json;

/// No unit, upload or task has it.
const ID: &str = "00000000-0000-4000-8000-000000000000";

/// Command lines on a server with the repositories `rpms` and `files` and the group `g`, and the command that the hint
/// names.
#[rustfmt::skip]
const ABSENT: &[(&str, &str)] = &[
    ("repo show no", "pith repo list"),
    ("repo delete no", "pith repo list"),
    ("repo update no --description d", "pith repo list"),
    ("repo download no", "pith repo list"),
    ("repo tasks no", "pith repo list"),
    ("repo tasks no --all", "pith repo list"),
    ("repo history sync no", "pith repo list"),
    ("repo history publish no", "pith repo list"),
    ("repo history publish rpms --distributor-id no", "pith repo distributor list rpms"),
    ("history --repo-id no", "pith repo list"),
    ("history --repo-id no --failed", "pith repo list"),
    ("task list --repo-id no", "pith repo list"),
    ("repo applicability --repo-id no", "pith repo list"),
    ("repo importer list no", "pith repo list"),
    ("repo importer create no --type yum_importer", "pith repo list"),
    ("repo importer update rpms --importer-id no --config {}", "pith repo importer list rpms"),
    ("repo importer delete rpms --importer-id no", "pith repo importer list rpms"),
    ("repo distributor list no", "pith repo list"),
    ("repo distributor show rpms --distributor-id no", "pith repo distributor list rpms"),
    ("repo distributor update rpms --distributor-id no --config {}", "pith repo distributor list rpms"),
    ("repo distributor delete rpms --distributor-id no", "pith repo distributor list rpms"),
    ("repo group show no", "pith repo group list"),
    ("repo group update no --description d", "pith repo group list"),
    ("repo group delete no", "pith repo group list"),
    ("repo group create h --repo-id no", "pith repo list"),
    ("repo group members list no", "pith repo group list"),
    ("repo group members add no --repo-id rpms", "pith repo group list"),
    ("repo group members add g --repo-id no", "pith repo list"),
    ("repo group members remove g --repo-id no", "pith repo list"),
    ("repo group distributor list no", "pith repo group list"),
    ("repo group distributor show g --distributor-id no", "pith repo group distributor list g"),
    ("repo group publish no --distributor-id d", "pith repo group list"),
    ("rpm repo update no --feed http://x/", "pith repo list"),
    ("rpm repo sync run no", "pith repo list"),
    ("rpm repo sync status no", "pith repo list"),
    ("rpm repo sync history no", "pith repo list"),
    ("rpm repo sync schedules list no", "pith repo list"),
    ("rpm repo sync schedules create no --schedule P1D", "pith repo list"),
    ("rpm repo sync schedules list files", "pith repo importer list files"),
    ("rpm repo sync schedules delete rpms --schedule-id no", "schedules list"),
    ("rpm repo publish run no", "pith repo list"),
    ("rpm repo publish status no", "pith repo list"),
    ("rpm repo publish history no", "pith repo list"),
    ("rpm repo publish schedules next files", "pith repo distributor list files"),
    ("rpm repo content rpm no", "pith repo list"),
    ("rpm repo copy rpm -f rpms -t no", "pith repo list"),
    ("rpm repo copy rpm -f rpms -t no --dry-run", "pith repo list"),
    ("rpm repo copy rpm -f no -t rpms --dry-run", "pith repo list"),
    ("rpm repo remove rpm no", "pith repo list"),
    ("rpm repo remove rpm no --dry-run", "pith repo list"),
    ("iso repo uploads upload --repo-id no {file}", "pith repo list"),
    ("rpm repo uploads cancel no", "pith rpm repo uploads list"),
    ("task show no", "pith task list --all"),
    ("task wait {id}", "pith task list --all"),
    ("task cancel {id}", "pith task list --all"),
    ("task group show {id}", "pith task list --all"),
    ("task group cancel {id}", "pith task list --all"),
    ("orphan list --type no", "pith server types"),
    ("orphan list --type rpm --unit-id {id}", "pith orphan list --type rpm"),
    ("orphan remove --type no", "pith server types"),
    ("orphan remove --type rpm --unit-id {id}", "pith orphan list --type rpm"),
    ("content sources show no", "pith content sources list"),
    ("content sources refresh --source-id no", "pith content sources list"),
    ("content catalog delete no", "pith content sources list"),
    ("content units search no", "pith server types"),
    ("content units show rpm {id}", "pith content units search rpm"),
    ("content units metadata rpm {id}", "pith content units search rpm"),
    ("content units set-metadata rpm {id} {}", "pith content units search rpm"),
    ("auth user show no", "pith auth user list"),
    ("auth user update no --name n", "pith auth user list"),
    ("auth user update admin --role no", "pith auth role list"),
    ("auth user delete no", "pith auth user list"),
    ("auth role show no", "pith auth role list"),
    ("auth role update no --description d", "pith auth role list"),
    ("auth role delete no", "pith auth role list"),
    ("auth role user list no", "pith auth role list"),
    ("auth role user add no --login admin", "pith auth role list"),
    ("auth role user remove super-users --login no", "pith auth user list"),
];

/// The same where the server refuses a value or a task fails: exit code, command line, hint.
#[rustfmt::skip]
const REFUSED: &[(i32, &str, &str)] = &[
    (1, "rpm repo publish run files", "pith repo distributor list files"),
    (1, "rpm repo publish run rpms --distributor-id no", "pith repo distributor list rpms"),
    (1, "repo group publish g --distributor-id no", "pith repo group distributor list g"),
    (2, "rpm repo uploads resume no", "pith rpm repo uploads list"),
    (2, "rpm repo update files --retain-old-count 3", "pith iso repo update files"),
    (2, "iso repo update rpms --serve-http true", "pith rpm repo update rpms"),
    (2, "rpm repo update plain --feed http://x/", "pith iso repo update plain"),
    (6, "rpm repo copy rpm -f no -t rpms", "pith repo list"),
    (6, "repo importer create rpms --type no", "pith server importers"),
    (6, "repo distributor create rpms --type no", "pith server distributors"),
    (6, "repo group distributor create g --type no", "pith server distributors"),
    (6, "auth role user add super-users --login no", "pith auth user list"),
    (6, "auth permission grant --resource /v2/repositories/ --login no -o read", "pith auth user list"),
    (6, "auth permission revoke --resource /v2/repositories/ --role-id no -o read", "pith auth role list"),
];

#[test]
fn an_id_that_is_nowhere_is_an_error_that_leads_on() {
    let server = Pith::start().unwrap();
    for line in [
        "rpm repo create rpms",
        "iso repo create files",
        "repo group create g",
    ] {
        server.client(line).unwrap().done().unwrap();
    }
    // As clients of other makes do it: without the note that says what kind it is.
    let plain = json!({"id": "plain", "importer_type_id": "iso_importer", "importer_config": {}});
    let made = server
        .api()
        .unwrap()
        .call("POST", "/repositories/", Some(&plain));
    made.unwrap().expect(201).unwrap();
    let file = std::fs::read_dir(sample_files()).unwrap().next();
    let file = file.unwrap().unwrap().path().display().to_string();
    let absent = ABSENT.iter().map(|(line, hint)| (3, *line, *hint));
    let mut wrong = Vec::new();
    for (code, line, hint) in absent.chain(REFUSED.iter().copied()) {
        let line = line.replace("{id}", ID).replace("{file}", &file);
        let ran = server.client(&line).unwrap();
        let hinted = ran.err.lines().find_map(|text| text.strip_prefix("hint: "));
        let leads_on = hinted.is_some_and(|text| text.contains(&format!("`{hint}`")));
        if ran.code != Some(code) || !leads_on {
            wrong.push(format!("{line}: {:?} {} {}", ran.code, ran.out, ran.err));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_task_that_failed_is_an_error_though_nobody_reads_the_output() {
    let server = Pith::start().unwrap();
    server
        .client("rpm repo create rpms")
        .unwrap()
        .done()
        .unwrap();
    let password = std::fs::read_to_string(server.data().join("admin-password")).unwrap();
    let line = "--json rpm repo publish run rpms --distributor-id no";
    let mut command = server
        .client_command("admin", password.trim(), line)
        .unwrap();
    let full = File::create("/dev/full").unwrap();
    let status = command.stdout(full).output().unwrap().status;
    assert_eq!(status.code(), Some(1));
}
