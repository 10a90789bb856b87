//! Packages: one pass over primary, filelists and other at once (reference: rpm §6.5).
//!
//! The three documents list the same packages, nearly always in the same order, so they are joined in lockstep. Where
//! the order differs, what was passed over is kept in a temporary file until its package comes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;
use pith_content::Bent;
use pith_content::unit::Source;
use rpm_version::Evr;

use super::feed::Feed;
use super::outbox::Outbox;
use super::spool::{Piece, Spool};
use crate::metadata::package_file::IdStream;
use crate::metadata::primary::{Package, PrimaryStream};
use crate::metadata::snippet::Packer;
use crate::metadata::{MetadataError, compression, header};
use crate::modular::{Artifacts, IS_MODULAR};
use crate::types::{RPM, SRPM};
use crate::units::{self, Snippets};

/// Packages in one batch between the threads that read.
const BATCH: usize = 100;

/// What is wanted of the packages upstream has.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Whether binary packages are wanted.
    pub rpm: bool,
    /// Whether source packages are wanted.
    pub srpm: bool,
    /// How many old versions beside the newest.
    pub retain_old: Option<usize>,
    /// Packages that modules list, as `name-epoch:version-release.arch`.
    pub artifacts: Artifacts,
}

/// The three documents, downloaded.
pub struct Files {
    /// primary.
    pub primary: PathBuf,
    /// filelists.
    pub filelists: PathBuf,
    /// other.
    pub other: PathBuf,
}

/// An error with the document it is about.
pub type Located = (&'static str, MetadataError);

/// Opens a downloaded document.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path) -> Result<Box<dyn std::io::BufRead + Send>, MetadataError> {
    Ok(compression::open(
        File::open(path)?,
        compression::MAX_OPEN_SIZE,
    )?)
}

type SideBatch = Result<Vec<(String, Bytes)>, MetadataError>;

/// Reads filelists or other on a thread of its own.
fn side_thread(path: PathBuf, root: &'static str, bent: Bent) -> Receiver<SideBatch> {
    let (tx, rx) = sync_channel::<SideBatch>(4);
    std::thread::spawn(move || {
        let run = || -> Result<(), MetadataError> {
            let mut stream = IdStream::open(open(&path)?, root)?.noting(&bent);
            let mut packer = Packer::new()?;
            let mut snippet = Vec::new();
            let mut batch = Vec::with_capacity(BATCH);
            while let Some(pkgid) = stream.next(&mut snippet)? {
                let pkgid = pkgid.to_owned();
                batch.push((pkgid, packer.pack(&snippet)?));
                if batch.len() >= BATCH && tx.send(Ok(std::mem::take(&mut batch))).is_err() {
                    return Ok(());
                }
            }
            // The other end hangs up when the sync ends early; nobody is left to tell.
            let _ = tx.send(Ok(batch));
            Ok(())
        };
        if let Err(error) = run() {
            let _ = tx.send(Err(error));
        }
    });
    rx
}

/// Snippets that came before their package.
struct Spill {
    file: Spool,
    index: HashMap<String, Piece>,
}

/// One of the two documents that are joined to primary.
struct Side {
    rx: Receiver<SideBatch>,
    ready: VecDeque<(String, Bytes)>,
    spill: Option<Spill>,
    folder: PathBuf,
    root: &'static str,
    bent: Bent,
}

/// The packages that primary has had so far, by hash of their pkgid.
#[derive(Default)]
struct Asked {
    state: RandomState,
    ids: HashSet<u64>,
}

impl Asked {
    fn insert(&mut self, pkgid: &str) {
        self.ids.insert(self.state.hash_one(pkgid));
    }

    fn has(&self, pkgid: &str) -> bool {
        self.ids.contains(&self.state.hash_one(pkgid))
    }
}

/// Notes a package that a document lists more than once.
fn twice(bent: &Bent, what: &str) {
    bent.note(
        "package_twice",
        "packages that are listed more than once were taken once, as they were listed first",
        what,
    );
}

impl Side {
    fn new(path: PathBuf, root: &'static str, bent: &Bent) -> Self {
        let folder = path.parent().map(PathBuf::from).unwrap_or_default();
        Self {
            rx: side_thread(path, root, bent.clone()),
            ready: VecDeque::new(),
            spill: None,
            folder,
            root,
            bent: bent.clone(),
        }
    }

    fn next(&mut self) -> Result<Option<(String, Bytes)>, MetadataError> {
        while self.ready.is_empty() {
            match self.rx.recv() {
                Ok(batch) => self.ready.extend(batch?),
                Err(_) => return Ok(None),
            }
        }
        Ok(self.ready.pop_front())
    }

    /// The snippet of a package. What comes again of packages that were `asked` for before is passed over.
    fn take(&mut self, pkgid: &str, asked: &Asked) -> Result<Option<Bytes>, MetadataError> {
        if let Some(spill) = &mut self.spill
            && let Some(piece) = spill.index.remove(pkgid)
        {
            return Ok(Some(spill.file.get(piece)?.into()));
        }
        while let Some((id, snippet)) = self.next()? {
            if id == pkgid {
                return Ok(Some(snippet));
            }
            let known = self
                .spill
                .as_ref()
                .is_some_and(|s| s.index.contains_key(&id));
            if known || asked.has(&id) {
                self.again(&id);
            } else {
                self.keep(id, &snippet)?;
            }
        }
        Ok(None)
    }

    /// Passes over the snippet of a package that is not wanted, when it is next.
    fn skip(&mut self, pkgid: &str) -> Result<(), MetadataError> {
        if let Some((id, snippet)) = self.next()?
            && id != pkgid
        {
            self.ready.push_front((id, snippet));
        }
        Ok(())
    }

    fn keep(&mut self, id: String, snippet: &[u8]) -> Result<(), MetadataError> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill {
                file: Spool::new(&self.folder)?,
                index: HashMap::new(),
            }),
        };
        spill.index.insert(id, spill.file.put(snippet)?);
        Ok(())
    }

    fn again(&self, pkgid: &str) {
        twice(&self.bent, &format!("{pkgid} in {}", self.root));
    }

    /// How many packages of this document primary did not have.
    fn left(&mut self, asked: &Asked) -> Result<usize, MetadataError> {
        let spilled = self
            .spill
            .take()
            .map(|spill| spill.index)
            .unwrap_or_default();
        let mut left = spilled.keys().filter(|id| !asked.has(id)).count();
        while let Some((id, _)) = self.next()? {
            if asked.has(&id) {
                self.again(&id);
            } else if !spilled.contains_key(&id) {
                left += 1;
            }
        }
        Ok(left)
    }
}

fn nevra_hash(state: &RandomState, package: &Package) -> u64 {
    state.hash_one((
        &package.name,
        &package.epoch,
        &package.version,
        &package.release,
        &package.arch,
    ))
}

/// Which packages are wanted for being among the newest of their name and architecture, or because a module lists them: a
/// pass over primary alone.
fn newest(
    path: &Path,
    keep: usize,
    listed: &Artifacts,
    state: &RandomState,
) -> Result<HashSet<u64>, MetadataError> {
    type Versions = Vec<((String, String, String), u64)>;
    let mut by_name: HashMap<(String, String), Versions> = HashMap::new();
    let mut modular: HashSet<u64> = HashSet::new();
    let mut stream = PrimaryStream::open(open(path)?)?;
    let mut snippet = Vec::new();
    while let Some(package) = stream.next(&mut snippet)? {
        let hash = nevra_hash(state, &package);
        if !listed.is_empty() && listed.contains(&package.nevra()) {
            modular.insert(hash);
            continue;
        }
        let versions = by_name.entry((package.name, package.arch)).or_default();
        if versions.iter().any(|(_, known)| *known == hash) {
            continue;
        }
        versions.push(((package.epoch, package.version, package.release), hash));
        versions.sort_by(|(a, _), (b, _)| evr(b).cmp(&evr(a)));
        versions.truncate(keep);
    }
    Ok(by_name
        .into_values()
        .flatten()
        .map(|(_, hash)| hash)
        .chain(modular)
        .collect())
}

fn evr((epoch, version, release): &(String, String, String)) -> Evr<'_> {
    Evr::new(epoch.as_str(), version.as_str(), release.as_str())
}

/// Reads the three documents and hands over every wanted package.
///
/// # Errors
/// Which document is broken, and how; or that they do not list the same packages.
pub fn read(
    files: &Files,
    feed: &Feed,
    wanted: &Wanted,
    outbox: &mut Outbox,
) -> Result<(), Located> {
    let bent = outbox.bent().clone();
    let primary = |e| ("primary", e);
    let state = RandomState::new();
    let newest = wanted
        .retain_old
        .map(|old| newest(&files.primary, old + 1, &wanted.artifacts, &state))
        .transpose()
        .map_err(primary)?;
    let mut filelists = Side::new(files.filelists.clone(), "filelists", &bent);
    let mut other = Side::new(files.other.clone(), "otherdata", &bent);
    let mut stream = open(&files.primary)
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
            // Of two packages with the same name and version the first wins (reference: rpm §6.5).
            twice(&bent, &format!("{} in primary", package.nevra()));
            asked.insert(&pkgid);
            filelists.skip(&pkgid).map_err(|e| ("filelists", e))?;
            other.skip(&pkgid).map_err(|e| ("other", e))?;
            continue;
        }
        let lists = filelists
            .take(&pkgid, &asked)
            .map_err(|e| ("filelists", e))?;
        let changes = other.take(&pkgid, &asked).map_err(|e| ("other", e))?;
        asked.insert(&pkgid);
        let (Some(filelists), Some(other)) = (lists, changes) else {
            return Err(("", MetadataError::structure(MISSING)));
        };
        if chosen {
            let snippets = Snippets {
                primary: packer.pack(&snippet).map_err(|e| primary(e.into()))?,
                filelists,
                other,
            };
            outbox
                .push(unit(&package, snippets, feed, wanted))
                .map_err(primary)?;
        }
    }
    let left = (
        filelists.left(&asked).map_err(|e| ("filelists", e))?,
        other.left(&asked).map_err(|e| ("other", e))?,
    );
    if left != (0, 0) {
        let text = if left.0 == left.1 { MISSING } else { DIFFERENT };
        return Err(("", MetadataError::structure(text)));
    }
    Ok(())
}

const MISSING: &str = "metadata is missing for some packages in filelists.xml and in other.xml";
const DIFFERENT: &str =
    "metadata is specified for different set of packages in filelists.xml and in other.xml";

fn unit(
    package: &Package,
    snippets: Snippets,
    feed: &Feed,
    wanted: &Wanted,
) -> pith_content::unit::WantedUnit {
    feed.note_outside(package);
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
