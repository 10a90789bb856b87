//! The authorities that a setting names.

use std::collections::{HashMap, HashSet};

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::certificate::Certificate;
use super::lists::RevocationLists;
use super::signed::plain_name;
use super::{GuardId, identity, unreadable};
use crate::TrustError;

/// Bytes of the authorities of one guard.
pub(super) const MOST_TEXT: usize = 1024 * 1024;
/// Certificates among the authorities of one guard, as in Pulp.
pub(super) const MOST_AUTHORITIES: usize = 100;
/// Revocation lists beside them.
pub(super) const MOST_LISTS: usize = 100;
/// Authorities of one name: an old key and a new one, and what they signed of each other.
pub(super) const MOST_NAMESAKES: usize = 8;
/// Signatures that are checked to find out who signed whom.
const MOST_SIGNATURES: usize = 512;

/// The authorities and lists of a setting, in order.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    pub(super) id: GuardId,
    /// Those that nobody else among them has signed: trusted as they are.
    pub(super) anchors: Vec<Certificate>,
    /// Those that others among them vouch for.
    pub(super) between: Vec<Certificate>,
    /// The names of all of them.
    pub(super) names: HashSet<Box<[u8]>>,
    pub(super) lists: RevocationLists,
}

impl Authorities {
    /// Reads a setting.
    ///
    /// # Errors
    /// When there is none, too many, one cannot be read or would count for nothing.
    pub(super) fn from_pem(text: &str) -> Result<Self, TrustError> {
        if text.len() > MOST_TEXT {
            return Err(TrustError::Unreadable(format!(
                "it is longer than {MOST_TEXT} bytes"
            )));
        }
        let found = certificates(text)?;
        require_few_namesakes(&found)?;
        let lists = RevocationLists::at_most(MOST_LISTS, text)?;
        let mut context = Context::new(&SHA256);
        for certificate in &found {
            context.update(&(certificate.der.len() as u64).to_be_bytes());
            context.update(&certificate.der);
        }
        context.update(&lists.id());
        let mut signatures = Signatures(MOST_SIGNATURES);
        signatures.of_lists(&found, &lists)?;
        let mut this = Self {
            id: identity(context),
            names: found.iter().map(|found| found.subject.clone()).collect(),
            lists,
            ..Self::default()
        };
        let tops = signatures.tops(&found)?;
        for (certificate, is_top) in found.into_iter().zip(tops) {
            match is_top {
                true => this.anchors.push(certificate),
                false => this.between.push(certificate),
            }
        }
        Ok(this)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Certificate> {
        self.anchors.iter().chain(&self.between)
    }

    /// Memory that they take, more or less.
    pub(super) fn bytes(&self) -> usize {
        self.all().map(Certificate::bytes).sum::<usize>() + self.lists.bytes()
    }
}

/// The certificates of a text, each once.
fn certificates(text: &str) -> Result<Vec<Certificate>, TrustError> {
    let mut found: Vec<Certificate> = Vec::new();
    let mut count = 0;
    for der in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let der = der.map_err(|error| unreadable("a certificate", error))?;
        count += 1;
        if count > MOST_AUTHORITIES {
            break;
        }
        if !found.iter().any(|known| known.der == der) {
            found.push(Certificate::read_authority(&der)?);
        }
    }
    match count {
        1..=MOST_AUTHORITIES => Ok(found),
        0 => Err(TrustError::Unreadable(format!(
            "it holds no certificate; give 1 to {MOST_AUTHORITIES}"
        ))),
        _ => Err(TrustError::Unreadable(format!(
            "it holds more than {MOST_AUTHORITIES} certificates"
        ))),
    }
}

/// Refuses many authorities of one name: each would have to be tried for every client that names it.
fn require_few_namesakes(found: &[Certificate]) -> Result<(), TrustError> {
    let mut counts: HashMap<&[u8], usize> = HashMap::new();
    for certificate in found {
        *counts.entry(&certificate.subject).or_default() += 1;
    }
    match counts.into_values().any(|count| count > MOST_NAMESAKES) {
        true => Err(TrustError::Unreadable(format!(
            "more than {MOST_NAMESAKES} of its certificates have one name; leave out those of keys that are not in use any more"
        ))),
        false => Ok(()),
    }
}

/// The number of signatures that may still be checked.
struct Signatures(usize);

impl Signatures {
    fn spend(&mut self) -> Result<(), TrustError> {
        self.0 = self.0.checked_sub(1).ok_or_else(|| {
            TrustError::Unreadable("too many of its authorities have one name".to_owned())
        })?;
        Ok(())
    }

    /// Refuses a list in the name of one of them whose key has not signed it.
    fn of_lists(
        &mut self,
        found: &[Certificate],
        lists: &RevocationLists,
    ) -> Result<(), TrustError> {
        lists.require_signed(|issuer, is_signed_by| {
            let mut is_named = false;
            for authority in found.iter().filter(|found| *found.subject == *issuer) {
                is_named = true;
                self.spend()?;
                if is_signed_by(&authority.public_key) {
                    return Ok(true);
                }
            }
            if is_named {
                return Ok(false);
            }
            // One of an authority in between that clients show; but a name that is only written otherwise would revoke nothing.
            let plain = plain_name(issuer);
            let is_alike =
                |found: &Certificate| plain.is_some() && plain_name(&found.subject) == plain;
            match found.iter().any(is_alike) {
                true => Err(TrustError::Unreadable(
                    "a revocation list writes the name of its authority in another way than the authority's certificate does; give one with the same bytes"
                        .to_owned(),
                )),
                false => Ok(true),
            }
        })
    }

    /// Tells for each whether no other has signed it.
    ///
    /// # Errors
    /// When some of them have only signed each other.
    fn tops(&mut self, found: &[Certificate]) -> Result<Vec<bool>, TrustError> {
        let mut above: Vec<Vec<usize>> = Vec::with_capacity(found.len());
        for certificate in found {
            above.push(self.signers(certificate, found)?);
        }
        let tops: Vec<bool> = above.iter().map(Vec::is_empty).collect();
        let mut reached = tops.clone();
        // The longest way goes over all of them.
        for _ in 0..found.len() {
            for (place, above) in above.iter().enumerate() {
                reached[place] |= above.iter().any(|above| reached[*above]);
            }
        }
        match reached.iter().all(|reached| *reached) {
            true => Ok(tops),
            false => Err(TrustError::Unreadable(
                "some of its authorities have only signed each other; give one that signed itself"
                    .to_owned(),
            )),
        }
    }

    /// The places of those other than its own holder who signed a certificate; none for one that signed itself.
    fn signers(
        &mut self,
        certificate: &Certificate,
        found: &[Certificate],
    ) -> Result<Vec<usize>, TrustError> {
        if certificate.names(certificate) {
            self.spend()?;
            if certificate.is_signed_by(certificate) {
                return Ok(Vec::new());
            }
        }
        let mut signers = Vec::new();
        for (place, other) in found.iter().enumerate() {
            if certificate.names(other) && !certificate.is_same_holder(other) {
                self.spend()?;
                if certificate.is_signed_by(other) {
                    signers.push(place);
                }
            }
        }
        Ok(signers)
    }
}
