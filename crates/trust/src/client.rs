//! The certificates that a TLS client showed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use pith_core::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::guard::{GuardId, Shown};
use crate::{Entitlement, Guard, GuardRefusal};

/// A client certificate whose chain leads to the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `CN` of the subject.
    pub common_name: String,
    /// The time from which on it counts.
    pub not_before: Timestamp,
    /// Until when it counts.
    pub not_after: Timestamp,
}

/// The certificates that the client of a connection proved to have the key of. The server puts this into the extensions
/// of every request of such a connection.
#[derive(Clone)]
pub struct PeerCertificate {
    /// The client's own certificate first, then what it sent along, DER.
    chain: Arc<[CertificateDer<'static>]>,
    /// Its content, if the authority has issued it; `None` for any other certificate, which proves nothing to the API.
    pub trusted: Option<Arc<ClientCertificate>>,
    decided: Arc<Decided>,
}

impl fmt::Debug for PeerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerCertificate")
            .field("trusted", &self.trusted)
            .finish_non_exhaustive()
    }
}

/// Guards that a connection remembers to have asked.
const MOST_GUARDS: usize = 256;
/// The seconds after which a refusal is looked into again: what it was about may have begun to count.
const REFUSED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The decisions about the certificates of one connection.
#[derive(Default)]
struct Decided {
    shown: OnceLock<Result<Shown, GuardRefusal>>,
    guards: Mutex<HashMap<GuardId, Decision>>,
    /// Read once a guard has found the chain good, and not before.
    entitlement: OnceLock<Option<Arc<Entitlement>>>,
    /// The name that the client's own certificate gives it.
    name: OnceLock<Option<String>>,
}

/// The answer of a guard, and the time for which it holds.
#[derive(Clone, Copy)]
struct Decision {
    from: Timestamp,
    until: Timestamp,
    refused: Option<GuardRefusal>,
}

impl PeerCertificate {
    /// The certificates of a chain, of whose first one the client has the key.
    #[must_use]
    pub fn new(
        chain: Arc<[CertificateDer<'static>]>,
        trusted: Option<Arc<ClientCertificate>>,
    ) -> Self {
        Self {
            chain,
            trusted,
            decided: Arc::default(),
        }
    }

    /// The name that the client's own certificate gives it: a consumer's, mostly. It says something about the client only where
    /// somebody has found the chain good.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let read = || Some(ClientCertificate::read(self.chain.first()?)?.common_name);
        self.decided.name.get_or_init(read).as_deref()
    }

    /// Returns what the client may read of what `guard` protects. Chains are checked once for a connection, until a certificate
    /// in them runs out.
    ///
    /// # Errors
    /// The reason why it may read nothing.
    pub fn admitted(
        &self,
        guard: &Guard,
        now: Timestamp,
    ) -> Result<Arc<Entitlement>, GuardRefusal> {
        let read = || Shown::read(&self.chain);
        let shown = self.decided.shown.get_or_init(read).as_ref();
        let shown = shown.map_err(|refused| *refused)?;
        if !guard.knows(shown) {
            return Err(GuardRefusal::NotTrusted);
        }
        if let Some(refused) = self.decision(guard, shown, now).refused {
            return Err(refused);
        }
        let read = || {
            let own = self.chain.first()?;
            Entitlement::read(own).map(Arc::new)
        };
        let entitlement = self.decided.entitlement.get_or_init(read);
        entitlement.clone().ok_or(GuardRefusal::NoEntitlement)
    }

    /// Tells whether [`PeerCertificate::admitted`] has signatures to check, which takes long.
    #[must_use]
    pub fn is_undecided(&self, guard: &Guard, now: Timestamp) -> bool {
        let read = || Shown::read(&self.chain);
        let shown = self.decided.shown.get_or_init(read);
        shown.as_ref().is_ok_and(|shown| guard.knows(shown)) && self.known(guard, now).is_none()
    }

    fn known(&self, guard: &Guard, now: Timestamp) -> Option<Decision> {
        let known = self.decided.guards.lock().get(&guard.id()).copied();
        known.filter(|known| known.from <= now && now < known.until)
    }

    fn decision(&self, guard: &Guard, shown: &Shown, now: Timestamp) -> Decision {
        if let Some(known) = self.known(guard, now) {
            return known;
        }
        let (until, refused) = match guard.check(&self.chain, shown, now) {
            Ok(until) => (until, None),
            Err(refused) => (now + REFUSED_FOR, Some(refused)),
        };
        let decision = Decision {
            from: now,
            until,
            refused,
        };
        let mut guards = self.decided.guards.lock();
        if guards.len() >= MOST_GUARDS {
            guards.clear();
        }
        guards.insert(guard.id(), decision);
        decision
    }
}

impl ClientCertificate {
    /// Reads a certificate, whoever issued it; `None` when it cannot be read or has not exactly one common name.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (rest, certificate) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut names = certificate.subject().iter_common_name();
        let (Some(name), None) = (names.next(), names.next()) else {
            return None;
        };
        let validity = certificate.validity();
        Some(Self {
            common_name: name.as_str().ok()?.to_owned(),
            not_before: Timestamp::from_second(validity.not_before.timestamp()).ok()?,
            not_after: Timestamp::from_second(validity.not_after.timestamp()).ok()?,
        })
    }

    /// Tells whether it has not run out: a connection may outlive its certificate.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        now <= self.not_after
    }
}
