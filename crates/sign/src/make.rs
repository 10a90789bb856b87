//! Making keys.

use std::str::FromStr;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;
use pgp::composed::{SignedKeyDetails, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{
    Features, KeyFlags, PubKeyInner, PublicKey, SecretKey, SignatureConfig, SignatureType,
    Subpacket, SubpacketData, UserId,
};
use pgp::ser::Serialize;
use pgp::types::{
    Duration, KeyDetails, KeyVersion, Mpi, Password, PlainSecretParams, PublicParams, SecretParams,
    SignedUser, Tag,
};
use pith_core::Timestamp;
use rand::rngs::OsRng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};

use crate::key::seconds;
use crate::signer::{Part, Signer};
use crate::{SignError, SigningKey};

/// The longest user id.
const LONGEST_USER_ID: usize = 250;

/// The kind of a new key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyKind {
    /// Ed25519: short and fast, known to every client since GnuPG 2.1.
    #[default]
    Ed25519,
    /// RSA of 4096 bits, for clients that know nothing else: those of Enterprise Linux 7, and systems in FIPS mode.
    Rsa4096,
}

impl FromStr for KeyKind {
    type Err = SignError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ed25519" => Ok(Self::Ed25519),
            "rsa4096" => Ok(Self::Rsa4096),
            _ => {
                let text = format!("'{text}' is no kind of key: take ed25519 or rsa4096");
                Err(SignError::Unusable(text))
            }
        }
    }
}

/// A key that somebody wants.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// The name that clients show, such as `Zoo packages <zoo@example.org>`.
    pub user_id: &'a str,
    /// Its kind.
    pub kind: KeyKind,
    /// The end of its validity; `None` for never.
    pub expires: Option<Timestamp>,
}

impl SigningKey {
    /// Makes a key, which takes a few seconds for RSA.
    ///
    /// # Errors
    /// [`SignError::Unusable`] for a user id or an end that cannot be; when there is no randomness.
    pub fn make(wanted: &NewKey<'_>, now: Timestamp) -> Result<Self, SignError> {
        require_user_id(wanted.user_id)?;
        let created = seconds(now)?;
        let validity = validity(wanted.expires, now)?;
        let (algorithm, public, secret) = parts(wanted.kind)?;
        let details = PubKeyInner::new(KeyVersion::V4, algorithm, created, None, public);
        let details = details.and_then(PublicKey::from_inner);
        let primary = details.and_then(|details| SecretKey::new(details, secret));
        let primary = primary.map_err(SignError::failed)?;
        let bare = SignedSecretKey::new(
            primary,
            SignedKeyDetails::new(Vec::new(), Vec::new(), Vec::new(), Vec::new()),
            Vec::new(),
            Vec::new(),
        );
        let signer = Signer::new(bare, Part::Primary)?;
        let user = certified(&signer, wanted.user_id, validity)?;
        let mut whole = signer.whole().clone();
        whole.details.users = vec![user];
        Self::of(whole, Part::Primary)
    }
}

fn require_user_id(text: &str) -> Result<(), SignError> {
    let refuse = |why: &str| Err(SignError::Unusable(format!("the user id {why}")));
    if text.trim().is_empty() || text.trim() != text {
        return refuse(
            "must be a text without blanks around it, such as 'Zoo packages <zoo@example.org>'",
        );
    }
    if text.len() > LONGEST_USER_ID {
        return refuse(&format!("is longer than {LONGEST_USER_ID} bytes"));
    }
    match text.chars().any(char::is_control) {
        true => refuse("has control characters in it"),
        false => Ok(()),
    }
}

/// The time from `now` to the end of a key.
fn validity(expires: Option<Timestamp>, now: Timestamp) -> Result<Option<Duration>, SignError> {
    let Some(expires) = expires else {
        return Ok(None);
    };
    let left = expires.as_second().saturating_sub(now.as_second());
    match u32::try_from(left) {
        Ok(left) if left > 0 => Ok(Some(Duration::from_secs(left))),
        _ => Err(SignError::Unusable(
            "the end of the validity must be in the future, and no more than 136 years ahead"
                .to_owned(),
        )),
    }
}

fn parts(kind: KeyKind) -> Result<(PublicKeyAlgorithm, PublicParams, SecretParams), SignError> {
    match kind {
        // The form that clients knew before RFC 9580 gave it another.
        KeyKind::Ed25519 => {
            let (public, secret) = pgp::composed::KeyType::Ed25519Legacy
                .generate(OsRng)
                .map_err(SignError::failed)?;
            Ok((PublicKeyAlgorithm::EdDSALegacy, public, secret))
        }
        KeyKind::Rsa4096 => {
            let (public, secret) = rsa_parts()?;
            Ok((PublicKeyAlgorithm::RSA, public, secret))
        }
    }
}

/// The parts of an RSA key that aws-lc-rs made.
fn rsa_parts() -> Result<(PublicParams, SecretParams), SignError> {
    let pair = RsaKeyPair::generate(KeySize::Rsa4096).map_err(SignError::failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(SignError::failed)?;
    let whole = RsaPrivateKey::from_pkcs8_der(der.as_ref()).map_err(SignError::failed)?;
    let [p, q] = whole.primes() else {
        return Err(SignError::failed("an RSA key has two primes"));
    };
    // The two are the other way round in OpenPGP, and their inverse is worked out again from them.
    let mut secret = Vec::new();
    for number in [whole.d(), q, p, p] {
        let number = Mpi::from_slice(&number.to_bytes_be());
        number.to_writer(&mut secret).map_err(SignError::failed)?;
    }
    let key = whole.to_public_key();
    debug_assert!(key.n().bits() == 4096);
    let public = PublicParams::RSA(pgp::types::RsaPublicParams { key });
    let secret = PlainSecretParams::try_from_reader_no_checksum(
        secret.as_slice(),
        KeyVersion::V4,
        PublicKeyAlgorithm::RSA,
        &public,
    );
    Ok((
        public,
        SecretParams::Plain(secret.map_err(SignError::failed)?),
    ))
}

/// A user id with the signature by which the key says that it is its own, what it is for and how long.
fn certified(
    signer: &Signer,
    user_id: &str,
    validity: Option<Duration>,
) -> Result<SignedUser, SignError> {
    let id = UserId::from_str(Default::default(), user_id).map_err(SignError::failed)?;
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let mut features = Features::default();
    features.set_seipd_v1(true);
    let mut said = vec![
        SubpacketData::SignatureCreationTime(signer.created_at()),
        SubpacketData::IssuerFingerprint(signer.fingerprint()),
        SubpacketData::KeyFlags(flags),
        SubpacketData::Features(features),
        SubpacketData::PreferredHashAlgorithms(
            [
                HashAlgorithm::Sha512,
                HashAlgorithm::Sha384,
                HashAlgorithm::Sha256,
            ]
            .as_slice()
            .into(),
        ),
        SubpacketData::IsPrimary(true),
    ];
    said.extend(validity.map(SubpacketData::KeyExpirationTime));
    let config = config_of(signer, SignatureType::CertPositive, said)?;
    let public = signer.whole().primary_key.public_key();
    let signature = config
        .sign_certification(signer, public, &Password::empty(), Tag::UserId, &id)
        .map_err(SignError::failed)?;
    Ok(SignedUser::new(id, vec![signature]))
}

/// The contents of a signature of this type: the statements, and whose it is.
pub(crate) fn config_of(
    signer: &Signer,
    kind: SignatureType,
    said: Vec<SubpacketData>,
) -> Result<SignatureConfig, SignError> {
    use pgp::types::SigningKey as _;
    let packed = |said: Vec<SubpacketData>| -> Result<Vec<Subpacket>, SignError> {
        let packets = said.into_iter().map(Subpacket::regular);
        packets.collect::<Result<_, _>>().map_err(SignError::failed)
    };
    let mut config = SignatureConfig::v4(kind, signer.algorithm(), signer.hash_alg());
    config.hashed_subpackets = packed(said)?;
    config.unhashed_subpackets = packed(vec![SubpacketData::IssuerKeyId(signer.legacy_key_id())])?;
    Ok(config)
}
