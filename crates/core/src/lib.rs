//! Nouns and rules, no I/O.
//!
//! Everything here is a value or a pure function: digests, safe paths, ids, clocks, errors with Pulp codes,
//! criteria, tasks and locks as values. Crates above give these nouns a database, files and sockets.

pub mod clock;
pub mod criteria;
pub mod digest;
pub mod error;
pub mod html;
pub mod ids;
pub mod iso8601;
pub mod json;
pub mod network;
pub mod path;
pub mod pool;
pub mod request;
pub mod rights;
pub mod schedule;
pub mod secrets;
pub mod task;
mod weight;

pub use clock::{Clock, ManualClock, SignedDuration, SystemClock, Timestamp};
pub use digest::{Algorithm, Digest, MultiHasher, Sha256};
pub use error::{ErrorDetail, PulpError};
pub use ids::{ObjectId, TaskId, UnitId};
pub use network::Network;
pub use path::RelativePath;
pub use pool::{Pool, Taken};
pub use request::{Area, Purpose, RequestNotes};
pub use rights::{Operation, Rights};
pub use weight::{document_weight, json_weight, value_weight};

/// A JSON object, the shape of every document on the wire.
pub type Document = serde_json::Map<String, serde_json::Value>;
