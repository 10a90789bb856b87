//! The certificates that a TLS client showed.

use std::sync::Arc;

use pith_core::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A client certificate whose chain leads to the authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// `CN` of the subject.
    pub common_name: String,
    /// From when on it counts.
    pub not_before: Timestamp,
    /// Until when it counts.
    pub not_after: Timestamp,
}

/// The certificates that the client of a connection proved to have the key of. The server puts this into the extensions
/// of every request of such a connection.
#[derive(Debug, Clone)]
pub struct PeerCertificate {
    /// The client's own certificate first, then what it sent along, DER.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Its content, if the authority has issued it; `None` for any other certificate, which proves nothing here.
    pub trusted: Option<Arc<ClientCertificate>>,
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
