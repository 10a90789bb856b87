//! The key with which secrets are sealed in the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::TrustError;

/// Bytes of a key.
const KEY_LEN: usize = 32;
/// The beginning of the text of a key.
const MARK: &str = "pith-secrets-key:1:";

/// A key that seals texts: whoever has not got it learns nothing of them and cannot change them. (AES-256 in GCM, with a
/// nonce of its own for each text.)
pub struct SealingKey {
    key: RandomizedNonceKey,
    text: SecretString,
    id: String,
}

impl SealingKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn generate() -> Result<Self, TrustError> {
        let mut bytes = [0; KEY_LEN];
        let failed = |_| TrustError::Failed("the system has no randomness".to_owned());
        aws_lc_rs::rand::fill(&mut bytes).map_err(failed)?;
        Self::from_text(&format!("{MARK}{}", hex(&bytes)).into())
    }

    /// A key that [`SealingKey::text`] gave.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn from_text(text: &SecretString) -> Result<Self, TrustError> {
        let unusable = || TrustError::NoKey;
        let digits = text.expose_secret().trim().strip_prefix(MARK);
        let bytes = digits.and_then(unhex).ok_or_else(unusable)?;
        if bytes.len() != KEY_LEN {
            return Err(unusable());
        }
        let id = digest(&SHA256, &[b"id of ", bytes.as_slice()].concat());
        Ok(Self {
            key: RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| unusable())?,
            text: text.expose_secret().trim().to_owned().into(),
            id: hex(&id.as_ref()[..8]),
        })
    }

    /// The key, to be kept where nobody else reads it.
    #[must_use]
    pub fn text(&self) -> &SecretString {
        &self.text
    }

    /// A name of the key, which says nothing of it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals `text` for `purpose`: it can be opened for that alone.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, purpose: &str, text: &str) -> Result<String, TrustError> {
        let mut sealed = text.as_bytes().to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(purpose.as_bytes()), &mut sealed)
            .map_err(|_| TrustError::Failed("a secret cannot be sealed".to_owned()))?;
        Ok(format!("{}{}", hex(nonce.as_ref()), hex(&sealed)))
    }

    /// Opens what [`SealingKey::seal`] gave.
    ///
    /// # Errors
    /// [`TrustError::NotOurs`] when it was sealed with another key or for another purpose, or was changed.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<String, TrustError> {
        let mut bytes = unhex(sealed).ok_or(TrustError::NotOurs)?;
        let (nonce, text) = bytes
            .split_at_mut_checked(NONCE_LEN)
            .ok_or(TrustError::NotOurs)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| TrustError::NotOurs)?;
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(purpose.as_bytes()), text)
            .map_err(|_| TrustError::NotOurs)?;
        String::from_utf8(opened.to_vec()).map_err(|_| TrustError::NotOurs)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_for_its_purpose_alone() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal("password", "sesame ü").unwrap();
        assert_ne!(sealed, key.seal("password", "sesame ü").unwrap());
        let again = SealingKey::from_text(key.text()).unwrap();
        assert_eq!(again.id(), key.id());
        assert_eq!(again.open("password", &sealed).unwrap(), "sesame ü");
        let mut changed = sealed.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'0' { b'1' } else { b'0' };
        let changed = String::from_utf8(changed).unwrap();
        let other = SealingKey::generate().unwrap();
        assert_ne!(other.id(), key.id());
        for (key, purpose, text) in [
            (&other, "password", sealed.as_str()),
            (&key, "token", &sealed),
            (&key, "password", &changed),
            (&key, "password", "00"),
            (&key, "password", "é"),
        ] {
            assert!(
                matches!(key.open(purpose, text), Err(TrustError::NotOurs)),
                "{text}"
            );
        }
        for bad in [
            "",
            "pith-secrets-key:1:00",
            "pith-secrets-key:1:xyz",
            &"00".repeat(32),
        ] {
            assert!(
                SealingKey::from_text(&bad.to_owned().into()).is_err(),
                "{bad}"
            );
        }
    }
}
