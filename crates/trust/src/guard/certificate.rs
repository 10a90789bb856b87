//! A certificate as far as guards look at it.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::signed::{can_be_checked, content, is_signed_by};
use super::unreadable;
use crate::TrustError;

/// Bytes of the certificate of an authority.
const LONGEST: usize = 64 * 1024;

/// A certificate, and what is asked of it again and again.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) der: CertificateDer<'static>,
    /// Its name, as bytes within the sequence.
    pub(super) subject: Box<[u8]>,
    /// The name of whoever is said to have signed it.
    pub(super) issuer: Box<[u8]>,
    /// Its `SubjectPublicKeyInfo`.
    pub(super) public_key: Box<[u8]>,
    /// The first and the last second for which it counts, since 1970.
    pub(super) validity: (i64, i64),
    /// The number of authorities that may stand between it and a client; `None` for any.
    pub(super) longest_path: Option<u32>,
    /// Is false when its `keyUsage` says that it signs no certificates, which webpki does not look at.
    pub(super) may_sign: bool,
}

impl Certificate {
    /// Reads one that may be of anybody.
    pub(super) fn read(der: &CertificateDer<'static>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(der).ok()?;
        Self::of(der, &parsed)
    }

    /// Reads one of an authority.
    ///
    /// # Errors
    /// When it cannot be read, or does not say that it is an authority which may sign certificates.
    pub(super) fn read_authority(der: &CertificateDer<'static>) -> Result<Self, TrustError> {
        if der.len() > LONGEST {
            let error = format!("it is longer than {LONGEST} bytes");
            return Err(unreadable("a certificate", error));
        }
        let (_, parsed) =
            X509Certificate::from_der(der).map_err(|error| unreadable("a certificate", error))?;
        webpki::anchor_from_trusted_cert(der)
            .map_err(|error| unreadable("a certificate", error))?;
        require_authority(&parsed)?;
        Self::of(der, &parsed).ok_or_else(|| unreadable("a certificate", "it has no name"))
    }

    fn of(der: &CertificateDer<'static>, parsed: &X509Certificate<'_>) -> Option<Self> {
        let validity = parsed.validity();
        let constraints = parsed.basic_constraints().ok().flatten();
        Some(Self {
            der: der.clone(),
            subject: content(parsed.subject().as_raw())?.into(),
            issuer: content(parsed.issuer().as_raw())?.into(),
            public_key: parsed.public_key().raw.into(),
            validity: (
                validity.not_before.timestamp(),
                validity.not_after.timestamp(),
            ),
            longest_path: constraints.and_then(|found| found.value.path_len_constraint),
            may_sign: match parsed.key_usage() {
                Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
                Err(_) => false,
            },
        })
    }

    pub(super) fn counts(&self, at: i64) -> bool {
        (self.validity.0..=self.validity.1).contains(&at)
    }

    /// Tells whether it is of the same holder: what that one signed, both have signed.
    pub(super) fn is_same_holder(&self, other: &Self) -> bool {
        self.subject == other.subject && self.public_key == other.public_key
    }

    /// Tells whether `other` is named as the one who signed it.
    pub(super) fn names(&self, other: &Self) -> bool {
        self.issuer == other.subject
    }

    /// Tells whether the key of `other` signed it.
    pub(super) fn is_signed_by(&self, other: &Self) -> bool {
        is_signed_by(&self.der, &other.public_key)
    }

    /// Memory that it takes, more or less.
    pub(super) fn bytes(&self) -> usize {
        2 * self.der.len() + size_of::<Self>()
    }
}

/// Refuses a certificate of somebody who is no authority: whoever has its key could make any number of clients.
fn require_authority(parsed: &X509Certificate<'_>) -> Result<(), TrustError> {
    let subject = parsed.subject();
    let refused = |why: &str| {
        TrustError::Unreadable(format!(
            "the certificate of '{subject}' is none of an authority: {why}; give one with CA:TRUE that may sign certificates"
        ))
    };
    let constraints = parsed
        .basic_constraints()
        .map_err(|_| refused("its basicConstraints cannot be read"))?;
    let is_authority = constraints.is_some_and(|found| found.value.ca);
    if !is_authority {
        return Err(refused("its basicConstraints do not say so"));
    }
    let usage = parsed
        .key_usage()
        .map_err(|_| refused("its keyUsage cannot be read"))?;
    if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
        return Err(refused("its keyUsage has no keyCertSign"));
    }
    let purposes = parsed
        .extended_key_usage()
        .map_err(|_| refused("its extendedKeyUsage cannot be read"))?;
    if purposes.is_some_and(|purposes| !purposes.value.any && !purposes.value.client_auth) {
        return Err(refused("its extendedKeyUsage has no clientAuth"));
    }
    require_key(parsed).map_err(|why| {
        TrustError::Unreadable(format!(
            "no certificate that '{subject}' signs can be checked, for {why}; give one with an RSA key of 2048 to 8192 bits, a key on the curve P-256, P-384 or P-521, or Ed25519"
        ))
    })
}

/// Refuses keys whose signatures cannot be checked here.
fn require_key(parsed: &X509Certificate<'_>) -> Result<(), &'static str> {
    let key = parsed.public_key();
    if !can_be_checked(key.raw) {
        return Err("its key is of a kind that is not supported");
    }
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if !(2041..=8192).contains(&rsa.key_size()) => {
            Err("its RSA key is too short or too long")
        }
        Ok(_) => Ok(()),
        Err(_) => Err("its key cannot be read"),
    }
}
