//! The part that is the same for every operation: from request to call, from answer or error to response.

mod answer;
mod arrivals;
mod call;
mod credentials;
mod cross_site;
mod dispatch;
mod endpoints;
mod gate;
mod handler;
mod intake;
mod json;
mod matcher;
mod notes;
mod shadowing;
mod shared;

pub(crate) use answer::RestAnswer;
pub(crate) use call::Call;
#[cfg(test)]
pub(crate) use call::query_pairs;
pub(crate) use dispatch::{dispatch, drain};
pub use endpoints::{Endpoints, FoundEndpoint, PublishedContent};
pub use gate::Gate;
pub use handler::RestBodyKind;
pub(crate) use handler::{
    AnyJson, Created, Done, Either, Handler, Json, NoContent, Object, OptionalJson, OptionalObject,
    Queued, QueuedGroup, Raw, Segments,
};
pub(crate) use shared::Shared;
