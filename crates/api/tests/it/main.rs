//! The API against recorded exchanges, and against a small server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod access;
mod calls;
mod certificates;
mod client;
mod coverage;
mod downloads;
mod endpoints;
mod groups;
mod people;
mod plugins;
mod problems;
mod recordings;
mod replay;
mod server;
mod signing_keys;
mod tasks;
mod units;
