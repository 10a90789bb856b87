//! Things that tests share.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod entitled;
pub mod golden;
pub mod harness;
pub mod memory;
pub mod notes;
pub mod postgres;
pub mod python;
pub mod replay;
pub mod repos;
pub mod s3;
pub mod suite;
pub mod upstream;
