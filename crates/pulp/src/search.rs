//! Searches over repositories, distributors, tasks and units
//! (pulp2/search#criteria, pulp2/search#association-criteria, pulp2/units#in-a-repository, pulp2/units#outside-of-repositories).
//!
//! All stream: what the database can decide is handed to it, the rest is decided here document after document, a batch
//! at a time. A sort that the database
//! cannot do keeps sort values and ids only, and of those no more than the answer needs.

mod collections;
mod entry;
mod length;
mod listed;
mod names;
mod narrowing;
mod people;
mod prepare;
mod ranking;
mod raw;
mod select;
mod show;
mod units;

pub(crate) use collections::select;
pub use collections::{Collection, DISTRIBUTORS, GROUPS, REPOSITORIES, TASKS};
pub(crate) use length::Searching;
pub use people::USERS;
pub use prepare::{Identity, Otherwise};
pub use ranking::Ranking;
pub(crate) use select::Selected;
pub use units::{DocumentStream, Shown};
