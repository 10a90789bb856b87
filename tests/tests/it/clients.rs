//! Clients of the REST API that pith did not write.

use std::process::Command;

use pith_e2e::tools::{find, missing, run, sample_repo, workspace};
use pith_e2e::{Feed, Pith};
use serde_json::json;

#[test]
fn pubtools_pulplib_works_through_a_release_teams_day() {
    if missing(&["schemathesis"]) {
        return;
    }
    let server = Pith::start().unwrap();
    let mut day = Command::new(find("schemathesis").unwrap().with_file_name("python"));
    day.arg(workspace().join("tests/clients/pulplib_day.py"))
        .arg(server.url("").trim_end_matches('/'))
        .arg(server.password().unwrap())
        .arg(sample_repo().join("greet-1.0-1.noarch.rpm"));
    let printed = run(&mut day).unwrap();
    assert_eq!(printed.lines().last(), Some("done"), "{printed}");
}

/// Makes what the examples of the description name.
fn fill(server: &Pith) -> Feed {
    let feed = Feed::of(&sample_repo()).unwrap();
    let api = server.api().unwrap();
    let distributor = json!({
        "distributor_type_id": "yum_distributor", "distributor_id": "gate",
        "distributor_config": {"relative_url": "zoo", "http": true, "https": true},
    });
    let zoo = json!({
        "id": "zoo", "importer_type_id": "yum_importer", "importer_config": {"feed": feed.url("/feed/")},
        "distributors": [distributor],
    });
    for (path, body) in [
        ("/repositories/", zoo),
        ("/repo_groups/", json!({"id": "zoos", "repo_ids": ["zoo"]})),
        (
            "/users/",
            json!({"login": "keeper", "password": "a long walk home"}),
        ),
        ("/roles/", json!({"role_id": "keepers"})),
    ] {
        let made = api.call("POST", path, Some(&body)).unwrap();
        made.expect(201).unwrap();
    }
    api.sync("zoo").unwrap();
    feed
}

#[test]
fn schemathesis_finds_no_answer_that_the_description_does_not_promise() {
    if missing(&["schemathesis"]) {
        return;
    }
    let server = Pith::start().unwrap();
    let _feed = fill(&server);
    let mut check = Command::new(find("schemathesis").unwrap());
    check
        .arg("run")
        .arg(server.url("/pith/openapi.json"))
        .args(["--auth", &format!("admin:{}", server.password().unwrap())])
        .args(["--checks", "not_a_server_error,response_schema_conformance"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "25",
        ])
        .args([
            "--seed",
            "2",
            "--generation-deterministic",
            "--no-color",
            // With several, its Python fails now and then in a parser of its own that threads must not share.
            "--workers",
            "1",
        ])
        .args(["--suppress-health-check", "all", "--request-timeout", "30"])
        .current_dir(server.data());
    let printed = run(&mut check).unwrap();
    eprintln!("{printed}");
}
