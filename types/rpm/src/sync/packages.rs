//! Packages: one pass over primary, filelists and other at once (pulp2/rpm-sync#choosing-packages).
//!
//! The three documents list the same packages, nearly always in the same order, so they are joined in lockstep. Where
//! the order differs, what was passed over is kept in a temporary file until its package comes.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use pith_content::unit::Source;
use rpm_version::Evr;

use super::feed::Feed;
use super::outbox::Outbox;
use super::side::{Asked, Side, twice};
use crate::metadata::limits::{NAMES, Sum};
use crate::metadata::primary::{Package, PrimaryStream};
use crate::metadata::snippet::Packer;
use crate::metadata::{MetadataError, header};
use crate::modular::{Artifacts, IS_MODULAR};
use crate::type_ids::{RPM, SRPM};
use crate::units::{self, Snippets};

/// The documents that are wanted of the packages upstream has.
#[derive(Debug, Clone, Default)]
pub struct WantedPackages {
    /// Is true when binary packages are wanted.
    pub rpm: bool,
    /// Is true when source packages are wanted.
    pub srpm: bool,
    /// The number of old versions kept beside the newest.
    pub retain_old: Option<usize>,
    /// Packages that modules list, as `name-epoch:version-release.arch`.
    pub artifacts: Artifacts,
}

/// The three documents, downloaded. Clients do without the last two, so do we.
pub struct Files {
    /// primary.
    pub primary: PathBuf,
    /// filelists.
    pub filelists: Option<PathBuf>,
    /// other.
    pub other: Option<PathBuf>,
}

/// An error with the document it is about.
pub type Located = (&'static str, MetadataError);

fn nevra_hash(state: &RandomState, package: &Package) -> u64 {
    state.hash_one((
        &package.name,
        &package.epoch,
        &package.version,
        &package.release,
        &package.arch,
    ))
}

/// Epoch, version and release, ordered as versions are, the newest first.
struct Version(Box<str>, Box<str>, Box<str>);

impl Version {
    fn evr(&self) -> Evr<'_> {
        Evr::new(&*self.0, &*self.1, &*self.2)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        other.evr().cmp(&self.evr())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

/// The hashes of the packages of one name and architecture, by version; those of equal versions as they come.
type Versions = BTreeMap<(Version, usize), u64>;

/// Returns which packages are wanted for being among the newest of their name and architecture, or because a module lists them: a
/// pass over primary alone.
fn newest(
    document: impl BufRead,
    keep: usize,
    listed: &Artifacts,
    state: &RandomState,
) -> Result<HashSet<u64>, MetadataError> {
    let mut by_name: HashMap<u64, Versions> = HashMap::new();
    let mut modular: HashSet<u64> = HashSet::new();
    let mut known: HashSet<u64> = HashSet::new();
    let mut names = Sum::new("bytes of the versions of all packages", NAMES);
    let mut stream = PrimaryStream::open(document)?;
    let mut snippet = Vec::new();
    while let Some(package) = stream.next(&mut snippet)? {
        let hash = nevra_hash(state, &package);
        if !listed.is_empty() && listed.contains(&package.nevra()) {
            modular.insert(hash);
            continue;
        }
        if !known.insert(hash) {
            continue;
        }
        let name = state.hash_one((&package.name, &package.arch));
        let versions = by_name.entry(name).or_default();
        let version = [package.epoch, package.version, package.release];
        names.add(version.iter().map(String::len).sum())?;
        let [epoch, version, release] = version.map(String::into_boxed_str);
        versions.insert((Version(epoch, version, release), known.len()), hash);
        if versions.len() > keep {
            versions.pop_last();
        }
    }
    Ok(by_name
        .into_values()
        .flat_map(BTreeMap::into_values)
        .chain(modular)
        .collect())
}

/// Reads the three documents and hands over every wanted package; answers how many primary lists that cannot be used.
///
/// # Errors
/// Which document is broken, and how.
pub fn read(
    files: &Files,
    feed: &Feed,
    wanted: &WantedPackages,
    outbox: &mut Outbox,
) -> Result<u64, Located> {
    let (bent, documents) = (outbox.bent().clone(), outbox.documents());
    let primary = |e| ("primary", e);
    let state = RandomState::new();
    let newest = wanted
        .retain_old
        .map(|old| {
            let document = documents.open(&files.primary)?;
            newest(document, old + 1, &wanted.artifacts, &state)
        })
        .transpose()
        .map_err(primary)?;
    let folder = files.primary.parent().unwrap_or(Path::new("."));
    let of = (&bent, &documents);
    let mut filelists = Side::new(files.filelists.clone(), folder, "filelists", of);
    let mut other = Side::new(files.other.clone(), folder, "otherdata", of);
    let mut stream = documents
        .open(&files.primary)
        .and_then(PrimaryStream::open)
        .map_err(primary)?
        .noting(&bent);
    let mut packer = Packer::new().map_err(|e| primary(e.into()))?;
    let mut seen = HashSet::new();
    let mut asked = Asked::default();
    let mut snippet = Vec::new();
    while let Some(package) = stream.next(&mut snippet).map_err(primary)? {
        let pkgid = package.digest.as_ref().map_or("", |d| d.hex()).to_owned();
        let hash = nevra_hash(&state, &package);
        let chosen = match units::package_type(&package) {
            SRPM => wanted.srpm,
            _ => wanted.rpm,
        } && newest.as_ref().is_none_or(|n| n.contains(&hash));
        if !seen.insert(hash) {
            // Of two packages with the same name and version the first wins (pulp2/rpm-sync#choosing-packages).
            if asked.has(&pkgid) {
                twice(&bent, &format!("{} in primary", package.nevra()));
            } else {
                let sentence = "of several files of one package, the same in name, version and architecture, the first was taken";
                bent.note(
                    "package_builds",
                    sentence,
                    format!("{} {pkgid}", package.nevra()),
                );
                asked.pass(&pkgid);
            }
            filelists.skip(&pkgid).map_err(|e| ("filelists", e))?;
            other.skip(&pkgid).map_err(|e| ("other", e))?;
            continue;
        }
        let lists = filelists
            .take(&pkgid, &asked)
            .map_err(|e| ("filelists", e))?;
        let changes = other.take(&pkgid, &asked).map_err(|e| ("other", e))?;
        asked.insert(&pkgid);
        if chosen {
            if lists.is_none() {
                filelists.lacks(&package);
            }
            if changes.is_none() {
                other.lacks(&package);
            }
            let snippets = Snippets {
                primary: packer.pack(&snippet).map_err(|e| primary(e.into()))?,
                filelists: lists,
                other: changes,
            };
            outbox
                .push(unit(&package, snippets, feed, wanted))
                .map_err(primary)?;
        }
    }
    filelists.end(&asked).map_err(|e| ("filelists", e))?;
    other.end(&asked).map_err(|e| ("other", e))?;
    Ok(stream.left_out())
}

fn unit(
    package: &Package,
    snippets: Snippets,
    feed: &Feed,
    wanted: &WantedPackages,
) -> pith_content::unit::WantedUnit {
    feed.note_location(package);
    let head = package
        .header_range
        .and_then(|(_, end)| usize::try_from(end).ok())
        .map_or(header::DEFAULT_HEAD, |end| end.min(header::MAX_HEAD));
    let source = Source::Download {
        urls: feed.urls(package.base.as_deref(), package.location()),
        size: package.size,
        digests: package.digest.iter().cloned().collect(),
        head,
    };
    let mut unit = units::package(package, snippets, source);
    if unit.type_id == RPM
        && !wanted.artifacts.is_empty()
        && wanted.artifacts.contains(&package.nevra())
    {
        unit.doc.insert(IS_MODULAR.to_owned(), true.into());
    }
    unit
}
