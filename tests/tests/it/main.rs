//! The built binary and real clients. One file per promise; each test starts a server of its own.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod absent;
mod at_once;
mod attack;
mod away;
mod cancel;
mod cli;
mod clients;
mod crash;
mod deferred;
mod dnf;
mod files;
mod frozen;
mod full_disk;
mod log;
mod mid_run;
mod mirror;
mod parity;
mod recordings;
mod rest;
mod rounds;
mod scale_out;
mod schedules;
mod stop;
mod tls;
mod zoo;
