//! End to end: the built binary, started as a person starts it, with the clients that people use.
//!
//! [`Pith`] is a running server in a folder of its own, [`Api`] speaks REST to it, [`Dnf`] is a real dnf that touches
//! nothing but its own folder, [`Feed`] an upstream that can be told to misbehave, and [`repodata`] reads published
//! metadata into a form that two writers can be compared in. The tests are in `tests/it`; the benchmarks use the same
//! pieces.

pub mod api;
pub mod daemons;
pub mod disk;
pub mod dnf;
pub mod feed;
pub mod repodata;
pub mod server;
pub mod tools;
pub mod wire;

pub use api::{Answer, Api};
pub use daemons::{Nginx, Sshd};
pub use dnf::Dnf;
pub use feed::Feed;
pub use server::{Mirror, Pith, Ran};
