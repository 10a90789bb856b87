//! The ways in which making, reading and using a key can fail.

use pith_core::Timestamp;
use pith_core::clock::iso;

/// The reason why a key cannot be made, read or used. The text says what the person can do.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The text is longer than keys are.
    #[error(
        "it is longer than {limit} bytes: export the one key that is to sign, without the signatures of others (`gpg --export-options \
         export-minimal --armor --export-secret-keys FINGERPRINT`)"
    )]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The text cannot be read as a key.
    #[error(
        "it cannot be read as an OpenPGP key ({0}): give what `gpg --armor --export-secret-keys FINGERPRINT` writes, all of it"
    )]
    Unreadable(String),
    /// The text is the public part of a key.
    #[error(
        "it is a public key, which signs nothing: export the secret key (`gpg --armor --export-secret-keys FINGERPRINT`)"
    )]
    PublicOnly,
    /// There is more than one key in the text.
    #[error("it holds more than one key: export the one that is to sign, by its fingerprint")]
    SeveralKeys,
    /// The secret part is protected by a passphrase, and none was given.
    #[error("its secret part is protected: give its passphrase, too")]
    PassphraseMissing,
    /// The passphrase is another one.
    #[error("its secret part does not open with this passphrase")]
    PassphraseWrong,
    /// The secret part is protected in a way that takes too much memory to open.
    #[error(
        "its secret part is protected in a way that takes too much memory to open: change its passphrase with `gpg --edit-key FINGERPRINT passwd`, and export it again"
    )]
    TooMuchMemory,
    /// The key was revoked.
    #[error("it was revoked: make or import another one")]
    Revoked,
    /// The validity of the key is over.
    #[error("it expired on {}: extend its validity where it came from, or rotate to another one", iso(*.0))]
    Expired(Timestamp),
    /// No part of the key may sign, or can.
    #[error("no part of it may sign: {0}")]
    CannotSign(String),
    /// Clients do not know keys of this kind.
    #[error("{0}")]
    Unsupported(String),
    /// A text cannot be signed as text.
    #[error("the text cannot be signed in the clear: {0}")]
    Text(&'static str),
    /// A new key cannot be as it is wanted.
    #[error("{0}")]
    Unusable(String),
    /// The document to be signed could not be read.
    #[error("what is to be signed cannot be read")]
    Read(#[from] std::io::Error),
    /// Something failed that should not.
    #[error("the signature could not be made: {0}")]
    Failed(String),
}

impl SignError {
    /// A failure that no input explains.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}
