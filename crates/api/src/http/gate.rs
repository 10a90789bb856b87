//! The way in for pages that are not of the API and that super-users alone may read.

use std::sync::Arc;

use axum::response::Response;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use pith_core::error::{ErrorDetail, PulpError};
use pith_pulp::error::told;

use super::answer;
use super::credentials::authenticate;
use super::shared::Shared;

/// Lets super-users in, by the logins and the certificates that the API takes.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

impl Gate {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The answer for whoever is no super-user; `None` for those who are.
    pub async fn refuses(&self, request: &Parts) -> Option<Response> {
        let refused = match authenticate(&self.shared, request).await {
            Ok(principal) if principal.is_super_user() => return None,
            Ok(principal) => forbidden(principal.name()),
            Err(error) => told(&error),
        };
        let method = request.method.as_str();
        let mut answer = answer::error(&refused, method, request.uri.path());
        if answer.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"pith\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        Some(answer)
    }
}

/// 403 PLP0026. The API has 401 here, at which clients would ask for another login.
fn forbidden(name: &str) -> PulpError {
    let text = format!("Permission denied: user {name} is no super-user.");
    let detail = ErrorDetail::new("PLP0026", text).with("user", name);
    let mut error = PulpError::unauthenticated(detail, "permission_denied");
    error.status = StatusCode::FORBIDDEN.as_u16();
    error
}
