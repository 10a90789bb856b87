//! Guards: which clients may read what is published (reference: platform-api §13.3, rpm §17).
//!
//! A guard trusts the authorities that a repository names, and no other: neither the API's nor those of other
//! repositories. It says whether the certificates that a client showed lead to one of them; what they open is read from
//! the client's own certificate after that, so that nothing inside of it is looked at before it is known who signed it.

mod entitlement;
mod paths;
mod payload;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use pith_core::Timestamp;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs as provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use crate::TrustError;

pub use entitlement::Entitlement;

/// Bytes of the authorities of one guard.
const MOST_TEXT: usize = 1024 * 1024;
/// Certificates among the authorities of one guard, as in Pulp.
const MOST_AUTHORITIES: usize = 100;
/// Certificates that a client may send.
const MOST_SENT: usize = 16;

/// The identity of a guard: all that its decisions follow from.
pub(crate) type GuardId = [u8; 32];

/// The reason why a client may not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It showed no certificate.
    #[error("no client certificate was shown")]
    NoCertificate,
    /// Its certificates are too many, or cannot be read.
    #[error("the client's certificates are too many or cannot be read")]
    Unreadable,
    /// They lead to no authority of the guard, do not count now, are not for clients, or are revoked.
    #[error(
        "the client's certificate is not of the repository's authority, does not count now, or is revoked"
    )]
    NotTrusted,
    /// The certificate says nothing of what it opens.
    #[error("the client's certificate has no entitlement that can be read")]
    NoEntitlement,
    /// It opens other paths.
    #[error("the client's certificate does not open this path")]
    OtherPath,
}

/// Lists of revoked certificates, each of one authority.
#[derive(Debug, Default, Clone)]
pub struct RevocationLists(Vec<CertificateRevocationListDer<'static>>);

impl RevocationLists {
    /// Those that stand in a text in PEM form, between whatever else.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn from_pem(text: &str) -> Result<Self, TrustError> {
        let lists = CertificateRevocationListDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable("a revocation list", error))?;
        for list in &lists {
            let (_, read) = CertificateRevocationList::from_der(list)
                .map_err(|error| unreadable("a revocation list", error))?;
            if read.version().is_none() {
                return Err(TrustError::Unreadable(
                    "a revocation list is of version 1; make one of version 2 (crl_extensions in openssl's configuration)"
                        .to_owned(),
                ));
            }
        }
        Ok(Self(lists))
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lists in groups in which each authority has one at most: a verifier looks at the first that it finds.
    fn groups(&self) -> Vec<Vec<CertificateRevocationListDer<'static>>> {
        let issuer = |list: &[u8]| {
            let read = CertificateRevocationList::from_der(list).ok();
            read.map(|(_, read)| read.issuer().as_raw().to_vec())
        };
        let mut groups: Vec<Vec<(Option<Vec<u8>>, CertificateRevocationListDer<'static>)>> =
            vec![Vec::new()];
        for list in &self.0 {
            let issuer = issuer(list);
            let free = |group: &&mut Vec<(Option<Vec<u8>>, _)>| {
                group.iter().all(|(other, _)| *other != issuer)
            };
            match groups.iter_mut().find(free) {
                Some(group) => group.push((issuer, list.clone())),
                None => groups.push(vec![(issuer, list.clone())]),
            }
        }
        let lists = |group: Vec<(_, CertificateRevocationListDer<'static>)>| {
            group.into_iter().map(|(_, list)| list).collect()
        };
        groups.into_iter().map(lists).collect()
    }
}

fn unreadable(what: &str, error: impl std::fmt::Display) -> TrustError {
    TrustError::Unreadable(format!("{what} cannot be read: {error}"))
}

/// The time for which a certificate counts.
#[derive(Debug, Clone, Copy)]
struct Validity {
    from: i64,
    until: i64,
}

impl Validity {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self {
            from: validity.not_before.timestamp(),
            until: validity.not_after.timestamp(),
        }
    }

    fn holds(self, at: i64) -> bool {
        (self.from..=self.until).contains(&at)
    }
}

/// The parts of a client's chain that guards look at first, read once.
#[derive(Debug)]
pub(crate) struct Shown {
    /// When each of its certificates ends, in seconds since 1970.
    ends: Vec<i64>,
    /// The names of those who are said to have signed them.
    issuers: Vec<Box<[u8]>>,
}

impl Shown {
    /// Reads the certificates of a chain.
    ///
    /// # Errors
    /// When there is none, they are too many, or one cannot be read.
    pub(crate) fn read(chain: &[CertificateDer<'static>]) -> Result<Self, Refusal> {
        match chain.len() {
            0 => return Err(Refusal::NoCertificate),
            1..=MOST_SENT => {}
            _ => return Err(Refusal::Unreadable),
        }
        let mut this = Self {
            ends: Vec::with_capacity(chain.len()),
            issuers: Vec::with_capacity(chain.len()),
        };
        for certificate in chain {
            let read = X509Certificate::from_der(certificate);
            let (_, read) = read.map_err(|_| Refusal::Unreadable)?;
            this.ends.push(Validity::of(&read).until);
            this.issuers.push(read.issuer().as_raw().into());
        }
        Ok(this)
    }
}

/// An authority that nobody above has to vouch for.
struct Anchor {
    validity: Validity,
    /// One for each group of revocation lists; all must agree.
    verifiers: Vec<Arc<dyn ClientCertVerifier>>,
}

/// Who may read: those whose certificates lead to one of these authorities.
pub struct Guard {
    id: GuardId,
    anchors: Vec<Anchor>,
    /// Authorities that others among them vouch for.
    between: Vec<CertificateDer<'static>>,
    /// The names of all of them.
    names: HashSet<Box<[u8]>>,
    /// When each of them ends, in seconds since 1970.
    ends: Vec<i64>,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("anchors", &self.anchors.len())
            .field("between", &self.between.len())
            .finish_non_exhaustive()
    }
}

impl PartialEq for Guard {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Guard {}

impl Guard {
    /// The guard that trusts the authorities in a text in PEM form, beside which revocation lists may stand. Those that no
    /// other in the text has signed are trusted as they are; the others only through those.
    ///
    /// # Errors
    /// When there is none, too many, or one cannot be read.
    pub fn new(authorities: &str, revoked: &RevocationLists) -> Result<Self, TrustError> {
        if authorities.len() > MOST_TEXT {
            return Err(TrustError::Unreadable(format!(
                "it is longer than {MOST_TEXT} bytes"
            )));
        }
        let certificates = CertificateDer::pem_slice_iter(authorities.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable("a certificate", error))?;
        if !(1..=MOST_AUTHORITIES).contains(&certificates.len()) {
            return Err(TrustError::Unreadable(format!(
                "it holds {} certificates; give 1 to {MOST_AUTHORITIES}",
                certificates.len()
            )));
        }
        let mut lists = RevocationLists::from_pem(authorities)?;
        lists.0.extend(revoked.0.iter().cloned());
        Self::of(certificates, &lists)
    }

    /// A guard that lets nobody in, in the place of one whose authorities cannot be read any more.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            id: [0; 32],
            anchors: Vec::new(),
            between: Vec::new(),
            names: HashSet::new(),
            ends: Vec::new(),
        }
    }

    fn of(
        certificates: Vec<CertificateDer<'static>>,
        lists: &RevocationLists,
    ) -> Result<Self, TrustError> {
        let id = identity(&certificates, lists);
        let mut read = Vec::with_capacity(certificates.len());
        for certificate in &certificates {
            let (_, parsed) = X509Certificate::from_der(certificate)
                .map_err(|error| unreadable("a certificate", error))?;
            read.push(parsed);
        }
        let groups = lists.groups();
        let mut this = Self {
            id,
            anchors: Vec::new(),
            between: Vec::new(),
            names: read
                .iter()
                .map(|read| read.subject().as_raw().into())
                .collect(),
            ends: read.iter().map(|read| Validity::of(read).until).collect(),
        };
        for (certificate, parsed) in certificates.iter().zip(&read) {
            let (subject, issuer) = (parsed.subject().as_raw(), parsed.issuer().as_raw());
            let is_below = |other: &X509Certificate<'_>| other.subject().as_raw() == issuer;
            if subject == issuer || !read.iter().any(is_below) {
                let anchor = Anchor {
                    validity: Validity::of(parsed),
                    verifiers: verifiers(certificate, &groups)?,
                };
                this.anchors.push(anchor);
            } else {
                this.between.push(certificate.clone());
            }
        }
        Ok(this)
    }

    pub(crate) fn id(&self) -> GuardId {
        self.id
    }

    /// Tells whether somebody of its authorities may have signed one of the certificates: what is told apart by names alone costs
    /// nothing, however many guards are asked.
    pub(crate) fn knows(&self, shown: &Shown) -> bool {
        shown
            .issuers
            .iter()
            .any(|issuer| self.names.contains(issuer))
    }

    /// Tells until when the chain leads to an authority of the guard, if it does now. That the client has the key is for
    /// the TLS handshake to prove.
    ///
    /// # Errors
    /// The reason why it does not.
    pub(crate) fn check(
        &self,
        chain: &[CertificateDer<'static>],
        shown: &Shown,
        now: Timestamp,
    ) -> Result<Timestamp, Refusal> {
        let (own, sent) = chain.split_first().ok_or(Refusal::NoCertificate)?;
        let at = now.as_second();
        let between: Vec<CertificateDer<'_>> = sent.iter().chain(&self.between).cloned().collect();
        let seconds = u64::try_from(at).map_err(|_| Refusal::NotTrusted)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let admits = |verifier: &Arc<dyn ClientCertVerifier>| {
            verifier.verify_client_cert(own, &between, time).is_ok()
        };
        let trusted = self
            .anchors
            .iter()
            .any(|anchor| anchor.validity.holds(at) && anchor.verifiers.iter().all(&admits));
        if !trusted {
            return Err(Refusal::NotTrusted);
        }
        // Which of them the chain went over is not known: when any of them ends, it is looked at again.
        let ends = self.ends.iter().chain(&shown.ends).copied();
        let next = ends.filter(|end| *end >= at).min();
        next.and_then(|end| Timestamp::from_second(end.saturating_add(1)).ok())
            .ok_or(Refusal::NotTrusted)
    }
}

/// A digest of all that decides.
fn identity(certificates: &[CertificateDer<'static>], lists: &RevocationLists) -> GuardId {
    let mut context = Context::new(&SHA256);
    let certificates = certificates.iter().map(AsRef::<[u8]>::as_ref);
    let lists = lists.0.iter().map(AsRef::<[u8]>::as_ref);
    for (kind, bytes) in certificates
        .map(|bytes| (b'c', bytes))
        .chain(lists.map(|bytes| (b'l', bytes)))
    {
        context.update(&[kind]);
        context.update(&(bytes.len() as u64).to_be_bytes());
        context.update(bytes);
    }
    let mut id = [0; 32];
    id.copy_from_slice(context.finish().as_ref());
    id
}

/// The checks of chains that end at `anchor`, one for each group of revocation lists.
fn verifiers(
    anchor: &CertificateDer<'static>,
    groups: &[Vec<CertificateRevocationListDer<'static>>],
) -> Result<Vec<Arc<dyn ClientCertVerifier>>, TrustError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(anchor.clone())
        .map_err(|error| unreadable("a certificate", error))?;
    let (roots, algorithms) = (Arc::new(roots), Arc::new(provider::default_provider()));
    let verifier = |lists: &Vec<CertificateRevocationListDer<'static>>| {
        WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&algorithms))
            .with_crls(lists.iter().cloned())
            // Authorities without a list revoke nothing; and a list that was not renewed in time still counts.
            .allow_unknown_revocation_status()
            .build()
            .map_err(|error| unreadable("a revocation list", error))
    };
    groups.iter().map(verifier).collect()
}

#[cfg(test)]
mod tests;
