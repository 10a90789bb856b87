//! RPM repositories: Pulp's yum importer and distributor.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod metadata;
