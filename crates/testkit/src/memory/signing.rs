//! A stand-in for a key that signs: what it signs can be read off its signatures.

use std::io::Read;

use pith_content::ContentError;
use pith_content::signing::Signer;
use pith_core::Sha256;

/// The public part of the stand-in.
pub const PUBLIC_KEY: &str = "the public key of the repository in memory\n";

/// A key without secrets.
pub(super) struct Key;

impl Signer for Key {
    fn public_key(&self) -> &str {
        PUBLIC_KEY
    }

    fn detached(&self, document: &mut dyn Read) -> Result<String, ContentError> {
        let mut bytes = Vec::new();
        document.read_to_end(&mut bytes)?;
        Ok(signature(&bytes))
    }

    fn clear(&self, text: &str) -> Result<String, ContentError> {
        let signature = signature(text.as_bytes());
        Ok(format!("{text}\n{signature}"))
    }
}

/// The signature over some bytes.
#[must_use]
pub fn signature(bytes: &[u8]) -> String {
    format!("signed: {}\n", Sha256::of(bytes))
}
