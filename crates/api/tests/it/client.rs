//! A client of the router: one that has a password, a certificate, or nothing.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pith_trust::{ClientCertificate, PeerCertificate};
use serde_json::Value;
use tower::ServiceExt;

/// The caller.
#[derive(Clone)]
pub(crate) enum Who {
    Nobody,
    /// `login:password`.
    Password(&'static str),
    /// A certificate that the TLS listener has seen; `None` for one that is not of our authority.
    Certificate(Option<ClientCertificate>),
}

pub(crate) const ADMIN: Who = Who::Password("admin:admin");

/// Status and body of the answer.
pub(crate) async fn ask(
    router: &Router,
    who: &Who,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let uri = format!("/pulp/api/v2{path}");
    let mut request = Request::builder().method(method).uri(uri);
    match who {
        Who::Nobody => {}
        Who::Password(both) => {
            let value = format!("Basic {}", STANDARD.encode(both));
            request = request.header("Authorization", value);
        }
        Who::Certificate(certificate) => {
            request = request.extension(PeerCertificate::new(
                Arc::new([]),
                certificate.clone().map(Arc::new),
            ));
        }
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = request.body(body).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
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

/// Status and error code; the code is empty when there is none.
pub(crate) async fn code(
    router: &Router,
    who: &Who,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, String) {
    let (status, body) = ask(router, who, method, path, body).await;
    let code = body["error"]["code"].as_str().unwrap_or_default();
    (status, code.to_owned())
}
