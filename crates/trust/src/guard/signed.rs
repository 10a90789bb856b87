//! Signatures of certificates and revocation lists.

use std::fmt::Write as _;
use std::sync::LazyLock;

use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use x509_parser::asn1_rs::{Any, FromDer, Tag};

/// The algorithms that count, for TLS as for what is signed with them.
pub(super) static ALGORITHMS: LazyLock<WebPkiSupportedAlgorithms> =
    LazyLock::new(|| default_provider().signature_verification_algorithms);

/// Tells whether the key in `public_key`, which is a `SubjectPublicKeyInfo`, signed a certificate or a revocation list.
pub(super) fn is_signed_by(signed: &[u8], public_key: &[u8]) -> bool {
    check(signed, public_key).is_some()
}

/// Tells whether signatures of the key in `public_key`, which is a `SubjectPublicKeyInfo`, can be checked here at all.
pub(super) fn can_be_checked(public_key: &[u8]) -> bool {
    let parts = content(public_key).and_then(algorithm_and_bits);
    parts.is_some_and(|(kind, _)| {
        let mut known = ALGORITHMS.all.iter();
        known.any(|known| known.public_key_alg_id().as_ref() == kind)
    })
}

/// A name that is written in any of the ways that RFC 5280, section 7.1, takes for one: kind of text, case and blanks do not
/// count. `name` is the content of its sequence; `None` when it cannot be read.
pub(super) fn plain_name(name: &[u8]) -> Option<String> {
    let mut plain = String::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (after, set) = Any::from_der(rest).ok()?;
        let mut parts = set.data;
        while !parts.is_empty() {
            let (after, part) = Any::from_der(parts).ok()?;
            let (value, kind) = Any::from_der(part.data).ok()?;
            let (_, value) = Any::from_der(value).ok()?;
            let text = match value.tag() {
                Tag::BmpString => utf16(value.data),
                _ => String::from_utf8_lossy(value.data).into_owned(),
            };
            let words: Vec<&str> = text.split_whitespace().collect();
            let _ = write!(
                plain,
                "{:02x?}={}\0",
                kind.data,
                words.join(" ").to_lowercase()
            );
            parts = after;
        }
        plain.push('\n');
        rest = after;
    }
    Some(plain)
}

fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks()
        .0
        .iter()
        .map(|pair| u16::from_be_bytes(*pair));
    char::decode_utf16(units)
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
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
