//! Signatures: detached ones over what is read, and those that stand around a text.

use std::io::Read;

use pgp::composed::{ArmorOptions, CleartextSignedMessage, DetachedSignature};
use pgp::packet::{SignatureConfig, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, Password};
use pith_core::Timestamp;

use crate::key::seconds;
use crate::make::config_of;
use crate::{SignError, SigningKey};

/// The longest line of a text: GnuPG cuts those of 20,000 bytes, and the signature would be bad.
const LONGEST_LINE: usize = 19_000;

impl SigningKey {
    /// Signs all that `document` gives, which is hashed while it is read. The signature is armored.
    ///
    /// # Errors
    /// When the key has expired, or the document cannot be read.
    pub fn detached(&self, mut document: impl Read, now: Timestamp) -> Result<String, SignError> {
        let config = self.config(SignatureType::Binary, now)?;
        let mut hasher = config.into_hasher().map_err(SignError::failed)?;
        std::io::copy(&mut document, &mut hasher)?;
        let signature = hasher.sign(self.signer(), &Password::empty());
        let signature = DetachedSignature::new(signature.map_err(SignError::failed)?);
        signature
            .to_armored_string(ArmorOptions::default())
            .map_err(SignError::failed)
    }

    /// Signs a text in the clear. Blanks at the ends of its lines go, for they are not signed and clients take them for
    /// somebody else's.
    ///
    /// # Errors
    /// When the key has expired, or the text has lines that clients read otherwise.
    pub fn clear(&self, text: &str, now: Timestamp) -> Result<String, SignError> {
        let text = canonical(text)?;
        let config = self.config(SignatureType::Text, now)?;
        let signed = CleartextSignedMessage::new(&text, config, self.signer(), &Password::empty());
        signed
            .and_then(|signed| signed.to_armored_string(ArmorOptions::default()))
            .map_err(SignError::failed)
    }

    fn config(&self, kind: SignatureType, now: Timestamp) -> Result<SignatureConfig, SignError> {
        self.require_valid(now)?;
        // A clock that is behind that of whoever made the key must not make signatures that are older than it.
        let at = seconds(now)?.max(self.signer().created_at());
        let said = vec![
            SubpacketData::SignatureCreationTime(at),
            SubpacketData::IssuerFingerprint(self.signer().fingerprint()),
        ];
        config_of(self.signer(), kind, said)
    }
}

/// The text as it is signed and shown: no blanks at the ends of lines, which end in a line feed; the last one does not end, for what
/// comes before the signature is no part of the text.
fn canonical(text: &str) -> Result<String, SignError> {
    let lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
    let lines = lines.map(|line| line.trim_end_matches([' ', '\t', '\r']));
    let mut canonical = String::with_capacity(text.len());
    for (number, line) in lines.enumerate() {
        if line.len() > LONGEST_LINE {
            return Err(SignError::Text("one of its lines is too long for clients"));
        }
        if line.contains(['\r', '\0']) {
            return Err(SignError::Text(
                "it has a carriage return or a zero character within a line",
            ));
        }
        if number > 0 {
            canonical.push('\n');
        }
        canonical.push_str(line);
    }
    Ok(canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_signed_without_what_clients_leave_out() {
        let canonical = |text| canonical(text).unwrap();
        assert_eq!(canonical("a \t\r\nb\n"), "a\nb");
        assert_eq!(canonical("a\n\n"), "a\n");
        assert_eq!(canonical(" a"), " a");
        assert_eq!(canonical(""), "");
        for bad in ["a\rb\n", "a\0b"] {
            assert!(super::canonical(bad).is_err(), "{bad:?}");
        }
        assert!(super::canonical(&"x".repeat(19_001)).is_err());
    }
}
