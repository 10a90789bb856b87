//! A key that signs: its secret part and all that is said of it.

use pgp::composed::{ArmorOptions, SignedSecretKey};
use pgp::packet::{Signature, SignatureType, Subpacket, SubpacketData};
use pgp::types::{KeyDetails, Password, S2kParams, Timestamp as Seconds};
use pith_core::Timestamp;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};

use crate::SignError;
use crate::signer::{Part, Signer};

/// A key that signs. Its secret part is in memory and is not protected by a passphrase.
#[derive(Debug)]
pub struct SigningKey {
    signer: Signer,
    about: About,
}

/// The part of a key that people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The fingerprint of the whole key: 40 hexadecimal digits in capitals.
    pub fingerprint: String,
    /// The name that clients show.
    pub user_id: String,
    /// The algorithm of the part that signs, such as `ed25519` or `rsa4096`.
    pub algorithm: String,
    /// The time at which it was made.
    pub created: Timestamp,
    /// The end of its validity; `None` for never.
    pub expires: Option<Timestamp>,
}

impl SigningKey {
    /// The key of these parts, whose signatures were looked at.
    pub(crate) fn of(whole: SignedSecretKey, part: Part) -> Result<Self, SignError> {
        let signer = Signer::new(whole, part)?;
        let whole = signer.whole();
        let created = i64::from(whole.primary_key.created_at().as_secs());
        let about = About {
            fingerprint: format!("{:X}", whole.primary_key.fingerprint()),
            user_id: user_id(whole),
            algorithm: signer.algorithm_name(),
            created: Timestamp::from_second(created).map_err(SignError::failed)?,
            expires: expires(whole, part),
        };
        Ok(Self { signer, about })
    }

    /// The part of it that people are told.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The public part, armored: what clients import.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn public(&self) -> Result<String, SignError> {
        let public = self.signer.whole().to_public_key();
        public
            .to_armored_string(ArmorOptions::default())
            .map_err(SignError::failed)
    }

    /// The whole key, not protected by a passphrase: to be sealed before it is kept.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn kept(&self) -> Result<SecretString, SignError> {
        armored(self.signer.whole())
    }

    /// The whole key, armored, as other programs import it; protected by the passphrase when one is given.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn export(&self, passphrase: Option<&SecretString>) -> Result<SecretString, SignError> {
        let Some(passphrase) = passphrase else {
            return self.kept();
        };
        let password = Password::from(passphrase.expose_secret());
        let mut whole = self.signer.whole().clone();
        // What is protected is no secret part at all: the place of one that somebody keeps elsewhere.
        if !whole.primary_key.secret_params().is_encrypted() {
            let how = S2kParams::new_default(OsRng, whole.primary_key.version());
            let protect = whole.primary_key.set_password_with_s2k(&password, how);
            protect.map_err(SignError::failed)?;
        }
        for subkey in &mut whole.secret_subkeys {
            if !subkey.key.secret_params().is_encrypted() {
                let how = S2kParams::new_default(OsRng, subkey.key.version());
                let protect = subkey.key.set_password_with_s2k(&password, how);
                protect.map_err(SignError::failed)?;
            }
        }
        armored(&whole)
    }

    /// Refuses a key whose validity is over.
    ///
    /// # Errors
    /// [`SignError::Expired`].
    pub fn require_valid(&self, now: Timestamp) -> Result<(), SignError> {
        match self.about.expires {
            Some(expires) if expires <= now => Err(SignError::Expired(expires)),
            _ => Ok(()),
        }
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }
}

fn armored(whole: &SignedSecretKey) -> Result<SecretString, SignError> {
    let text = whole.to_armored_string(ArmorOptions::default());
    text.map(SecretString::from).map_err(SignError::failed)
}

/// The name that clients show: the primary one, else the first.
fn user_id(whole: &SignedSecretKey) -> String {
    let users = &whole.details.users;
    let user = users.iter().find(|user| user.is_primary());
    let user = user.or(users.first());
    user.map_or_else(String::new, |user| {
        String::from_utf8_lossy(user.id.id()).into_owned()
    })
}

/// The newest of the signatures by which a key says what it is for.
pub(crate) fn newest<'a>(
    signatures: impl IntoIterator<Item = &'a Signature>,
) -> Option<&'a Signature> {
    signatures
        .into_iter()
        .max_by_key(|signature| signature.created().map_or(0, Seconds::as_secs))
}

/// The signatures by which the key itself says what it is for and how long.
pub(crate) fn of_itself(whole: &SignedSecretKey) -> Option<&Signature> {
    let details = &whole.details;
    let by_users = details.users.iter().flat_map(|user| &user.signatures);
    newest(by_users.chain(&details.direct_signatures))
}

/// Tells whether the key allows a part of itself to sign. Keys of old programs say nothing of their uses: the key itself may do
/// everything then.
pub(crate) fn may_sign(whole: &SignedSecretKey, part: Part) -> bool {
    let Some(said) = said_of(whole, part) else {
        return false;
    };
    let is_flags = |said: &Subpacket| matches!(said.data, SubpacketData::KeyFlags(_));
    let mut subpackets = said
        .config()
        .into_iter()
        .flat_map(|said| &said.hashed_subpackets);
    match subpackets.any(is_flags) {
        true => said.key_flags().sign(),
        false => part == Part::Primary,
    }
}

fn said_of(whole: &SignedSecretKey, part: Part) -> Option<&Signature> {
    match part {
        Part::Primary => of_itself(whole),
        Part::Subkey(at) => newest(
            (whole.secret_subkeys[at].signatures.iter())
                .filter(|signature| signature.typ() == Some(SignatureType::SubkeyBinding)),
        ),
    }
}

/// The end of the validity: of the part that signs or of the key itself, whichever is first.
pub(crate) fn expires(whole: &SignedSecretKey, part: Part) -> Option<Timestamp> {
    let of = |part| {
        let made = match part {
            Part::Primary => whole.primary_key.created_at(),
            Part::Subkey(at) => whole.secret_subkeys[at].key.created_at(),
        };
        let lasts = said_of(whole, part)?.key_expiration_time()?.as_secs();
        let end = i64::from(made.as_secs()).checked_add(i64::from(lasts))?;
        // Nought stands for never.
        Timestamp::from_second(end).ok().filter(|_| lasts > 0)
    };
    let ends = [of(Part::Primary), of(part)];
    ends.into_iter().flatten().min()
}

/// An instant as OpenPGP has it.
pub(crate) fn seconds(at: Timestamp) -> Result<Seconds, SignError> {
    let second = u32::try_from(at.as_second());
    let second = second.map_err(|_| SignError::failed("the clock is beyond what OpenPGP can say"));
    second.map(Seconds::from_secs)
}
