//! pith's certificate authority: it issues the certificates that people and consumers log in with and the server's own, and tells
//! which client certificates are its own (pulp2/people#certificates, pulp2/people#login). It seals secrets, too, and has the
//! guards of published content, which trust other authorities (pulp2/serving#guards).
//!
//! Nothing here reads a file, a database or the clock; keys never leave in a type that prints or serialises them.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod authority;
mod client;
mod guard;
mod names;
mod sealing;
mod subject;

pub use authority::{Authority, Issued, ServerIdentity};
pub use client::{ClientCertificate, PeerCertificate};
pub use guard::{Entitlement, Guard, GuardRefusal, RevocationLists};
pub use sealing::SealingKey;
pub use subject::Subject;

/// The reason why a certificate cannot be made or an authority not be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The certificate or key given for the authority cannot be read.
    #[error(
        "the certificate authority cannot be used: {0}; give a CA certificate and its own unencrypted key, both in PEM form"
    )]
    Unusable(String),
    /// The authorities of a guard, or its revocation lists, cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A text is no key for secrets.
    #[error("it holds no key for secrets; give the file that pith made")]
    NoKey,
    /// A secret was sealed with another key, or changed.
    #[error("it was sealed with another key, or changed")]
    NotOurs,
    /// A certificate could not be made.
    #[error("a certificate could not be made: {0}")]
    Failed(String),
}

impl From<rcgen::Error> for TrustError {
    fn from(error: rcgen::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
