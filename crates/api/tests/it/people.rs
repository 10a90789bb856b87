//! The rights of users who were granted something, and the things that nobody may do.

use axum::Router;
use serde_json::{Value, json};

use crate::client::{ADMIN, Who, ask, code};
use crate::server::Server;

const ANN: Who = Who::Password("ann:ann");

async fn done(router: &Router, method: &str, path: &str, body: Value) {
    let body = (!body.is_null()).then_some(body);
    let (status, answer) = ask(router, &ADMIN, method, path, body).await;
    assert!(status < 300, "{method} {path}: {status} {answer}");
}

/// A server with ann and the repositories x and y.
async fn server() -> Server {
    let server = Server::start(Vec::new()).await;
    let ann = json!({ "login": "ann", "password": "ann" });
    done(&server.router, "POST", "/users/", ann).await;
    for id in ["x", "y"] {
        done(
            &server.router,
            "POST",
            "/repositories/",
            json!({ "id": id }),
        )
        .await;
    }
    server
}

async fn grant(router: &Router, resource: &str, operations: &[&str]) {
    let body = json!({ "login": "ann", "resource": resource, "operations": operations });
    done(router, "POST", "/permissions/actions/grant_to_user/", body).await;
}

async fn status(router: &Router, who: &Who, method: &str, path: &str) -> u16 {
    ask(router, who, method, path, Some(json!({}))).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_on_one_repository_opens_that_one_and_what_is_below() {
    let server = server().await;
    let router = &server.router;
    grant(router, "/v2/repositories/x/", &["READ"]).await;
    for path in [
        "/repositories/x/",
        "/repositories/x/importers/",
        "//repositories//x//importers//",
        "/repositories%2Fx/",
    ] {
        assert_eq!(status(router, &ANN, "GET", path).await, 200, "{path}");
    }
    for (method, path) in [
        ("GET", "/repositories/"),
        ("GET", "/repositories/y/"),
        ("GET", "/repositories/search/"),
        ("POST", "/repositories/search/"),
        ("PUT", "/repositories/x/"),
        ("DELETE", "/repositories/x/"),
        ("POST", "/repositories/x/actions/sync/"),
        ("POST", "/repositories/x/distributors/"),
        ("GET", "/tasks/"),
    ] {
        let refused = code(router, &ANN, method, path, None).await;
        assert_eq!(refused, (401, "PLP0026".to_owned()), "{method} {path}");
    }
    grant(router, "/v2/repositories/", &["read", "Create"]).await;
    assert_eq!(status(router, &ANN, "GET", "/repositories/y/").await, 200);
    let made = ask(
        router,
        &ANN,
        "POST",
        "/repositories/",
        Some(json!({ "id": "z" })),
    )
    .await;
    assert_eq!(made.0, 201);
    // Making it grants nothing more.
    assert_eq!(
        status(router, &ANN, "DELETE", "/repositories/z/").await,
        401
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_right_and_a_changed_password_hold_with_the_next_request() {
    let server = server().await;
    let router = &server.router;
    grant(router, "/v2/tasks/", &["READ"]).await;
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 200);
    let body = json!({ "login": "ann", "resource": "/v2/tasks/", "operations": ["READ"] });
    done(
        router,
        "POST",
        "/permissions/actions/revoke_from_user/",
        body,
    )
    .await;
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 401);
    let change = json!({ "delta": { "password": "new" } });
    done(router, "PUT", "/users/ann/", change).await;
    let old = code(router, &ANN, "GET", "/users/ann/", None).await;
    assert_eq!(old, (401, "PLP0030".to_owned()));
    let new = Who::Password("ann:new");
    assert_eq!(status(router, &new, "GET", "/users/ann/").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_themselves_a_super_user_by_changing_themselves() {
    let server = server().await;
    let router = &server.router;
    let name = Some(json!({ "delta": { "name": "Ann" } }));
    assert_eq!(code(router, &ANN, "PUT", "/users/ann/", name).await.0, 200);
    let roles = || Some(json!({ "delta": { "roles": ["super-users"] } }));
    let refused = code(router, &ANN, "PUT", "/users/ann/", roles()).await;
    assert_eq!(refused, (401, "PLP0026".to_owned()));
    let (_, ann) = ask(router, &ADMIN, "GET", "/users/ann/", None).await;
    assert_eq!((&ann["roles"], &ann["name"]), (&json!([]), &json!("Ann")));
    // Also who may change the members of roles makes nobody more than they are themselves.
    grant(router, "/v2/roles/", &["UPDATE"]).await;
    let refused = code(router, &ANN, "PUT", "/users/ann/", roles()).await;
    assert_eq!(refused, (401, "PLP0026".to_owned()));
    done(router, "POST", "/roles/", json!({ "role_id": "equals" })).await;
    let equals = Some(json!({ "delta": { "roles": ["equals"] } }));
    assert_eq!(
        code(router, &ANN, "PUT", "/users/ann/", equals).await.0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_role_grants_comes_and_goes_with_it() {
    let server = server().await;
    let router = &server.router;
    for role in ["one", "two"] {
        done(router, "POST", "/roles/", json!({ "role_id": role })).await;
        let add = format!("/roles/{role}/users/");
        done(router, "POST", &add, json!({ "login": "ann" })).await;
    }
    let both =
        |role: &str| json!({ "role_id": role, "resource": "/v2/tasks/", "operations": ["READ"] });
    let (grant, revoke) = (
        "/permissions/actions/grant_to_role/",
        "/permissions/actions/revoke_from_role/",
    );
    done(router, "POST", grant, both("one")).await;
    done(router, "POST", grant, both("two")).await;
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 200);
    // The other role still grants it.
    done(router, "POST", revoke, both("one")).await;
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 200);
    let (_, members) = ask(router, &ADMIN, "GET", "/roles/two/users/", None).await;
    assert_eq!(members[0]["login"], "ann");
    let (_, role) = ask(router, &ADMIN, "GET", "/roles/two/", None).await;
    assert_eq!(role["permissions"], json!({ "/v2/tasks/": ["READ"] }));
    assert_eq!(role["users"], json!(["ann"]));
    done(router, "DELETE", "/roles/two/", Value::Null).await;
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 401);
    let (_, ann) = ask(router, &ADMIN, "GET", "/users/ann/", None).await;
    assert_eq!(ann["roles"], json!(["one"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_super_user_stays_one_whichever_way_one_tries() {
    let server = server().await;
    let router = &server.router;
    done(router, "POST", "/roles/", json!({ "role_id": "plain" })).await;
    let others = json!({ "delta": { "roles": ["plain"] } });
    for (method, path, body) in [
        ("DELETE", "/users/admin/", None),
        ("DELETE", "/roles/super-users/users/admin/", None),
        ("DELETE", "/roles/super-users/", None),
        ("PUT", "/users/admin/", Some(others.clone())),
    ] {
        let refused = code(router, &ADMIN, method, path, body).await;
        assert_eq!(refused, (400, "PLP0000".to_owned()), "{method} {path}");
    }
    done(
        router,
        "POST",
        "/roles/super-users/users/",
        json!({ "login": "ann" }),
    )
    .await;
    done(router, "PUT", "/users/admin/", others).await;
    assert_eq!(status(router, &ADMIN, "GET", "/tasks/").await, 401);
    assert_eq!(status(router, &ANN, "GET", "/tasks/").await, 200);
    let last = code(router, &ANN, "DELETE", "/users/ann/", None).await;
    assert_eq!(last, (400, "PLP0000".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_was_left_out_opens_nothing_and_is_never_shown() {
    let server = server().await;
    let router = &server.router;
    for (login, body) in [
        ("n1", json!({ "login": "n1" })),
        ("n2", json!({ "login": "n2", "password": null })),
        ("n3", json!({ "login": "n3", "password": "" })),
    ] {
        let (status, made) = ask(router, &ADMIN, "POST", "/users/", Some(body)).await;
        assert_eq!(status, 201);
        assert!(made.get("password").is_none(), "{login}");
    }
    for who in ["n1:None", "n1:", "n2:None", "n2:null", "n3:"] {
        let refused = code(router, &Who::Password(who), "GET", "/users/n1/", None).await;
        assert_eq!(refused, (401, "PLP0030".to_owned()), "{who}");
    }
    let hash = json!({ "criteria": { "filters": { "password": { "$regex": "argon" } } } });
    let (_, found) = ask(router, &ADMIN, "POST", "/users/search/", Some(hash)).await;
    assert_eq!(found, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_further_sources_needs_rights_on_each_of_them() {
    let server = server().await;
    let router = &server.router;
    let copy = |map: serde_json::Value| async move {
        let body = json!({
            "source_repo_id": "x",
            "override_config": { "recursive": true, "additional_repos": map },
        });
        let path = "/repositories/x/actions/associate/";
        ask(router, &ANN, "POST", path, Some(body)).await.0
    };
    grant(router, "/v2/repositories/x/", &["READ", "UPDATE"]).await;
    assert_eq!(copy(json!({})).await, 202, "no further source");
    assert_eq!(copy(json!({ "y": "x" })).await, 401, "may not read it");
    assert_eq!(
        copy(json!({ "nowhere": "x" })).await,
        401,
        "is not told that there is none"
    );
    grant(router, "/v2/repositories/y/", &["READ"]).await;
    assert_eq!(copy(json!({ "y": "x" })).await, 202);
    assert_eq!(copy(json!({ "y": "y" })).await, 401, "may not copy into it");
    assert_eq!(
        copy(json!({ "x": "x" })).await,
        400,
        "has a destination already"
    );
    grant(router, "/v2/repositories/y/", &["UPDATE"]).await;
    assert_eq!(copy(json!({ "y": "y" })).await, 202);
}
