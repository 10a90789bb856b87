//! The work and how it gets done: the queue and its workers, the scheduler, the work of each kind of task, files that come when somebody
//! asks for them, and the upkeep. Whatever the API calls a repository, an importer or a user is a row in here; the documents, and
//! what requests may say, are `pith-pulp`'s, which this crate does not know: it is handed what it needs of it ([`Kinds`],
//! [`Consent`], [`run::Selection`], [`run::EntryDocument`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod acting;
mod applicability;
mod attempt;
mod catalog;
pub mod content_sources;
pub mod deferred;
mod engine;
pub mod error;
mod exports;
mod feeds;
mod figures;
mod files;
pub mod guards;
pub mod job;
pub mod jobs;
mod kinds;
pub mod masks;
mod memory;
mod own_jobs;
pub mod parts;
mod progress;
pub mod registry;
mod room;
mod rsync;
pub mod run;
mod scheduler;
pub mod secrets;
pub mod signing;
mod supervise;
mod task_groups;
pub mod timetable;
pub mod turns;
pub mod upkeep;
mod upstream;
mod worker;

pub use acting::{Caller, on_behalf, on_behalf_of};
pub use applicability::RepositoryIndex;
pub use attempt::{Done, Run};
pub use engine::{Engine, PUBLICATION_GRACE};
pub use error::{Error, Result};
pub use figures::{DiskFigures, EndedTasks, Workers};
pub use job::Job;
pub use kinds::{Kinds, TakenKind};
pub use own_jobs::OwnJob;
pub use registry::Registry;
pub use rsync::Ssh;
pub use scheduler::{Consent, Scheduler, run_scheduler};
pub use worker::{LOST_AFTER, run_workers};
