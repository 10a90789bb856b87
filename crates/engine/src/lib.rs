//! Tasks, workers, and what is the same for every content type.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod auth;
pub mod distributors;
pub mod engine;
pub mod error;
pub mod history;
pub mod importers;
pub mod job;
pub mod present;
pub mod registry;
pub mod repositories;
pub mod search;

pub use engine::{Engine, MountListener};
pub use job::Job;
pub use registry::Registry;
