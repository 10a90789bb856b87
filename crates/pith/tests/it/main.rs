//! The engine with the real content types, against a hostile upstream, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../../src/content.rs"]
#[expect(dead_code, reason = "the binary uses the rest")]
mod content;
mod deferred;
mod downloads;
mod faults;
mod harness;
mod life;
mod rpm;
mod schedules;
mod sources;
