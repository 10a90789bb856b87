//! The purpose of requests that are about the server itself.

use std::sync::Arc;

use axum::extract::Request;
use pith_core::{Area, Purpose, RequestNotes};

/// Notes that a request is about the server itself.
pub(crate) async fn about_the_server(request: Request) -> Request {
    if let Some(notes) = request.extensions().get::<Arc<RequestNotes>>() {
        notes.asks_for(Purpose::of(Area::Server));
    }
    request
}
