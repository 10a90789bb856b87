//! The type end to end: a feed on disk, a repository in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

mod again;
mod copy;
mod fake;
mod mutated;
mod odd;
mod oracle;
mod publish;
mod spoil;
mod sync;
mod upload;
