//! Signatures of certificates and revocation lists.

use std::sync::LazyLock;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use x509_parser::asn1_rs::{Any, FromDer};

/// The algorithms that count, for TLS as for what is signed with them.
pub(super) static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> =
    LazyLock::new(|| default_provider().signature_verification_algorithms);

/// Tells whether the key in `public_key`, which is a `SubjectPublicKeyInfo`, signed a certificate or a revocation list.
pub(super) fn is_signed_by(signed: &[u8], public_key: &[u8]) -> bool {
    check(signed, public_key).is_some()
}

fn check(signed: &[u8], public_key: &[u8]) -> Option<()> {
    let parts = content(signed)?;
    let (rest, _) = Any::from_der(parts).ok()?;
    let message = parts.get(..parts.len() - rest.len())?;
    let (algorithm, signature) = algorithm_and_bits(rest)?;
    let (kind, key) = algorithm_and_bits(content(public_key)?)?;
    let mut fitting = ALGORITHMS.all.iter().filter(|known| {
        known.signature_alg_id().as_ref() == algorithm && known.public_key_alg_id().as_ref() == kind
    });
    let is_good = fitting.any(|known| known.verify_signature(key, message, signature).is_ok());
    is_good.then_some(())
}

/// The bytes within a value that stands alone.
pub(super) fn content(value: &[u8]) -> Option<&[u8]> {
    let (rest, any) = Any::from_der(value).ok()?;
    rest.is_empty().then_some(any.data)
}

/// The content of the identifier of an algorithm, and the whole bytes of the string of bits that follows it.
fn algorithm_and_bits(values: &[u8]) -> Option<(&[u8], &[u8])> {
    let (rest, algorithm) = Any::from_der(values).ok()?;
    match content(rest)?.split_first()? {
        (0, bytes) => Some((algorithm.data, bytes)),
        _ => None,
    }
}
