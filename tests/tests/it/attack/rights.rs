//! A right does what its name says, and is no way to a greater one.

use pith_e2e::Api;
use serde_json::{Value, json};

use super::{Scene, denied, refusal};

#[test]
fn who_may_change_users_does_not_become_somebody_who_may_do_more() {
    Scene::on_each_database(|scene| {
        let eve = scene.user("eve", &[("/v2/users/", &["READ", "UPDATE"])]);
        let granter = [("/v2/permissions/", ["EXECUTE"].as_slice())];
        scene.user("granter", &granter);
        scene.user("plain", &[]);
        let take = |by: &Api, login: &str| {
            let body = json!({"delta": {"password": "taken"}});
            refusal(by, "PUT", &format!("/users/{login}/"), &body)
        };
        assert_eq!(take(&eve, "admin"), denied());
        assert_eq!(take(&eve, "granter"), denied());
        assert!(scene.server.api().unwrap().get("/users/").is_ok());
        // Who may do no more than she may, and herself.
        assert_eq!(take(&eve, "plain").0, 200);
        assert_eq!(take(&eve, "eve").0, 200);
        assert_eq!(take(&scene.admin, "granter").0, 200);
    });
}

#[test]
fn who_may_change_roles_gives_none_that_grants_more() {
    Scene::on_each_database(|scene| {
        let eve = scene.user("eve", &[("/v2/roles/", &["READ", "UPDATE", "DELETE"])]);
        for (role, resource) in [("readers", "/v2/roles/"), ("owners", "/v2/repositories/")] {
            scene.admin_does("POST", "/roles/", &json!({"role_id": role}), 201);
            let body = json!({"role_id": role, "resource": resource, "operations": ["READ"]});
            scene.admin_does("POST", "/permissions/actions/grant_to_role/", &body, 200);
        }
        let join = |role: &str| {
            let body = json!({"login": "eve"});
            refusal(&eve, "POST", &format!("/roles/{role}/users/"), &body)
        };
        assert_eq!(join("super-users"), denied());
        assert_eq!(join("owners"), denied());
        assert_eq!(join("readers").0, 200);
        let body = json!({"delta": {"roles": ["readers", "owners"]}});
        assert_eq!(refusal(&eve, "PUT", "/users/eve/", &body), denied());
        assert_eq!(refusal(&eve, "GET", "/repositories/", &json!({})), denied());
    });
}

#[test]
fn who_may_make_repositories_puts_nothing_into_those_of_others() {
    Scene::on_each_database(|scene| {
        let eve = scene.user("eve", &[("/v2/repositories/", &["CREATE"])]);
        let importer = json!({"importer_type_id": "yum_importer", "importer_config": {}});
        let distributor = json!({"distributor_type_id": "yum_distributor", "distributor_id": "two",
            "distributor_config": {"http": true, "https": true, "relative_url": "two"}});
        let schedule = json!({"schedule": "P1D"});
        let inside = [
            ("importers/", &importer, 202),
            ("distributors/", &distributor, 201),
            ("importers/yum_importer/schedules/sync/", &schedule, 201),
        ];
        let make = |by: &Api, (below, body, _): &(&str, &Value, u16)| {
            refusal(by, "POST", &format!("/repositories/theirs/{below}"), body)
        };
        for attempt in &inside {
            assert_eq!(make(&eve, attempt), denied(), "{}", attempt.0);
        }
        // Hers to make; rights on that very repository, or both that it takes from above, are enough.
        let own = json!({"id": "hers", "importer_type_id": "yum_importer"});
        assert_eq!(refusal(&eve, "POST", "/repositories/", &own).0, 201);
        let here = scene.user("here", &[("/v2/repositories/theirs/", &["CREATE"])]);
        let all = scene.user("all", &[("/v2/repositories/", &["CREATE", "UPDATE"])]);
        assert_eq!(make(&here, &inside[2]).0, 201);
        // What is there makes way for those who may change it alone.
        let mut instead = distributor.clone();
        instead["distributor_id"] = json!(scene.admin.distributor("theirs").unwrap());
        instead["distributor_config"]["relative_url"] = json!("theirs");
        for (path, body) in [("importers/", &importer), ("distributors/", &instead)] {
            let path = format!("/repositories/theirs/{path}");
            assert_eq!(refusal(&here, "POST", &path, body), denied(), "{path}");
        }
        assert_eq!(make(&all, &inside[1]).0, 201);
    });
}

#[test]
fn a_group_takes_no_repository_that_its_maker_may_not_read() {
    Scene::on_each_database(|scene| {
        (scene.admin.create_rpm("own", "http://127.0.0.1:9/")).unwrap();
        let rights: &[&str] = &["CREATE", "READ", "EXECUTE"];
        let eve = scene.user(
            "eve",
            &[
                ("/v2/repo_groups/", rights),
                ("/v2/repositories/own/", &["READ"]),
            ],
        );
        let make = |member: &str| {
            let body = json!({"id": "g", "repo_ids": [member]});
            refusal(&eve, "POST", "/repo_groups/", &body)
        };
        // As if there were none.
        assert_eq!(make("theirs"), make("nobodys"));
        assert_eq!(make("own").0, 201);
        let all = json!({"criteria": {}});
        let associate = "/repo_groups/g/actions/associate/";
        let members = eve.call("POST", associate, Some(&all)).unwrap();
        assert_eq!(members.expect(200).unwrap(), json!(["own"]));
        // A filter does not tell what is in a member that she may not read.
        let join = "/repo_groups/g/actions/associate/";
        scene.admin_does(
            "POST",
            join,
            &json!({"criteria": {"filters": {"id": "theirs"}}}),
            200,
        );
        let guess = json!({"criteria": {"filters": {"id": {"$regex": "^t"}}}});
        let leave = "/repo_groups/g/actions/unassociate/";
        let left = eve.call("POST", leave, Some(&guess)).unwrap();
        assert_eq!(left.expect(200).unwrap(), json!(["own", "theirs"]));
    });
}

#[test]
fn nothing_can_have_the_name_of_an_operation() {
    Scene::on_each_database(|scene| {
        for (path, key) in [
            ("/repositories/", "id"),
            ("/repo_groups/", "id"),
            ("/users/", "login"),
        ] {
            let answer = refusal(&scene.admin, "POST", path, &json!({key: "search"}));
            assert_eq!(answer, (400, "PLP0015".to_owned()), "{path}");
        }
    });
}

#[test]
fn a_copy_takes_the_right_to_read_its_source_and_tells_nothing_without() {
    Scene::on_each_database(|scene| {
        scene
            .admin
            .create_rpm("own", "http://127.0.0.1:9/")
            .unwrap();
        let mallory = scene.user("mallory", &[("/v2/repositories/own/", &["UPDATE"])]);
        let copy = |source: &str| {
            let body = json!({"source_repo_id": source, "criteria": {}});
            refusal(
                &mallory,
                "POST",
                "/repositories/own/actions/associate/",
                &body,
            )
        };
        assert_eq!(copy("theirs"), denied());
        assert_eq!(copy("nobodys"), denied());
        scene.grant("mallory", "/v2/repositories/theirs/", &["READ"]);
        assert_eq!(copy("theirs").0, 202);
    });
}

#[test]
fn what_a_page_of_another_site_has_a_browser_send_is_not_done() {
    let scene = Scene::start(None, &[]);
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let send = |headers: &[(&str, &str)]| {
        let mut request = ureq::http::Request::builder()
            .method("POST")
            .uri(scene.server.url("/pulp/api/v2/users/"))
            .header("Authorization", scene.admin.authorization().unwrap());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(r#"{"login":"intruder"}"#).unwrap();
        agent.run(request).unwrap().status().as_u16()
    };
    let json = ("Content-Type", "application/json");
    assert_eq!(send(&[json, ("Origin", "https://evil.example")]), 403);
    assert_eq!(send(&[json, ("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(send(&[("Content-Type", "text/plain")]), 415);
    assert!(scene.admin.get("/users/intruder/").is_err());
    let own = scene.server.url("");
    assert_eq!(send(&[json, ("Origin", own.as_str())]), 201);
}

#[test]
fn nobody_but_super_users_says_which_key_signs_for_others() {
    Scene::on_each_database(|scene| {
        const KEYS: &str = "/pith/signing_keys/";
        let make = |name: &str| {
            let body = json!({"name": name, "user_id": name, "algorithm": "ed25519"});
            scene.admin_does("POST", KEYS, &body, 201)
        };
        let house = make("house");
        make("elsewhere");
        let path = format!("{KEYS}elsewhere/actions/export/");
        let secret = scene.admin_does("POST", &path, &json!({}), 200)["secret_key"].clone();
        let path = format!("{KEYS}elsewhere/");
        let gone = scene.admin.call("DELETE", &path, None).unwrap();
        assert!(gone.status < 300, "{}", gone.body);
        let eve = scene.user(
            "eve",
            &[("/v2/pith/signing_keys/", &["CREATE", "READ", "UPDATE"])],
        );
        let import = format!("{KEYS}actions/import/");
        let rotate = format!("{KEYS}house/actions/rotate/");
        let refused = [
            (
                &*import,
                json!({"name": "eve", "key": secret, "default": true}),
            ),
            (
                KEYS,
                json!({"name": "eve", "user_id": "eve", "default": true}),
            ),
            (&*rotate, json!({"key": secret})),
        ];
        for (path, body) in refused {
            let answer = eve.call("POST", path, Some(&body)).unwrap();
            assert_eq!(answer.status, 401, "{path}: {}", answer.body);
        }
        let body = json!({"name": "eve", "key": secret});
        let taken = eve.call("POST", &import, Some(&body)).unwrap();
        assert_eq!(taken.expect(201).unwrap()["default"], false);
        let path = format!("{KEYS}house/");
        let now = scene.admin.call("GET", &path, None).unwrap();
        assert_eq!(now.body["fingerprint"], house["fingerprint"]);
        assert_eq!(now.body["default"], true);
        // Nor by being the first.
        for name in ["house", "eve"] {
            let path = format!("{KEYS}{name}/");
            let gone = scene.admin.call("DELETE", &path, None).unwrap();
            assert!(gone.status < 300, "{}", gone.body);
        }
        let taken = eve.call("POST", &import, Some(&body)).unwrap();
        assert_eq!(taken.expect(201).unwrap()["default"], false);
    });
}

#[test]
fn a_group_publishes_nothing_that_its_publisher_may_not_read_any_more() {
    Scene::on_each_database(|scene| {
        let eve = scene.user(
            "eve",
            &[("/v2/repo_groups/", &["CREATE", "READ", "UPDATE", "EXECUTE"])],
        );
        scene.grant("eve", "/v2/repositories/theirs/", &["READ"]);
        let body = json!({"id": "g", "repo_ids": ["theirs"], "distributors": [{
            "distributor_id": "d", "distributor_type_id": "group_export_distributor",
            "distributor_config": {"http": true, "https": false},
        }]});
        eve.call("POST", "/repo_groups/", Some(&body))
            .unwrap()
            .expect(201)
            .unwrap();
        let publish = || {
            let body = json!({"id": "d"});
            eve.call("POST", "/repo_groups/g/actions/publish/", Some(&body))
                .unwrap()
        };
        assert_eq!(publish().status, 202);
        let body =
            json!({"login": "eve", "resource": "/v2/repositories/theirs/", "operations": ["READ"]});
        scene.admin_does("POST", "/permissions/actions/revoke_from_user/", &body, 200);
        let answer = publish();
        assert_eq!(answer.status, 404, "{}", answer.body);
    });
}
