//! Login, and requests of those who logged in.

use std::sync::Arc;

use pith_core::Network;
use pith_pulp::auth::{Authenticator, Principal};
use pith_pulp::error::told;
use pith_trust::ClientCertificate;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;

use crate::client::{ADMIN, Who, ask, code};
use crate::server::Server;

/// Returns what the TLS listener would say of the certificate that a login answers.
async fn logged_in(server: &Server, who: &Who) -> ClientCertificate {
    let (status, answer) = ask(&server.router, who, "POST", "/actions/login/", None).await;
    assert_eq!(status, 200, "{answer}");
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["certificate", "key"]);
    let key = answer["key"].as_str().unwrap();
    assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let pem = answer["certificate"].as_str().unwrap();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let authority = server.pulp.authority().unwrap();
    let now = server.engine.clock.now();
    authority.verify_client(&[der], now).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_certificate_names_its_user_and_counts_for_seven_days() {
    let server = Server::start(Vec::new()).await;
    let found = logged_in(&server, &ADMIN).await;
    let admin = server
        .engine
        .store
        .user_get("admin")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.common_name, format!("admin:admin:{}", admin.oid));
    let days = found.not_after.as_second() - found.not_before.as_second();
    assert_eq!(days, 7 * 24 * 60 * 60);
    let who = Who::Certificate(Some(found.clone()));
    let (status, shown) = ask(&server.router, &who, "GET", "/users/admin/", None).await;
    assert_eq!((status, shown["login"].as_str()), (200, Some("admin")));
    // With a certificate one can get the next one.
    logged_in(&server, &who).await;
    let expired = ClientCertificate {
        not_after: "2020-01-01T00:00:00Z".parse().unwrap(),
        ..found
    };
    let expired = Who::Certificate(Some(expired));
    let refused = code(&server.router, &expired, "GET", "/users/", None).await;
    assert_eq!(refused, (401, "PLP0027".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_ends_with_the_password_and_with_the_user() {
    let server = Server::start(Vec::new()).await;
    let router = &server.router;
    let ann = || Some(json!({ "login": "ann", "password": "one" }));
    let made = code(router, &ADMIN, "POST", "/users/", ann()).await;
    assert_eq!(made.0, 201);
    let first = Who::Certificate(Some(logged_in(&server, &Who::Password("ann:one")).await));
    let read = |who: Who| async move { code(router, &who, "GET", "/users/ann/", None).await };
    assert_eq!(read(first.clone()).await.0, 200);
    let change = Some(json!({ "delta": { "password": "two" } }));
    let changed = code(router, &first, "PUT", "/users/ann/", change).await;
    assert_eq!(changed.0, 200);
    assert_eq!(read(first).await, (401, "PLP0027".to_owned()));
    let second = Who::Certificate(Some(logged_in(&server, &Who::Password("ann:two")).await));
    assert_eq!(read(second.clone()).await.0, 200);
    // Another of the same name is not the same.
    for (method, path, body) in [("DELETE", "/users/ann/", None), ("POST", "/users/", ann())] {
        assert!(code(router, &ADMIN, method, path, body).await.0 < 300);
    }
    assert_eq!(read(second).await, (401, "PLP0027".to_owned()));
    // Nor is a name that only looks like a consumer's.
    let certificate = ClientCertificate {
        common_name: "some-consumer".to_owned(),
        not_before: server.engine.clock.now(),
        not_after: "2999-01-01T00:00:00Z".parse().unwrap(),
    };
    let consumer = Who::Certificate(Some(certificate));
    let asked = code(router, &consumer, "GET", "/repositories/", None).await;
    assert_eq!(asked, (401, "PLP0027".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_began_before_the_password_changed_gets_no_certificate() {
    let server = Server::start(Vec::new()).await;
    let router = &server.router;
    let ann = Some(json!({ "login": "ann", "password": "one" }));
    assert_eq!(code(router, &ADMIN, "POST", "/users/", ann).await.0, 201);
    let authenticator = Authenticator::default();
    let here = Network::of([127, 0, 0, 1].into());
    let checked = authenticator
        .check(&server.engine.store, here, "ann", "one")
        .await;
    let Some(Principal::User(account)) = checked.unwrap() else {
        panic!("ann has this password");
    };
    server.pulp.login_certificate(&account).await.unwrap();
    let change = Some(json!({ "delta": { "password": "two" } }));
    assert_eq!(
        code(router, &ADMIN, "PUT", "/users/ann/", change).await.0,
        200
    );
    let refused = server.pulp.login_certificate(&account).await;
    assert_eq!(refused.err().map(|error| told(&error).status), Some(401));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_logins_at_once_all_get_a_certificate() {
    let server = Arc::new(Server::start(Vec::new()).await);
    let logins = (0..4).map(|_| logged_in(&server, &ADMIN));
    let all = futures::future::join_all(logins).await;
    assert_eq!(all.len(), 4);
}
