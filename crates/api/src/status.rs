//! `/v2/status/` (pulp2/server#status).

use pith_core::clock::SignedDuration;
use pith_engine::Error;
use pith_pulp::present::worker_document;
use serde::Serialize;
use serde_json::{Value, json};

use crate::http::{Call, Json};
use crate::operation::Shape::One;
use crate::operation::{NONE, RestRoute, operation};

/// The operations.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[RestRoute] = &[
    operation!(Get "/status/", None, read, "Tell how the server is; open to everybody.", [], NONE => One("Status")),
];

/// The release of Pulp whose interface this is.
const PLATFORM_VERSION: &str = "2.21.5";
/// The time after which a worker that was not heard of is not listed.
const LISTED: SignedDuration = SignedDuration::from_secs(24);

/// The state of the server. Always 200.
pub(crate) async fn read(call: Call) -> Result<Json<impl Serialize>, Error> {
    let store = &call.pulp.engine.store;
    let connected = store.ping().await.is_ok();
    let now = call.pulp.engine.clock.now();
    let workers: Vec<Value> = match store.workers_list().await {
        Ok(workers) => workers
            .iter()
            .filter(|worker| now.duration_since(worker.heartbeat) <= LISTED)
            .map(worker_document)
            .collect(),
        Err(_) => Vec::new(),
    };
    Ok(Json(json!({
        "api_version": "2",
        "versions": { "platform_version": PLATFORM_VERSION },
        "database_connection": { "connected": connected },
        // Tasks and their messages go through the database.
        "messaging_connection": { "connected": connected },
        "known_workers": workers,
    })))
}
