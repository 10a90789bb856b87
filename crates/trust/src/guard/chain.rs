//! The way from a client's certificate to an authority.

use std::cell::Cell;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{Cert, EndEntityCert, Error, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use super::Guard;
use super::certificate::Certificate;
use super::signed::ALGORITHMS;

/// Signatures that are checked for one client, all ways together. A chain has a few; where several authorities share a name, each
/// may be tried.
const MOST_SIGNATURES: usize = 48;
/// Authorities between a client and the one at the top.
const MOST_BETWEEN: usize = 6;

/// A search for a way. Each step is proved by a signature, so an equal name alone leads nowhere; every way that is found is
/// checked as a whole by webpki.
pub(super) struct Search<'a> {
    guard: &'a Guard,
    sent: &'a [Certificate],
    at: i64,
    time: UnixTime,
    signatures_left: Cell<usize>,
}

impl<'a> Search<'a> {
    /// A search among what the guard trusts, and what the client sent beside its own certificate. `None` before 1970.
    pub(super) fn new(guard: &'a Guard, sent: &'a [Certificate], at: i64) -> Option<Self> {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).ok()?));
        Some(Self {
            guard,
            sent,
            at,
            time,
            signatures_left: Cell::new(MOST_SIGNATURES),
        })
    }

    /// Tells whether a way leads from the client's own certificate to an authority.
    pub(super) fn finds_from(&self, own: &'a Certificate) -> bool {
        self.climbs(&mut vec![own])
    }

    fn climbs(&self, path: &mut Vec<&'a Certificate>) -> bool {
        let Some(&last) = path.last() else {
            return false;
        };
        let trusted = &self.guard.trusted;
        let arrives = |anchor: &&Certificate| self.proves(last, anchor) && self.holds(path, anchor);
        if trusted.anchors.iter().any(|anchor| arrives(&anchor)) {
            return true;
        }
        if path.len() > MOST_BETWEEN {
            return false;
        }
        for next in self.sent.iter().chain(&trusted.between) {
            let is_new = !path.iter().any(|other| other.is_same_holder(next));
            if is_new && next.may_sign && self.proves(last, next) {
                path.push(next);
                if self.climbs(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    fn proves(&self, below: &Certificate, above: &Certificate) -> bool {
        below.names(above) && above.counts(self.at) && self.spends(1) && below.is_signed_by(above)
    }

    fn spends(&self, signatures: usize) -> bool {
        let left = self.signatures_left.get().checked_sub(signatures);
        self.signatures_left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Tells whether all that RFC 5280 asks holds of a way.
    fn holds(&self, path: &[&Certificate], anchor: &Certificate) -> bool {
        let Some((own, between)) = path.split_first().filter(|_| self.spends(path.len())) else {
            return false;
        };
        let (Ok(own), Ok(top)) = (
            EndEntityCert::try_from(&own.der),
            anchor_from_trusted_cert(&anchor.der),
        ) else {
            return false;
        };
        let between: Vec<CertificateDer<'_>> = between
            .iter()
            .map(|between| CertificateDer::from(between.der.as_ref()))
            .collect();
        let top = [top];
        let is_allowed = |path: &VerifiedPath<'_>| self.allows(path, anchor);
        let checked = own.verify_for_usage(
            ALGORITHMS.all,
            &top,
            &between,
            self.time,
            KeyUsage::client_auth(),
            None,
            Some(&is_allowed),
        );
        checked.is_ok()
    }

    /// Refuses a way that is longer than the authority at its top allows, or of which something is revoked.
    fn allows(&self, path: &VerifiedPath<'_>, anchor: &Certificate) -> Result<(), Error> {
        let between = || path.intermediate_certificates();
        let most = anchor
            .longest_path
            .map(usize::try_from)
            .and_then(Result::ok);
        if most.is_some_and(|most| between().count() > most) {
            return Err(Error::PathLenConstraintViolated);
        }
        let certificates = std::iter::once::<&Cert<'_>>(path.end_entity()).chain(between());
        let keys = between().map(|above| above.subject_public_key_info().to_vec());
        let keys = keys.chain(std::iter::once(anchor.public_key.to_vec()));
        for (certificate, key) in certificates.zip(keys) {
            if self.guard.revokes(certificate, &key) {
                return Err(Error::CertRevoked);
            }
        }
        Ok(())
    }
}
