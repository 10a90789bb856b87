//! The engine with the real content types, against a hostile upstream, on both databases.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod additional;
mod content;
mod deferred;
mod digests;
mod downloads;
mod faults;
mod feeds;
mod filters;
mod grace;
#[path = "../../src/guards.rs"]
mod guards;
mod harness;
mod killed;
mod life;
mod locations;
mod mirrors;
mod modules;
mod mongo;
mod odd;
mod panics;
mod paths;
mod profiles;
#[path = "../../src/content.rs"]
#[expect(dead_code, reason = "the binary uses the rest")]
mod published;
mod publishing;
mod queue;
mod rpm;
mod schedules;
mod searches;
mod seeds;
mod settings;
mod shared;
mod sources;
mod stale;
mod uploads;
mod versions;
mod words;
