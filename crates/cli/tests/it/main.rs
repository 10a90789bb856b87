//! The client against a small server that records what it is asked and answers what it was told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod commands;
mod errors;
mod fake;
mod login;
mod mirror;
mod page;
mod tasks;
mod uploads;
