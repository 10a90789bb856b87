//! Lists of what authorities have revoked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256, digest};
use parking_lot::Mutex;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;
use webpki::{BorrowedCertRevocationList, CertRevocationList};

use super::signed::is_signed_by;
use super::{GuardId, identity, unreadable};
use crate::TrustError;

/// Keys for which a list remembers whether it is theirs.
const MOST_KEYS: usize = 64;

/// Lists of revoked certificates, read once however many guards ask them. Each counts for the authority whose key signed it.
#[derive(Debug, Default, Clone)]
pub struct RevocationLists(Arc<Lists>);

#[derive(Debug, Default)]
struct Lists {
    id: GuardId,
    /// The lists by the name of those who are said to have signed them.
    by_issuer: HashMap<Box<[u8]>, Vec<List>>,
    bytes: usize,
}

/// One list.
#[derive(Debug)]
struct List {
    der: CertificateRevocationListDer<'static>,
    /// The serial numbers that it revokes, sorted.
    serials: Box<[Box<[u8]>]>,
    /// The keys that were tried, by their digests.
    signers: Mutex<HashMap<GuardId, bool>>,
}

impl RevocationLists {
    /// Those that stand in a text in PEM form, between whatever else.
    ///
    /// # Errors
    /// When one cannot be read, or is of a kind that guards do not understand.
    pub fn from_pem(text: &str) -> Result<Self, TrustError> {
        Self::at_most(usize::MAX, text)
    }

    /// The same, when there are no more than so many.
    pub(super) fn at_most(most: usize, text: &str) -> Result<Self, TrustError> {
        let mut lists = Lists::default();
        let mut known = HashSet::new();
        let mut context = Context::new(&SHA256);
        let found = CertificateRevocationListDer::pem_slice_iter(text.as_bytes());
        for (number, der) in found.enumerate() {
            if number >= most {
                return Err(TrustError::Unreadable(format!(
                    "it holds more than {most} revocation lists; give the newest of each authority"
                )));
            }
            let der = der.map_err(|error| unreadable("a revocation list", error))?;
            let identity = sha256(&der);
            if known.insert(identity) {
                context.update(&identity);
                lists.add(der)?;
            }
        }
        lists.id = identity(context);
        Ok(Self(Arc::new(lists)))
    }

    /// Tells whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.by_issuer.is_empty()
    }

    pub(super) fn id(&self) -> GuardId {
        self.0.id
    }

    /// Memory that they take, more or less.
    pub(super) fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// Tells whether one of them that the holder of this name and key signed has the serial number. What is in none costs no
    /// signature.
    pub(super) fn revoke(&self, issuer: &[u8], public_key: &[u8], serial: &[u8]) -> bool {
        let lists = self.0.by_issuer.get(issuer);
        lists
            .into_iter()
            .flatten()
            .any(|list| list.has(serial) && list.is_signed_by(public_key))
    }

    /// Refuses them when `is_known` does for one: it is given the name in a list, and a test for the keys that may have signed it.
    pub(super) fn require_signed<'a>(
        &'a self,
        mut is_known: impl FnMut(&'a [u8], &mut dyn FnMut(&[u8]) -> bool) -> Result<bool, TrustError>,
    ) -> Result<(), TrustError> {
        for (issuer, lists) in &self.0.by_issuer {
            for list in lists {
                if !is_known(issuer, &mut |public_key| list.is_signed_by(public_key))? {
                    return Err(TrustError::Unreadable(
                        "a revocation list is not signed by the authority that it names; give the list of that key".to_owned(),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Lists {
    fn add(&mut self, der: CertificateRevocationListDer<'static>) -> Result<(), TrustError> {
        let wrong = |error: webpki::Error| {
            let hint = "give whole lists of version 2 with extensions (crl_extensions in openssl's configuration), for all certificates and reasons";
            unreadable("a revocation list", format!("{error}; {hint}"))
        };
        let read = BorrowedCertRevocationList::from_der(&der).map_err(wrong)?;
        let mut serials: Vec<Box<[u8]>> = Vec::new();
        for revoked in &read {
            serials.push(revoked.map_err(wrong)?.serial_number.into());
        }
        serials.sort_unstable();
        let issuer: Box<[u8]> = CertRevocationList::from(read).issuer().into();
        let each = |serial: &[u8]| size_of::<Box<[u8]>>() + serial.len().max(32);
        self.bytes += der.len() + serials.iter().map(|serial| each(serial)).sum::<usize>();
        self.by_issuer.entry(issuer).or_default().push(List {
            der,
            serials: serials.into(),
            signers: Mutex::default(),
        });
        Ok(())
    }
}

impl List {
    fn has(&self, serial: &[u8]) -> bool {
        let place = self.serials.binary_search_by(|known| (**known).cmp(serial));
        place.is_ok()
    }

    fn is_signed_by(&self, public_key: &[u8]) -> bool {
        let key = sha256(public_key);
        if let Some(known) = self.signers.lock().get(&key) {
            return *known;
        }
        let is_theirs = is_signed_by(&self.der, public_key);
        let mut signers = self.signers.lock();
        if signers.len() >= MOST_KEYS {
            signers.clear();
        }
        signers.insert(key, is_theirs);
        is_theirs
    }
}

fn sha256(bytes: &[u8]) -> GuardId {
    let mut id = [0; 32];
    id.copy_from_slice(digest(&SHA256, bytes).as_ref());
    id
}
