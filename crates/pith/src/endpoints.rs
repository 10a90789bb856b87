//! Endpoints of content types, which are asked before what is published below the same roots.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use pith_api::{Endpoints, PublishedContent};

use crate::clear::{in_the_clear, is_in_the_clear};

/// The endpoints as one listener shows them.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) endpoints: Endpoints,
    /// The published content, for endpoints that read it.
    pub(crate) published: Arc<dyn PublishedContent>,
    /// Is true when passwords may come in whichever way requests do.
    pub(crate) passwords: bool,
}

impl Served {
    /// The routes of published content, with endpoints before them.
    pub(crate) fn before(self, content: Router) -> Router {
        match self.endpoints.is_empty() {
            true => content,
            false => content.layer(middleware::from_fn_with_state(self, answer)),
        }
    }
}

async fn answer(State(served): State<Served>, request: Request, next: Next) -> Response {
    let Some(found) = served.endpoints.find(&request) else {
        return next.run(request).await;
    };
    if !served.passwords && is_in_the_clear(&request) {
        return in_the_clear(&request);
    }
    found.answer(served.published, request).await
}
