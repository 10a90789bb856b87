//! Passwords that come over plain HTTP.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use pith_core::error::{ErrorDetail, PulpError};

/// Off loopback, plain HTTP carries no credentials: anybody on the way could read them.
pub(crate) async fn refuse_passwords_in_the_clear(
    State(allowed): State<bool>,
    request: Request,
    next: Next,
) -> Response {
    match allowed || !is_in_the_clear(&request) {
        true => next.run(request).await,
        false => in_the_clear(&request),
    }
}

/// Tells whether a request brings a password over plain HTTP, from another machine.
pub(crate) fn is_in_the_clear(request: &Request) -> bool {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip().to_canonical());
    let local = peer.is_some_and(|address| address.is_loopback());
    !local && request.headers().contains_key(header::AUTHORIZATION)
}

/// 403 for such a request.
pub(crate) fn in_the_clear(request: &Request) -> Response {
    let text = "this request is forbidden: a password must not travel over plain HTTP; use https (--tls-listen), \
                or start the server with --allow-plain-http if the network is trusted";
    let mut error = PulpError::validation(ErrorDetail::new("PLP0042", text));
    error.status = 403;
    let body = error.to_body(request.method().as_str(), &request.uri().to_string());
    (
        StatusCode::FORBIDDEN,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        body.to_string(),
    )
        .into_response()
}
