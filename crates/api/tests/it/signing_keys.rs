//! The keys that sign: who may do what with them, and what is told of them.

use std::sync::Arc;

use pith_testkit::notes::Notes;
use serde_json::{Value, json};

use crate::client::{ADMIN, Who, ask, code};
use crate::server::Server;

const ANN: Who = Who::Password("ann:ann");
const KEYS: &str = "/pith/signing_keys/";

async fn call(server: &Server, method: &str, path: &str, body: Value) -> (u16, Value) {
    ask(&server.router, &ADMIN, method, path, Some(body)).await
}

/// Makes a key; its document.
async fn make(server: &Server, name: &str) -> Value {
    let body = json!({ "name": name, "user_id": format!("{name} <a@example.org>") });
    let (status, made) = call(server, "POST", KEYS, body).await;
    assert_eq!(status, 201, "{made}");
    made
}

/// Status and text of an answer.
async fn refused(server: &Server, method: &str, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = call(server, method, path, body).await;
    let text = answer["error_message"].as_str().unwrap_or_default();
    (status, text.to_owned())
}

/// A server with ann, the repository x, and a distributor `d` of it with these settings; its status and answer.
async fn distributor(server: &Server, who: &Who, settings: Value) -> (u16, Value) {
    let body = json!({
        "distributor_id": "d", "distributor_type_id": "notes_distributor", "distributor_config": settings,
    });
    let path = "/repositories/x/distributors/";
    ask(&server.router, who, "POST", path, Some(body)).await
}

async fn server() -> Server {
    let server = Server::start(vec![Arc::new(Notes)]).await;
    for (path, body) in [
        ("/users/", json!({ "login": "ann", "password": "ann" })),
        ("/repositories/", json!({ "id": "x" })),
    ] {
        assert_eq!(call(&server, "POST", path, body).await.0, 201);
    }
    server
}

async fn grant(server: &Server, resource: &str) {
    let operations = ["CREATE", "READ", "UPDATE", "DELETE", "EXECUTE"];
    let body = json!({ "login": "ann", "resource": resource, "operations": operations });
    let path = "/permissions/actions/grant_to_user/";
    assert_eq!(call(server, "POST", path, body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_shown_exported_imported_and_deleted() {
    let server = server().await;
    let made = make(&server, "zoo").await;
    assert_eq!(made["default"], true, "the first one is");
    assert_eq!(
        (&made["algorithm"], &made["can_sign"]),
        (&json!("ed25519"), &json!(true))
    );
    let fingerprint = made["fingerprint"].as_str().unwrap();
    for named in ["zoo", fingerprint] {
        let (status, read) = call(&server, "GET", &format!("{KEYS}{named}/"), json!({})).await;
        assert_eq!((status, &read), (200, &made));
    }
    assert_eq!(
        call(&server, "GET", KEYS, json!({})).await,
        (200, json!([made]))
    );
    assert!(!made.to_string().contains("PRIVATE KEY"));
    let public = made["public_key"].as_str().unwrap();
    assert!(public.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"));

    let export = format!("{KEYS}zoo/actions/export/");
    let body = json!({ "passphrase": "sesame" });
    let (status, exported) = call(&server, "POST", &export, body).await;
    assert_eq!(status, 200);
    let secret = exported["secret_key"].clone();
    let import = format!("{KEYS}actions/import/");
    let with = |name: &str, passphrase: Value| json!({ "name": name, "key": secret, "passphrase": passphrase });
    let (status, text) = refused(&server, "POST", &import, with("b", json!("sesame"))).await;
    assert!(
        status == 409 && text.contains("already, as 'zoo'"),
        "{status} {text}"
    );
    assert_eq!(
        call(&server, "DELETE", &format!("{KEYS}zoo/"), json!({}))
            .await
            .0,
        200
    );
    for (passphrase, words) in [
        (json!(null), "give its passphrase"),
        (json!("x"), "does not open"),
    ] {
        let (status, text) = refused(&server, "POST", &import, with("b", passphrase)).await;
        assert!(status == 400 && text.contains(words), "{status} {text}");
    }
    let (status, imported) = call(&server, "POST", &import, with("b", json!("sesame"))).await;
    assert_eq!(status, 201);
    assert_eq!(imported["fingerprint"], made["fingerprint"]);
    assert_eq!(
        (&imported["name"], &imported["default"]),
        (&json!("b"), &json!(true))
    );
    assert_eq!(
        code(&server.router, &ADMIN, "GET", &format!("{KEYS}zoo/"), None).await,
        (404, "PLP0009".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_in_words() {
    let server = server().await;
    make(&server, "zoo").await;
    let user = json!("a");
    let import = format!("{KEYS}actions/import/");
    for (path, body, status, words) in [
        (KEYS, json!({ "user_id": user }), 400, "name"),
        (KEYS, json!({ "name": "a/b", "user_id": user }), 400, "name"),
        (KEYS, json!({ "name": "a" }), 400, "user_id"),
        (
            KEYS,
            json!({ "name": "a", "user_id": "a\u{7}b" }),
            400,
            "control characters",
        ),
        (
            KEYS,
            json!({ "name": "a", "user_id": user, "algorithm": "dsa" }),
            400,
            "ed25519 or rsa4096",
        ),
        (
            KEYS,
            json!({ "name": "a", "user_id": user, "expires": "2001-01-01T00:00:00Z" }),
            400,
            "in the future",
        ),
        (
            KEYS,
            json!({ "name": "a", "user_id": user, "expires": "soon" }),
            400,
            "expires",
        ),
        (
            KEYS,
            json!({ "name": "a", "user_id": user, "defualt": true }),
            400,
            "defualt",
        ),
        (KEYS, json!({ "name": "zoo", "user_id": user }), 409, "zoo"),
        (&import, json!({ "name": "a" }), 400, "key"),
        (
            &import,
            json!({ "name": "a", "key": "hello" }),
            400,
            "gpg --armor --export-secret-keys",
        ),
    ] {
        let (found, text) = refused(&server, "POST", path, body.clone()).await;
        assert!(
            found == status && text.contains(words),
            "{body}: {found} {text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_keeps_the_old_public_part_and_nothing_else() {
    let server = server().await;
    let old = make(&server, "zoo").await;
    let fingerprint = old["fingerprint"].as_str().unwrap();
    let rotate = format!("{KEYS}zoo/actions/rotate/");
    let (status, new) = call(&server, "POST", &rotate, json!({})).await;
    assert_eq!(status, 201, "{new}");
    assert_eq!(
        (&new["name"], &new["user_id"]),
        (&old["name"], &old["user_id"])
    );
    assert_eq!(new["default"], true);
    assert_ne!(new["fingerprint"], old["fingerprint"]);
    let (_, all) = call(&server, "GET", KEYS, json!({})).await;
    assert_eq!(all[1], new);
    assert_eq!(all[0]["public_key"], old["public_key"]);
    assert_eq!(
        (&all[0]["can_sign"], &all[0]["default"]),
        (&json!(false), &json!(false))
    );
    assert!(all[0]["retired"].is_string());
    for (action, words) in [
        ("rotate", "rotated before"),
        ("export", "not here any more"),
    ] {
        let path = format!("{KEYS}{fingerprint}/actions/{action}/");
        let (status, text) = refused(&server, "POST", &path, json!({})).await;
        assert!(status == 409 && text.contains(words), "{status} {text}");
    }
    // What names it by its fingerprint would go on doing so.
    let pinned = json!({ "signed": true, "signing_key": new["fingerprint"] });
    assert_eq!(distributor(&server, &ADMIN, pinned).await.0, 201);
    let (status, text) = refused(&server, "POST", &rotate, json!({})).await;
    assert!(
        status == 409 && text.contains("d of repository x"),
        "{status} {text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_takes_a_key_or_what_to_make_one_of_and_not_both() {
    let server = server().await;
    let made = make(&server, "zoo").await;
    let rotate = format!("{KEYS}zoo/actions/rotate/");
    for (body, named) in [
        (json!({ "passphrase": "secret" }), "passphrase"),
        (json!({ "key": "x", "user_id": "Zoo" }), "user_id"),
        (
            json!({ "key": "x", "expires": "2100-01-01T00:00:00Z" }),
            "expires",
        ),
    ] {
        let (status, text) = refused(&server, "POST", &rotate, body).await;
        assert!(status == 400 && text.contains(named), "{status} {text}");
    }
    assert_eq!(call(&server, "GET", KEYS, json!({})).await.1, json!([made]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_put_in_its_own_place_stays_the_same() {
    let server = server().await;
    let made = make(&server, "zoo").await;
    let path = format!("{KEYS}zoo/actions/export/");
    let (_, exported) = call(&server, "POST", &path, json!({})).await;
    // Even where settings name it by its fingerprint.
    let pinned = json!({ "signed": true, "signing_key": made["fingerprint"] });
    assert_eq!(distributor(&server, &ADMIN, pinned).await.0, 201);
    let body = json!({ "key": exported["secret_key"] });
    let path = format!("{KEYS}zoo/actions/rotate/");
    let (status, again) = call(&server, "POST", &path, body).await;
    assert_eq!((status, &again), (201, &made));
    assert_eq!(call(&server, "GET", KEYS, json!({})).await.1, json!([made]));
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_name_a_key_that_can_sign_and_hold_it() {
    let server = server().await;
    let signed = json!({ "signed": true });
    let (status, refused_by) = distributor(&server, &ADMIN, signed.clone()).await;
    assert_eq!(status, 400, "{refused_by}");
    let sub = &refused_by["error"]["sub_errors"][0];
    assert_eq!(sub["code"], "PTH0004");
    assert!(
        sub["description"]
            .as_str()
            .unwrap()
            .contains("pith key create"),
        "{sub}"
    );
    make(&server, "zoo").await;
    make(&server, "other").await;
    assert_eq!(distributor(&server, &ADMIN, signed).await.0, 201);
    for (settings, words) in [
        (
            json!({ "signed": true, "signing_key": "none" }),
            "no signing key 'none'",
        ),
        (
            json!({ "signed": true, "signing_key": 5 }),
            "no signing key ''",
        ),
    ] {
        let (status, answer) = distributor(&server, &ADMIN, settings).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains(words), "{answer}");
    }
    let (status, text) = refused(&server, "DELETE", &format!("{KEYS}zoo/"), json!({})).await;
    assert!(
        status == 409 && text.contains("d of repository x signs with it"),
        "{status} {text}"
    );
    assert_eq!(
        call(&server, "DELETE", &format!("{KEYS}other/"), json!({}))
            .await
            .0,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_on_a_repository_are_none_on_keys() {
    let server = server().await;
    make(&server, "zoo").await;
    make(&server, "other").await;
    grant(&server, "/v2/repositories/x/").await;
    let denied = (401, "PLP0026".to_owned());
    for (method, path) in [
        ("GET", ""),
        ("POST", ""),
        ("POST", "actions/import/"),
        ("GET", "zoo/"),
        ("DELETE", "zoo/"),
        ("POST", "zoo/actions/export/"),
        ("POST", "zoo/actions/rotate/"),
    ] {
        let path = format!("{KEYS}{path}");
        let answer = code(&server.router, &ANN, method, &path, Some(json!({}))).await;
        assert_eq!(answer, denied, "{method} {path}");
    }
    // The default key signs for everybody who publishes; the others are for super-users to give out.
    let signed = |key: &str| json!({ "signed": true, "signing_key": key });
    assert_eq!(
        distributor(&server, &ANN, json!({ "signed": true }))
            .await
            .0,
        201
    );
    assert_eq!(distributor(&server, &ANN, signed("zoo")).await.0, 201);
    for key in ["other", "none"] {
        let (status, answer) = distributor(&server, &ANN, signed(key)).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.to_string().contains("only super-users"), "{answer}");
    }
    // Nor do rights on all keys give their secret parts.
    grant(&server, "/v2/pith/signing_keys/").await;
    let path = format!("{KEYS}zoo/");
    assert_eq!(ask(&server.router, &ANN, "GET", &path, None).await.0, 200);
    let path = format!("{KEYS}zoo/actions/export/");
    let answer = code(&server.router, &ANN, "POST", &path, None).await;
    assert_eq!(answer, denied);
}
