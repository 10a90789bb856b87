//! The entitlement in a client's certificate (pulp2/serving#entitlements).

use std::collections::HashMap;

use parking_lot::Mutex;
use x509_parser::asn1_rs::{Any, OctetString, Oid, Tag};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::paths::PathGraph;
use super::payload;

/// The place of all that is told here.
const NAMESPACE: [u64; 8] = [1, 3, 6, 1, 4, 1, 2312, 9];
/// The place of the certificate's version, below the namespace.
const VERSION: &[u64] = &[6];
/// The place of the payload of certificates of version 3, below the namespace.
const PAYLOAD: &[u64] = &[7];

/// Mounts of which a connection remembers whether they are open.
const MOST_MOUNTS: usize = 1024;

/// The paths that a certificate opens, once its chain is checked.
#[derive(Debug)]
pub struct Entitlement {
    paths: PathGraph,
    /// The mounts that were asked about, and whether they are open as a whole.
    mounts: Mutex<HashMap<Box<str>, bool>>,
}

impl Entitlement {
    fn new(paths: PathGraph) -> Self {
        Self {
            paths,
            mounts: Mutex::default(),
        }
    }

    /// Reads it from a certificate; `None` when there is none in it that can be read.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut version = None;
        let mut payload = None;
        let mut paths = Vec::new();
        for extension in certificate.extensions() {
            let Some(below) = below_namespace(&extension.oid) else {
                continue;
            };
            match below.as_slice() {
                VERSION => version = Some(text(extension.value)?),
                PAYLOAD => payload = Some(extension.value),
                // Of a content set the sixth value, the path. One without, such as of containers, opens nothing here.
                [2, _, 1, 6] => paths.extend(text(extension.value).filter(|path| !path.is_empty())),
                _ => {}
            }
        }
        let major = version.map_or("1", |version| {
            version.split_once('.').map_or(version, |(major, _)| major)
        });
        match major {
            "1" => Some(Self::new(PathGraph::of_paths(paths))),
            "3" => {
                let (rest, payload) = OctetString::from_der(payload?).ok()?;
                let graph = payload::decode(payload.as_cow())?;
                rest.is_empty().then(|| Self::new(graph))
            }
            _ => None,
        }
    }

    /// Tells whether it opens `path`: relative to where the server's content begins, without slashes at its ends.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        self.paths.covers(path)
    }

    /// The same for a path that is `mount` or below it: what is open as a whole is looked up once.
    #[must_use]
    pub fn covers_in(&self, mount: &str, path: &str) -> bool {
        let known = self.mounts.lock().get(mount).copied();
        let is_open = known.unwrap_or_else(|| {
            let is_open = self.covers(mount);
            let mut mounts = self.mounts.lock();
            if mounts.len() >= MOST_MOUNTS {
                mounts.clear();
            }
            mounts.insert(mount.into(), is_open);
            is_open
        });
        is_open || mount != path && self.covers(path)
    }
}

/// The numbers of an identifier below [`NAMESPACE`].
fn below_namespace(oid: &Oid<'_>) -> Option<Vec<u64>> {
    let numbers: Vec<u64> = oid.iter()?.collect();
    numbers.strip_prefix(&NAMESPACE).map(<[u64]>::to_vec)
}

/// The text of an extension that is one.
fn text(value: &[u8]) -> Option<&str> {
    let (rest, any) = Any::from_der(value).ok()?;
    let is_text = matches!(
        any.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    if !is_text || !rest.is_empty() {
        return None;
    }
    std::str::from_utf8(any.data).ok()
}
