//! OpenPGP keys that sign what pith publishes: made here, read from what people exported elsewhere, and given out again
//! ([decision 16](../../../docs/decisions/0016-signing.md)). Signatures are detached or stand around a text.
//!
//! Nothing here reads a file, a database or the clock; secret parts leave in a type that is neither printed nor serialised.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod error;
mod import;
mod key;
mod make;
mod sign;
mod signer;

pub use error::SignError;
pub use key::{About, SigningKey};
pub use make::{KeyKind, NewKey};
