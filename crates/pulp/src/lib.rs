//! Pulp 2's nouns: repositories, importers, distributors, groups, schedules, people, history, tasks and searches as documents,
//! and what requests may say of them. The shapes of the wire and Pulp's codes live here; `api` has the routes above it, the engine
//! below does the work and knows none of this.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod accounts;
mod applicability;
pub mod auth;
pub mod distributors;
pub mod error;
mod failures;
pub mod group_distributors;
pub mod groups;
pub mod history;
mod ids;
pub mod importers;
pub mod jobs;
mod login;
mod orphans;
mod passwords;
pub mod people;
pub mod present;
mod pulp;
pub mod repositories;
pub mod schedules;
pub mod sealing;
pub mod search;
pub mod signing_keys;
pub mod stored;
pub mod uploads;

pub use pulp::Pulp;
