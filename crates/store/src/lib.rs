//! All SQL, for SQLite and PostgreSQL.
//!
//! One module per noun, methods of [`Store`] named noun first. Every statement is written once for both engines;
//! `dialect` holds what differs. Ids and digests are 16 or 32 raw bytes, times are microseconds since 1970,
//! documents are binary JSON. Nothing outside this crate knows SQL, nothing in here knows a content type.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod backend;
pub mod blobs;
pub mod chores;
pub mod content;
mod criteria_sql;
mod db;
mod dialect;
pub mod distributors;
pub mod error;
#[cfg(test)]
mod faults;
pub mod fence;
mod field;
pub mod figures;
pub mod file_lists;
mod generations;
pub mod groups;
mod handover;
pub mod history;
pub mod importers;
mod leases;
pub mod listings;
mod locks;
mod migrate;
pub mod mounts;
pub mod orphans;
pub mod people;
pub mod publications;
pub mod reading;
pub mod repositories;
pub mod retired;
pub mod roles;
pub mod schedules;
mod seal_all;
pub mod secrets;
pub mod settings;
pub mod signing_keys;
pub mod sources;
mod spread;
pub mod staging;
mod statements;
pub mod store;
mod task_queries;
pub mod tasks;
mod transaction;
pub mod unit;
mod unit_changes;
mod unit_outline;
mod unit_query;
mod unit_save;
mod unit_stream;
pub mod units;
pub mod uploads;
pub mod users;
mod value;
mod whole;
mod within;
pub mod workers;

pub use backend::Backend;
pub use content::{Committed, ContentState};
pub use criteria_sql::{Held, UnitFilter};
pub use distributors::{Distributor, DistributorPath, DistributorSettings};
pub use error::StoreError;
pub use fence::{Fence, LastTx, TaskOutcome, TaskStore};
pub use figures::{OpenTasks, PoolFigures};
pub use generations::Generations;
pub use groups::{GroupDistributor, GroupDistributorPath, RepoGroup};
pub use history::{History, HistoryKind, HistoryQuery};
pub use importers::Importer;
pub use listings::{DistributorListing, TaskListing, Texts, Window};
pub use mounts::{Mount, NewMount};
pub use people::{Granted, PeopleChange, Permission};
pub use publications::{NewGroupPublication, NewPublication, Publication};
pub use repositories::{Repository, RepositoryChange, RepositoryUpdate, UnitCounts};
pub use retired::{Held as HeldByGrace, Retired};
pub use roles::Role;
pub use schedules::{Maker, Schedule, ScheduleOwner};
pub use secrets::Seal;
pub use signing_keys::KeyRecord;
pub use sources::{Alternate, FileSource, UnitFile};
pub use staging::{Replacement, StagedId};
pub use store::{BatchStream, Store, Tx};
pub use tasks::{Lost, NewTask, Task};
pub use unit::{
    FieldTexts, KnownUnit, NewUnit, Part, RawDocument, SavedUnit, StreamedUnit, Unit, UnitQuery,
};
pub use uploads::{Upload, UploadUse};
pub use users::User;
pub use whole::WholeTx;
pub use workers::Worker;

/// The answer of every method of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
