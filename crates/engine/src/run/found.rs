//! Units that are known already: which of those with one key serves a wanted unit, by itself or by its file.

use pith_content::UnitType;
use pith_content::unit::{Source, WantedUnit};
use pith_core::{Digest, Sha256};
use pith_store::KnownUnit;
use serde_json::Value;

use super::moving::{Moving, Policy};
use crate::upstream::own_site;

/// Picks from the known units of one key the one of which the same is said, if the repository has it or it comes from the same site;
/// and tells the site of the unit that the repository is to have.
pub(super) fn same<'a>(
    known: &'a [KnownUnit],
    (said, site): (Sha256, Sha256),
    repo: &str,
) -> (Option<&'a KnownUnit>, Sha256) {
    let mut units = known.iter();
    let own_file = units.find(|known| known.own && known.downloaded && known.blob.is_some());
    let same = || known.iter().filter(|known| known.said == said);
    let of_site =
        || same().find(|same| same.site == site && (same.downloaded || own_file.is_none()));
    let found = same().find(|same| same.own).or_else(of_site);
    // A file that the repository has stays its own.
    let from_elsewhere = own_file.filter(|own| own.site != site);
    (found, from_elsewhere.map_or(site, |_| own_site(repo)))
}

/// Tells whether a promised digest of the file is in the key of the unit.
pub(super) fn is_keyed_by_file(kind: &UnitType, unit: &WantedUnit) -> bool {
    let Some(Source::Download { digests, .. }) = &unit.source else {
        return false;
    };
    let value = |name: &str| unit.doc.get(name).and_then(Value::as_str);
    let mut values = kind.key.iter().filter_map(|field| value(field.name));
    values.any(|value| digests.iter().any(|digest| digest.hex() == value))
}

/// A known unit that serves a wanted one, by itself or by its file.
pub(super) struct Found {
    /// The unit that serves as it is, or one of the same key whose file serves.
    pub(super) unit: KnownUnit,
    /// Is true when the unit serves as it is.
    pub(super) serves: bool,
}

impl Found {
    /// Looks through the units of the same key, of which one, `same`, is said the same of. `None` when neither a unit nor a
    /// file serves.
    pub(super) fn of(
        moving: &Moving,
        same: Option<&KnownUnit>,
        known: &[KnownUnit],
        policy: Policy,
    ) -> Option<Self> {
        let source = moving.unit.source.as_ref();
        let serves = same.filter(|same| match source {
            Some(Source::Download { .. }) => same.downloaded || policy == Policy::Deferred,
            Some(Source::Blob { sha256, .. }) => same.downloaded && same.blob == Some(*sha256),
            None => true,
        });
        let unit = match source {
            Some(Source::Download { digests, size, .. }) => serves.or_else(|| {
                let is_promised = |blob: Sha256| {
                    let mut sha256 = digests.iter().filter_map(Digest::as_sha256);
                    sha256
                        .next()
                        .map_or(moving.is_keyed_by_file, |one| one == blob)
                };
                let size = size.and_then(|size| i64::try_from(size).ok());
                let has_file = |known: &&KnownUnit| {
                    let fits = size.is_none_or(|size| known.size == Some(size));
                    known.downloaded && fits && known.blob.is_some_and(is_promised)
                };
                // To know the digest of what others have is not to have it.
                let is_ours = |known: &&KnownUnit| known.own || known.site == moving.site;
                known.iter().filter(is_ours).find(has_file)
            }),
            _ => serves,
        };
        Some(Self {
            unit: unit?.clone(),
            serves: serves.is_some(),
        })
    }
}

/// Takes the file of a known unit instead of downloading it again.
pub(super) fn with_file_of(unit: &mut WantedUnit, known: &KnownUnit) {
    let size = known.size.and_then(|size| u64::try_from(size).ok());
    let file = known.blob.filter(|_| known.downloaded).zip(size);
    if let (Some((sha256, size)), Some(Source::Download { .. })) = (file, &unit.source) {
        unit.source = Some(Source::Blob { sha256, size });
    }
}
