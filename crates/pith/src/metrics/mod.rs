//! `/metrics`: what those who watch the server want to know, in numbers. `docs/metrics.md` lists them,
//! `docs/decisions/0014-metrics.md` says why they are written by hand.

mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use pith_api::Gate;
use pith_engine::Engine;
use tokio::sync::Mutex;

use crate::exposition::{self, MetricsPage};
use crate::listener::{Connections, Origin};
use crate::options::{MetricsOptions, MetricsReaders};
use crate::purpose::about_the_server;
use crate::traffic::Traffic;

/// A page as old as this is shown again: readers that come at once, however many, are one look at the server.
const FRESH: Duration = Duration::from_secs(1);

/// The numbers of a server, and those who may read them.
pub(crate) struct Metrics {
    engine: Arc<Engine>,
    traffic: Arc<Traffic>,
    connections: Arc<Connections>,
    gate: Gate,
    readers: MetricsReaders,
    started: Instant,
    /// The last page, and when it was made.
    page: Mutex<Option<(Instant, Bytes)>>,
}

impl Metrics {
    /// The numbers of a server that has just started.
    pub(crate) fn new(
        engine: Arc<Engine>,
        (traffic, connections): (Arc<Traffic>, Arc<Connections>),
        gate: Gate,
        options: &MetricsOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            traffic,
            connections,
            gate,
            readers: options.readers(),
            started: Instant::now(),
            page: Mutex::default(),
        })
    }

    /// The route of the page.
    pub(crate) fn router(self: &Arc<Self>) -> Router {
        Router::new()
            .route("/metrics", get(show).with_state(Arc::clone(self)))
            .route_layer(middleware::map_request(about_the_server))
    }

    async fn text(&self) -> Bytes {
        let mut last = self.page.lock().await;
        if let Some((made, text)) = last.as_ref()
            && made.elapsed() < FRESH
        {
            return text.clone();
        }
        let mut page = MetricsPage::default();
        self.traffic.write(&mut page);
        self.write_server(&mut page).await;
        let text = Bytes::from(page.finish());
        *last = Some((Instant::now(), text.clone()));
        text
    }
}

async fn show(State(metrics): State<Arc<Metrics>>, request: Request) -> Response {
    let (request, _) = request.into_parts();
    let from = request.extensions.get::<Origin>();
    if !from.is_some_and(|from| metrics.readers.contains(from.0))
        && let Some(refused) = metrics.gate.refuses(&request).await
    {
        return refused;
    }
    let headers = [
        (CONTENT_TYPE, exposition::CONTENT_TYPE),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, metrics.text().await).into_response()
}
