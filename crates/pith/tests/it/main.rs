//! The engine with the real content types, against a hostile upstream, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod content;
mod faults;
mod harness;
mod life;
mod rpm;
mod schedules;
mod seeds;
