//! The client against a small server that records what it is asked and answers what it was told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod associate;
mod commands;
mod coverage;
mod errors;
mod fake;
mod groups;
mod login;
mod mirror;
mod page;
mod people;
mod plugins;
mod resume;
mod schedules;
mod tasks;
mod uploads;
