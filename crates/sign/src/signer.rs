//! Operations with secret keys. Those of RSA are made by aws-lc-rs, whose time does not depend on the key (RUSTSEC-2023-0071 is
//! about those of the crate `rsa`, which pgp would use); of elliptic curves by the crates that pgp uses, whose time does not
//! either.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding, RsaKeyPair,
};
use pgp::composed::SignedSecretKey;
use pgp::crypto::hash::HashAlgorithm;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::errors::Result as PgpResult;
use pgp::types::{
    EcdsaPublicParams, Fingerprint, KeyDetails, KeyId, KeyVersion, Mpi, Password,
    PlainSecretParams, PublicParams, SecretParams, SignatureBytes, SigningKey as Signs, Timestamp,
};
use rsa::BigUint;
use rsa::RsaPrivateKey;
use rsa::pkcs1::EncodeRsaPrivateKey;

use crate::SignError;

/// The smallest RSA key that signs.
const SMALLEST_RSA: usize = 2048;

/// The part of a key that signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The key itself.
    Primary,
    /// The subkey with this number.
    Subkey(usize),
}

/// The secret part that signs, ready for use.
pub(crate) struct Signer {
    whole: SignedSecretKey,
    part: Part,
    /// The pair of an RSA key.
    rsa: Option<RsaKeyPair>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.fingerprint()).finish()
    }
}

impl Signer {
    /// The signer of a key whose part `part` is not protected by a passphrase.
    pub(crate) fn new(whole: SignedSecretKey, part: Part) -> Result<Self, SignError> {
        let mut signer = Self {
            whole,
            part,
            rsa: None,
        };
        let details = signer.details();
        require_supported(details.version(), details.public_params())?;
        let SecretParams::Plain(plain) = signer.secret() else {
            return Err(SignError::PassphraseMissing);
        };
        if let PlainSecretParams::RSA(secret) = plain {
            signer.rsa = Some(pair_of(secret, details.public_params())?);
        }
        Ok(signer)
    }

    /// The key and all that belongs to it.
    pub(crate) fn whole(&self) -> &SignedSecretKey {
        &self.whole
    }

    /// The algorithm for people, such as `ed25519` or `rsa4096`.
    pub(crate) fn algorithm_name(&self) -> String {
        match self.details().public_params() {
            PublicParams::RSA(params) => {
                format!("rsa{}", rsa::traits::PublicKeyParts::n(&params.key).bits())
            }
            PublicParams::ECDSA(params) => params.curve().to_string().to_lowercase(),
            _ => "ed25519".to_owned(),
        }
    }

    fn secret(&self) -> &SecretParams {
        match self.part {
            Part::Primary => self.whole.primary_key.secret_params(),
            Part::Subkey(at) => self.whole.secret_subkeys[at].key.secret_params(),
        }
    }

    fn details(&self) -> &dyn KeyDetails {
        match self.part {
            Part::Primary => &self.whole.primary_key,
            Part::Subkey(at) => &self.whole.secret_subkeys[at].key,
        }
    }
}

impl KeyDetails for Signer {
    fn version(&self) -> KeyVersion {
        self.details().version()
    }

    fn legacy_key_id(&self) -> KeyId {
        self.details().legacy_key_id()
    }

    fn fingerprint(&self) -> Fingerprint {
        self.details().fingerprint()
    }

    fn algorithm(&self) -> PublicKeyAlgorithm {
        self.details().algorithm()
    }

    fn created_at(&self) -> Timestamp {
        self.details().created_at()
    }

    fn legacy_v3_expiration_days(&self) -> Option<u16> {
        self.details().legacy_v3_expiration_days()
    }

    fn public_params(&self) -> &PublicParams {
        self.details().public_params()
    }
}

impl Signs for Signer {
    fn sign(
        &self,
        password: &Password,
        hash: HashAlgorithm,
        digest: &[u8],
    ) -> PgpResult<SignatureBytes> {
        if let Some(pair) = &self.rsa {
            return sign_rsa(pair, hash, digest).map_err(|error| error.to_string().into());
        }
        match self.part {
            Part::Primary => Signs::sign(&self.whole.primary_key, password, hash, digest),
            Part::Subkey(at) => {
                Signs::sign(&self.whole.secret_subkeys[at].key, password, hash, digest)
            }
        }
    }

    /// SHA-256, or the digest that is as strong as a longer curve.
    fn hash_alg(&self) -> HashAlgorithm {
        match self.public_params() {
            PublicParams::ECDSA(EcdsaPublicParams::P384 { .. }) => HashAlgorithm::Sha384,
            PublicParams::ECDSA(EcdsaPublicParams::P521 { .. }) => HashAlgorithm::Sha512,
            _ => HashAlgorithm::Sha256,
        }
    }
}

/// Refuses keys that clients would not understand, and those that are too weak to trust.
pub(crate) fn require_supported(
    version: KeyVersion,
    params: &PublicParams,
) -> Result<(), SignError> {
    let refuse = |text: &str| Err(SignError::Unsupported(text.to_owned()));
    if version != KeyVersion::V4 {
        return refuse(
            "it is no key of version 4, and the clients of repositories know no others: make a new one (gpg --full-generate-key)",
        );
    }
    match params {
        PublicParams::RSA(params) => {
            let bits = rsa::traits::PublicKeyParts::n(&params.key).bits();
            match bits < SMALLEST_RSA {
                true => refuse(&format!(
                    "it is an RSA key of {bits} bits, which can be broken: take one of {SMALLEST_RSA} bits or more"
                )),
                false => Ok(()),
            }
        }
        PublicParams::ECDSA(params) if params.is_supported() => Ok(()),
        PublicParams::EdDSALegacy(_) | PublicParams::Ed25519(_) => Ok(()),
        _ => refuse(
            "keys of its kind sign nothing that clients check: take one of Ed25519, RSA, or ECDSA on P-256, P-384, P-521 or secp256k1",
        ),
    }
}

/// The pair that aws-lc-rs signs with.
fn pair_of(
    secret: &pgp::crypto::rsa::SecretKey,
    params: &PublicParams,
) -> Result<RsaKeyPair, SignError> {
    let PublicParams::RSA(public) = params else {
        return Err(SignError::failed("the parts of an RSA key do not fit"));
    };
    let (d, p, q, _) = secret.to_bytes();
    let [d, p, q] = [d, p, q].map(|bytes| BigUint::from_bytes_be(&bytes));
    let (n, e) = (
        rsa::traits::PublicKeyParts::n(&public.key).clone(),
        rsa::traits::PublicKeyParts::e(&public.key).clone(),
    );
    let whole = RsaPrivateKey::from_components(n, e, d, vec![p, q]);
    let whole = whole.map_err(SignError::failed)?;
    let der = whole.to_pkcs1_der().map_err(SignError::failed)?;
    KeyPair::from_der(der.as_bytes()).map_err(|error| {
        SignError::Unsupported(format!(
            "its parts are no usable RSA key ({error}): make a new one"
        ))
    })
}

fn sign_rsa(
    pair: &RsaKeyPair,
    hash: HashAlgorithm,
    digest: &[u8],
) -> Result<SignatureBytes, SignError> {
    let (encoding, algorithm): (&'static dyn RsaEncoding, _) = match hash {
        HashAlgorithm::Sha256 => (&RSA_PKCS1_SHA256, &digest::SHA256),
        HashAlgorithm::Sha384 => (&RSA_PKCS1_SHA384, &digest::SHA384),
        HashAlgorithm::Sha512 => (&RSA_PKCS1_SHA512, &digest::SHA512),
        other => return Err(SignError::failed(format!("no signatures over {other}"))),
    };
    let digest = Digest::import_less_safe(digest, algorithm).map_err(SignError::failed)?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign_digest(encoding, &digest, &mut signature)
        .map_err(SignError::failed)?;
    Ok(vec![Mpi::from_slice(&signature)].into())
}
