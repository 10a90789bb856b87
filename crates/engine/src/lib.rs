//! Tasks, workers, and what is the same for every content type.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod accounts;
mod acting;
mod applicability;
pub mod auth;
mod catalog;
pub mod content_sources;
pub mod deferred;
pub mod distributors;
mod engine;
pub mod error;
mod failures;
mod feeds;
mod files;
pub mod groups;
pub mod history;
pub mod importers;
pub mod job;
mod login;
mod memory;
pub mod orphans;
pub mod passwords;
pub mod people;
pub mod present;
mod progress;
pub mod registry;
pub mod repositories;
mod room;
mod run;
mod scheduler;
pub mod schedules;
pub mod search;
mod secrets;
mod supervise;
mod task_groups;
pub mod turns;
pub mod upkeep;
pub mod uploads;
mod upstream;
mod worker;

pub use acting::{Caller, on_behalf, on_behalf_of};
pub use engine::{Engine, PUBLICATION_GRACE};
pub use job::{ADDITIONAL_REPOS, Job, Orphans};
pub use registry::Registry;
pub use scheduler::{Scheduler, run_scheduler};
pub use worker::{LOST_AFTER, run_workers};
