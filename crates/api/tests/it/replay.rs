//! Replays recorded exchanges against a router in this process; the comparison is that of `pith_testkit::replay`.

use axum::Router;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use pith_testkit::replay::{Prepared, Reply, Transport};
use serde_json::Value;
use tower::ServiceExt;

pub(crate) use pith_testkit::replay::{Exchange, Report, read};

struct InProcess<'a>(&'a Router);

impl Transport for InProcess<'_> {
    async fn send(&self, prepared: Prepared) -> Reply {
        let mut request = Request::builder()
            .method(prepared.method.as_str())
            .uri(prepared.path);
        if let Some((name, value)) = prepared.header {
            request = request.header(name, value);
        }
        if let Some(credentials) = prepared.credentials {
            let credentials = STANDARD.encode(credentials);
            request = request.header("Authorization", format!("Basic {credentials}"));
        }
        let request = request.body(Body::from(prepared.body)).unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply::new(parts.status.as_u16(), parts.headers, &bytes)
    }
}

/// Replays `exchanges` in their order.
pub(crate) async fn replay(router: &Router, exchanges: &[Exchange]) -> Report {
    pith_testkit::replay::replay(&InProcess(router), exchanges).await
}

/// Sends a request of the administrator, with a body unless it is null; status and document of the answer.
pub(crate) async fn ask(router: &Router, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let prepared = Prepared {
        method: method.to_owned(),
        path: path.to_owned(),
        credentials: Some("admin:admin".to_owned()),
        header: None,
        body: match body {
            Value::Null => Vec::new(),
            body => body.to_string().into_bytes(),
        },
    };
    let reply = InProcess(router).send(prepared).await;
    (reply.status, reply.body)
}
