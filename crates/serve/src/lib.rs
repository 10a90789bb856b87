//! Published content, as dnf and other clients ask for it.
//!
//! A request path is made safe once ([`path`]), looked up in the mounts ([`Mounts`]) and then in one publication, which the
//! request holds until its last byte is sent: a publish in between changes the next request, never this one. A mount that has a
//! guard is asked for it in between ([`Access`]): before anything of it is looked up. What a path shows is a blob or a few bytes of the index; which type of content it belongs to is not known here.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access;
mod body;
mod conditional;
mod content;
mod listing;
mod mounts;
mod on_demand;
mod outgoing;
pub mod path;
mod range;
mod respond;
mod root;
mod small;

pub use access::Access;
pub use content::Content;
pub use mounts::{Located, MountGuard, MountRow, MountTable, Mounts, Protocol, Resolved};
pub use on_demand::{OnDemand, Opened, Pieces, Unavailable};
pub use outgoing::{Client, Outgoing};
pub use root::ServedRoot;
