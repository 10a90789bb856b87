//! Reading keys that somebody exported elsewhere. They are hostile: what is read is bounded, what is kept is what signs, and each
//! signature by which a key says something of itself is verified before that is believed.

use pgp::composed::{PublicOrSecret, SignedPublicSubKey, SignedSecretKey, SignedSecretSubKey};
use pgp::packet::{PublicKey, Signature, SignatureType};
use pgp::types::{KeyDetails, Password, S2kParams, SecretParams, StringToKey, Tag};
use pith_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::key::{self, newest};
use crate::signer::{Part, require_supported};
use crate::{SignError, SigningKey};

/// The longest text of a key.
pub(crate) const LONGEST: usize = 256 * 1024;
/// The most user ids, subkeys and signatures that are looked at.
const MOST_PARTS: usize = 1000;
/// The memory that opening a protected secret part may take, as the exponent of 2 in KiB: 64 MiB.
const MOST_MEMORY: u8 = 16;
/// The passes over that memory.
const MOST_PASSES: u8 = 8;
/// The beginning of each block of armor.
const BLOCK: &str = "-----BEGIN PGP ";

impl SigningKey {
    /// Reads a key that [`Self::kept`] gave.
    ///
    /// # Errors
    /// When it is another text.
    pub fn from_kept(text: &SecretString) -> Result<Self, SignError> {
        let whole = only_secret(text.expose_secret())?;
        // A subkey is kept only when it is what signs.
        let part = match whole.secret_subkeys.len() {
            0 => Part::Primary,
            _ => Part::Subkey(0),
        };
        Self::of(whole, part)
    }

    /// Reads an armored secret key that another program exported, and opens it with its passphrase when it has one. Of all that is
    /// in it, the part that signs is kept, and what the key says of itself.
    ///
    /// # Errors
    /// The reason why it cannot sign, and what to do about it.
    pub fn import(
        armored: &SecretString,
        passphrase: Option<&SecretString>,
        now: Timestamp,
    ) -> Result<Self, SignError> {
        let mut whole = only_secret(armored.expose_secret())?;
        require_version(&whole)?;
        keep_verified(&mut whole)?;
        let part = signing_part(&whole, now)?;
        let part = keep_only(&mut whole, part);
        open(&mut whole, part, passphrase)?;
        Self::of(whole, part)
    }
}

/// The only key in a text.
fn only_secret(text: &str) -> Result<SignedSecretKey, SignError> {
    if text.len() > LONGEST {
        return Err(SignError::TooLong { limit: LONGEST });
    }
    if text.matches(BLOCK).count() > 1 {
        return Err(SignError::SeveralKeys);
    }
    // What the library says of it is about its own inside.
    let unreadable = |_: pgp::errors::Error| {
        SignError::Unreadable("it is damaged, or something else".to_owned())
    };
    let (keys, _) = PublicOrSecret::from_armor_many(text.as_bytes()).map_err(unreadable)?;
    let mut only = None;
    for found in keys {
        match found.map_err(unreadable)? {
            PublicOrSecret::Public(_) => return Err(SignError::PublicOnly),
            PublicOrSecret::Secret(_) if only.is_some() => return Err(SignError::SeveralKeys),
            PublicOrSecret::Secret(secret) => only = Some(secret),
        }
    }
    only.ok_or_else(|| SignError::Unreadable("there is no key in it".to_owned()))
}

/// Version 3 keys and others have other signatures.
fn require_version(whole: &SignedSecretKey) -> Result<(), SignError> {
    let primary = &whole.primary_key;
    match require_supported(primary.version(), primary.public_params()) {
        // A subkey may sign for a key that signs nothing itself.
        Err(error) if whole.secret_subkeys.is_empty() => Err(error),
        _ if primary.version() != pgp::types::KeyVersion::V4 => {
            require_supported(primary.version(), primary.public_params())
        }
        _ => Ok(()),
    }
}

/// Keeps what the key says of itself, as far as its signatures are good: nothing that others say.
fn keep_verified(whole: &mut SignedSecretKey) -> Result<(), SignError> {
    let SignedSecretKey {
        primary_key,
        details,
        secret_subkeys,
        ..
    } = whole;
    let primary = primary_key.public_key();
    let parts = details
        .users
        .iter()
        .map(|user| user.signatures.len())
        .sum::<usize>()
        + details.users.len()
        + details.direct_signatures.len()
        + details.revocation_signatures.len()
        + secret_subkeys
            .iter()
            .map(|subkey| 1 + subkey.signatures.len())
            .sum::<usize>();
    if parts > MOST_PARTS {
        return Err(SignError::TooLong { limit: LONGEST });
    }
    let is_own = |signature: &Signature| signature.verify_key(primary).is_ok();
    if details.revocation_signatures.iter().any(is_own) {
        return Err(SignError::Revoked);
    }
    details.revocation_signatures.clear();
    details.direct_signatures.retain(is_own);
    // Pictures.
    details.user_attributes.clear();
    for user in &mut details.users {
        let id = &user.id;
        user.signatures.retain(|signature| {
            let verified = signature.verify_certification(primary, Tag::UserId, id);
            verified.is_ok()
        });
    }
    details.users.retain(|user| {
        let newest = newest(&user.signatures);
        newest.is_some_and(|newest| newest.typ() != Some(SignatureType::CertRevocation))
    });
    if details.users.is_empty() {
        let text = "it has no user id that it says is its own".to_owned();
        return Err(SignError::CannotSign(text));
    }
    for subkey in secret_subkeys {
        keep_bound(subkey, primary);
    }
    Ok(())
}

/// Keeps the signatures that bind a subkey to its key: none when it was revoked, and none of those that let it sign without
/// its own consent.
fn keep_bound(subkey: &mut SignedSecretSubKey, primary: &PublicKey) {
    let SignedSecretSubKey { key, signatures } = subkey;
    let public = key.public_key();
    signatures.retain(|signature| signature.verify_subkey_binding(primary, public).is_ok());
    let is_revocation =
        |signature: &Signature| signature.typ() == Some(SignatureType::SubkeyRevocation);
    if signatures.iter().any(is_revocation) {
        signatures.clear();
    }
    signatures.retain(|signature| {
        let consent = signature.embedded_signature();
        !signature.key_flags().sign()
            || consent
                .is_some_and(|consent| consent.verify_primary_key_binding(public, primary).is_ok())
    });
}

/// The part that signs: the newest subkey that may, else the key itself, as GnuPG chooses.
fn signing_part(whole: &SignedSecretKey, now: Timestamp) -> Result<Part, SignError> {
    let subkeys = (0..whole.secret_subkeys.len()).map(Part::Subkey);
    let made = |part: &Part| match part {
        Part::Primary => None,
        Part::Subkey(at) => Some(whole.secret_subkeys[*at].key.created_at().as_secs()),
    };
    let may = |part: &Part| key::may_sign(whole, *part);
    let has_secret = |part: &Part| !is_elsewhere(secret_of(whole, *part));
    let able: Vec<Part> = subkeys
        .chain([Part::Primary])
        .filter(|part| may(part) && has_secret(part))
        .collect();
    let expired = |part: &Part| key::expires(whole, *part).is_some_and(|end| end <= now);
    let best = able
        .iter()
        .filter(|part| !expired(part))
        .max_by_key(|part| made(part));
    if let Some(best) = best {
        return Ok(*best);
    }
    match able.iter().filter_map(|part| key::expires(whole, *part)).max() {
        Some(end) => Err(SignError::Expired(end)),
        None => Err(SignError::CannotSign(
            "give a key that is for signing, with the secret part of it or of its subkey for signing".to_owned(),
        )),
    }
}

fn secret_of(whole: &SignedSecretKey, part: Part) -> &SecretParams {
    match part {
        Part::Primary => whole.primary_key.secret_params(),
        Part::Subkey(at) => whole.secret_subkeys[at].key.secret_params(),
    }
}

/// Tells whether there is only the place of a secret part, which is kept elsewhere.
fn is_elsewhere(secret: &SecretParams) -> bool {
    how(secret).is_some_and(|how| matches!(how, StringToKey::Private { .. }))
}

/// The way from a passphrase to a secret part.
fn how(secret: &SecretParams) -> Option<&StringToKey> {
    let SecretParams::Encrypted(encrypted) = secret else {
        return None;
    };
    match encrypted.string_to_key_params() {
        S2kParams::Aead { s2k, .. }
        | S2kParams::Cfb { s2k, .. }
        | S2kParams::MalleableCfb { s2k, .. } => Some(s2k),
        S2kParams::Unprotected | S2kParams::LegacyCfb { .. } => None,
    }
}

/// Takes away what does not sign. Where the part that signs is afterwards.
fn keep_only(whole: &mut SignedSecretKey, part: Part) -> Part {
    whole.public_subkeys = Vec::<SignedPublicSubKey>::new();
    let subkeys = std::mem::take(&mut whole.secret_subkeys);
    let Part::Subkey(at) = part else {
        return Part::Primary;
    };
    whole.secret_subkeys = subkeys.into_iter().nth(at).into_iter().collect();
    Part::Subkey(0)
}

/// Takes the passphrase off the secret parts.
fn open(
    whole: &mut SignedSecretKey,
    part: Part,
    passphrase: Option<&SecretString>,
) -> Result<(), SignError> {
    let mut locked: Vec<Part> = vec![part, Part::Primary];
    locked.dedup();
    locked.retain(|part| {
        let secret = secret_of(whole, *part);
        secret.is_encrypted() && !is_elsewhere(secret)
    });
    if locked.is_empty() {
        return Ok(());
    }
    let passphrase = passphrase.ok_or(SignError::PassphraseMissing)?;
    let password = Password::from(passphrase.expose_secret());
    for part in locked {
        if let Some(StringToKey::Argon2 { t, m_enc, .. }) = how(secret_of(whole, part))
            && (*m_enc > MOST_MEMORY || *t > MOST_PASSES)
        {
            return Err(SignError::TooMuchMemory);
        }
        let opened = match part {
            Part::Primary => whole.primary_key.remove_password(&password),
            Part::Subkey(at) => whole.secret_subkeys[at].key.remove_password(&password),
        };
        opened.map_err(|_| SignError::PassphraseWrong)?;
    }
    Ok(())
}
