//! OpenPGP signatures of what is published ([decision 16](../../../docs/decisions/0016-signing.md)). The platform holds the keys; a
//! type says with which of them a configuration signs, and asks for signatures during a publish.

use std::io::Read;

use bytes::Bytes;
use pith_core::Sha256;

use crate::{Config, ContentError};

/// The key with which a publish with a configuration signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChoice {
    /// The setting that names the key.
    pub setting: &'static str,
    /// The name or the fingerprint of the key; `None` for the server's default one.
    pub named: Option<String>,
}

impl KeyChoice {
    /// The key that the setting `setting` names, where the switch `switch` asks for signatures; `None` where it does not.
    #[must_use]
    pub fn of_settings(config: &Config, switch: &str, setting: &'static str) -> Option<Self> {
        let is_wanted = config.flag(switch) == Some(true);
        is_wanted.then(|| Self {
            setting,
            // What is no text names no key.
            named: (config.get(setting)).map(|key| key.as_str().unwrap_or_default().to_owned()),
        })
    }
}

/// A document of a publish that is to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    /// A document that the publish has finished. Its signature stands beside it.
    Document(Sha256),
    /// A short document. Its signature stands beside it.
    Bytes(Bytes),
    /// A text, which comes back within its signature, without blanks at the ends of its lines.
    Text(String),
}

/// The key of a publish. It signs on threads that may block.
pub trait Signer: Send + Sync {
    /// The public part of the key, armored: what clients import.
    fn public_key(&self) -> &str;

    /// The armored signature over a document.
    ///
    /// # Errors
    /// When the key has expired, or the document cannot be read.
    fn detached(&self, document: &mut dyn Read) -> Result<String, ContentError>;

    /// A text within its signature.
    ///
    /// # Errors
    /// When the key has expired, or clients would read the text otherwise.
    fn clear(&self, text: &str) -> Result<String, ContentError>;
}
