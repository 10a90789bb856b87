//! Who may: passwords, roles, and every route without them.

use std::sync::Arc;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pith_api::routes::ROUTES;
use pith_core::clock::{Clock, ManualClock, SignedDuration};
use pith_core::{ObjectId, SystemClock};
use pith_engine::auth::{Authenticator, ensure_first_admin, hash_password};
use pith_store::{Store, User};
use serde_json::Value;
use tower::ServiceExt;

use crate::server::Server;

pub(crate) async fn ask(
    server: &Server,
    method: &str,
    path: &str,
    who: Option<&str>,
) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(who) = who {
        request = request.header("Authorization", format!("Basic {}", STANDARD.encode(who)));
    }
    let request = request.body(Body::empty()).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    assert!(!response.headers().contains_key("www-authenticate"));
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

async fn user(login: &str, password: &str, roles: &[&str]) -> User {
    User {
        login: login.to_owned(),
        oid: ObjectId::new(SystemClock.now()),
        name: login.to_owned(),
        password_hash: Some(hash_password(password.to_owned()).await.unwrap()),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_strangers_and_plain_users_before_it_reads_anything() {
    let server = Server::start(Vec::new()).await;
    let plain = user("joe", "joe", &[]).await;
    server.engine.store.user_create(&plain).await.unwrap();
    for route in ROUTES {
        let path = format!("/pulp/api/v2{}", route.path.replace(['<', '>'], ""));
        let verb = route.verb.name();
        let (status, stranger) = ask(&server, verb, &path, None).await;
        let Some(operation) = route.operation else {
            assert_eq!(status, 200, "{path}");
            continue;
        };
        assert_eq!(
            (status, &stranger["error"]["code"]),
            (401, &"PLP0025".into()),
            "{verb} {path}"
        );
        let (status, refused) = ask(&server, verb, &path, Some("joe:joe")).await;
        assert_eq!(
            (status, &refused["error"]["code"]),
            (401, &"PLP0026".into()),
            "{verb} {path}"
        );
        assert_eq!(refused["error"]["data"]["operation"], operation.name());
        let (status, wrong) = ask(&server, verb, &path, Some("admin:joe")).await;
        assert_eq!(
            (status, &wrong["error"]["code"]),
            (401, &"PLP0030".into()),
            "{verb} {path}"
        );
    }
}

async fn store(clock: &Arc<ManualClock>) -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/pith.db", folder.path().display());
    let store = Store::connect(&url, clock.clone()).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_changed_password_and_a_lost_role_are_noticed_within_seconds() {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let (_folder, store) = store(&clock).await;
    store
        .user_create(&user("ann", "old", &["super-users"]).await)
        .await
        .unwrap();
    let authenticator = Authenticator::default();
    let check = |password: &'static str| authenticator.check(&store, "ann", password);
    assert!(check("old").await.unwrap().unwrap().super_user);
    assert_eq!(check("new").await.unwrap(), None);
    store
        .user_put(&user("ann", "old", &[]).await)
        .await
        .unwrap();
    clock.advance(SignedDuration::from_secs(6));
    assert!(!check("old").await.unwrap().unwrap().super_user);
    store
        .user_put(&user("ann", "new", &[]).await)
        .await
        .unwrap();
    clock.advance(SignedDuration::from_secs(6));
    assert_eq!(check("old").await.unwrap(), None);
    assert!(check("new").await.unwrap().is_some());
    store.user_delete("ann").await.unwrap();
    clock.advance(SignedDuration::from_secs(6));
    assert_eq!(check("new").await.unwrap(), None);
}

#[tokio::test]
async fn the_first_administrator_is_made_once() {
    let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
    let (_folder, store) = store(&clock).await;
    let made = ensure_first_admin(&store, clock.as_ref(), None)
        .await
        .unwrap()
        .unwrap();
    assert!(made.len() >= 20);
    let again = ensure_first_admin(&store, clock.as_ref(), Some("x".to_owned())).await;
    assert_eq!(again.unwrap(), None);
    let authenticator = Authenticator::default();
    let principal = authenticator
        .check(&store, "admin", &made)
        .await
        .unwrap()
        .unwrap();
    assert!(principal.super_user);
}
