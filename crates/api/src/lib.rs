//! The Pulp 2 REST API.
//!
//! One file per group of operations has their handlers and, beside them, their descriptions; [`routes::routes`] lists all, as data.
//! `http` turns requests into calls and answers into responses: slashes, methods, authentication, permissions,
//! bodies and errors are the same for every operation and are written once, there.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod http;
pub mod openapi;
pub mod routes;

mod actions;
mod applicability;
mod associate;
mod distributors;
mod history;
mod importers;
mod login;
mod operation;
mod orphans;
mod permissions;
mod plugins;
mod repo_groups;
mod repositories;
mod roles;
mod schedules;
mod search;
mod signing_keys;
mod sources;
mod status;
mod task_groups;
mod tasks;
mod units;
mod uploads;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use pith_pulp::Pulp;

use crate::http::Shared;
pub use crate::http::{Endpoints, FoundEndpoint, Gate, PublishedContent};

/// The API, and the endpoints of content types: they share who is asked for a password, and what is taken in at once.
pub struct Api {
    shared: Arc<Shared>,
}

impl Api {
    /// The API of these nouns.
    #[must_use]
    pub fn new(pulp: Arc<Pulp>) -> Self {
        Self {
            shared: Arc::new(Shared::new(pulp, routes::routes())),
        }
    }

    /// Everything below `/pulp/api`, for a server to merge into its own router. Paths keep the mount point.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/pulp/api", any(answer))
            .route("/pulp/api/", any(answer))
            .route("/pulp/api/{*rest}", any(answer))
            .route("/pith/openapi.json", get(describe))
            .with_state(Arc::clone(&self.shared))
    }

    /// The way in for pages beside the API that super-users alone may read.
    #[must_use]
    pub fn gate(&self) -> Gate {
        Gate::new(Arc::clone(&self.shared))
    }

    /// The endpoints of content types, for a server to ask before it looks at what is published.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints::new(Arc::clone(&self.shared))
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    http::dispatch(shared, request).await
}

/// The API's own description.
async fn describe() -> axum::Json<serde_json::Value> {
    axum::Json(openapi::document())
}
