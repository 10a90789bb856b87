//! Guards: which clients may read what is published (pulp2/serving#guards).
//!
//! A guard trusts the authorities that a repository names, and no other: neither the API's nor those of other
//! repositories. It says whether the certificates that a client showed lead to one of them; what they open is read from
//! the client's own certificate after that, so that nothing inside of it is looked at before it is known who signed it.

mod authorities;
mod certificate;
mod chain;
mod entitlement;
mod lists;
mod paths;
mod payload;
mod signed;

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use pith_core::Timestamp;
use rustls::pki_types::CertificateDer;
use webpki::Cert;

use crate::TrustError;
use authorities::Authorities;
use certificate::Certificate;
use chain::Search;

pub use entitlement::Entitlement;
pub use lists::RevocationLists;

/// Certificates that a client may send.
const MOST_SENT: usize = 16;

/// The identity of a guard: all that its decisions follow from.
pub(crate) type GuardId = [u8; 32];

/// The reason why a client may not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GuardRefusal {
    /// The client showed no certificate.
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
    /// The certificate opens other paths.
    #[error("the client's certificate does not open this path")]
    OtherPath,
}

fn unreadable(what: &str, error: impl std::fmt::Display) -> TrustError {
    TrustError::Unreadable(format!("{what} cannot be read: {error}"))
}

fn identity(context: Context) -> GuardId {
    let mut id = [0; 32];
    id.copy_from_slice(context.finish().as_ref());
    id
}

/// The parts of a client's chain that guards look at first, read once.
#[derive(Debug)]
pub(crate) struct Shown {
    /// The times at which its certificates end, in seconds since 1970.
    ends: Vec<i64>,
    /// The names of those who are said to have signed them.
    issuers: Vec<Box<[u8]>>,
}

impl Shown {
    /// Reads the certificates of a chain.
    ///
    /// # Errors
    /// When there is none, they are too many, or one cannot be read.
    pub(crate) fn read(chain: &[CertificateDer<'static>]) -> Result<Self, GuardRefusal> {
        match chain.len() {
            0 => return Err(GuardRefusal::NoCertificate),
            1..=MOST_SENT => {}
            _ => return Err(GuardRefusal::Unreadable),
        }
        let mut this = Self {
            ends: Vec::with_capacity(chain.len()),
            issuers: Vec::with_capacity(chain.len()),
        };
        for certificate in read(chain)? {
            this.ends.push(certificate.validity.1);
            this.issuers.push(certificate.issuer);
        }
        Ok(this)
    }
}

fn read(chain: &[CertificateDer<'static>]) -> Result<Vec<Certificate>, GuardRefusal> {
    let read = chain.iter().map(Certificate::read);
    read.collect::<Option<_>>().ok_or(GuardRefusal::Unreadable)
}

/// The clients who may read: those whose certificates lead to one of these authorities.
#[derive(Clone)]
pub struct Guard {
    id: GuardId,
    trusted: Arc<Authorities>,
    /// Lists of the server, beside those of the setting.
    revoked: RevocationLists,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("anchors", &self.trusted.anchors.len())
            .field("between", &self.trusted.between.len())
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
    /// other in the text has signed are trusted as they are; the others only through those. Takes up to a second: not for
    /// threads that serve.
    ///
    /// # Errors
    /// When there is none, too many, or one cannot be read, is no authority, or would count for nothing.
    pub fn new(authorities: &str, revoked: &RevocationLists) -> Result<Self, TrustError> {
        let trusted = Authorities::from_pem(authorities)?;
        Ok(Self::of(Arc::new(trusted), revoked))
    }

    /// A guard that lets nobody in, in the place of one whose authorities cannot be read any more.
    #[must_use]
    pub fn closed() -> Self {
        Self {
            id: [0; 32],
            trusted: Arc::default(),
            revoked: RevocationLists::default(),
        }
    }

    /// The same authorities, with other lists of the server.
    #[must_use]
    pub fn with_revoked(&self, revoked: &RevocationLists) -> Self {
        Self::of(Arc::clone(&self.trusted), revoked)
    }

    fn of(trusted: Arc<Authorities>, revoked: &RevocationLists) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(&trusted.id);
        context.update(&revoked.id());
        Self {
            id: identity(context),
            trusted,
            revoked: revoked.clone(),
        }
    }

    pub(crate) fn id(&self) -> GuardId {
        self.id
    }

    /// Memory that it alone takes, more or less: lists of the server are shared.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.trusted.bytes()
    }

    /// Tells whether somebody of its authorities may have signed one of the certificates. It compares names alone, which costs
    /// nothing, however many guards are asked.
    pub(crate) fn knows(&self, shown: &Shown) -> bool {
        shown
            .issuers
            .iter()
            .any(|issuer| self.trusted.names.contains(issuer))
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
    ) -> Result<Timestamp, GuardRefusal> {
        let chain = read(chain)?;
        let (own, sent) = chain.split_first().ok_or(GuardRefusal::NoCertificate)?;
        let at = now.as_second();
        let search = Search::new(self, sent, at).ok_or(GuardRefusal::NotTrusted)?;
        if !search.finds_from(own) {
            return Err(GuardRefusal::NotTrusted);
        }
        // Which of them the chain went over is not kept: when any of them ends, it is looked at again.
        let own_ends = self.trusted.all().map(|authority| authority.validity.1);
        let ends = own_ends.chain(shown.ends.iter().copied());
        let next = ends.filter(|end| *end >= at).min();
        next.and_then(|end| Timestamp::from_second(end.saturating_add(1)).ok())
            .ok_or(GuardRefusal::NotTrusted)
    }

    /// Tells whether a list of the holder of this key, who signed the certificate, has it.
    fn revokes(&self, certificate: &Cert<'_>, public_key: &[u8]) -> bool {
        let (issuer, serial) = (certificate.issuer(), certificate.serial());
        [&self.trusted.lists, &self.revoked]
            .into_iter()
            .any(|lists| lists.revoke(issuer, public_key, serial))
    }
}

#[cfg(test)]
mod tests;
