//! Packages: one pass over primary, filelists and other at once (pulp2/rpm-sync#choosing-packages).
//!
//! The three documents list the same packages, nearly always in the same order, so they are joined in lockstep. Where
//! the order differs, what was passed over is kept in a temporary file until its package comes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use pith_content::Bent;
use pith_content::unit::Source;
use rpm_version::Evr;

use super::documents::Documents;
use super::feed::Feed;
use super::gate::{Gate, Inside};
use super::others::unless_empty;
use super::outbox::Outbox;
use super::spool::{Piece, Spool};
use crate::metadata::limits::{NAMES, Sum};
use crate::metadata::odd::Odd;
use crate::metadata::package_file::{IdStream, PKGID};
use crate::metadata::primary::{Package, PrimaryStream};
use crate::metadata::snippet::Packer;
use crate::metadata::{MetadataError, header};
use crate::modular::{Artifacts, IS_MODULAR};
use crate::type_ids::{RPM, SRPM};
use crate::units::{self, Snippets};

/// Most packages in one batch between the threads that read.
const BATCH: usize = 100;
/// A batch with so many bytes is full.
const BATCH_BYTES: usize = 1 << 20;
/// A snippet of so many bytes waits for room among the others that are.
const LARGE: usize = 1 << 20;
/// Bytes of large snippets of one document that wait for their packages; a larger one waits alone.
const WAITING: usize = 8 << 20;

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

/// Snippets by pkgid, and the room that they take while they wait.
struct Snippeted {
    snippets: Vec<(String, Bytes)>,
    room: Vec<Inside>,
}

type SideBatch = Result<Snippeted, MetadataError>;

/// Reads filelists or other on a thread of its own; without `path` there is nothing to read.
fn side_thread(
    path: Option<PathBuf>,
    root: &'static str,
    bent: Bent,
    documents: Documents,
) -> Receiver<SideBatch> {
    let (tx, rx) = sync_channel::<SideBatch>(4);
    let Some(path) = path else {
        return rx;
    };
    std::thread::spawn(move || {
        let opened = documents
            .open(&path)
            .and_then(|document| IdStream::open(document, root));
        let run = || match unless_empty(opened, root, &bent)? {
            Ok(stream) => side(stream.noting(&bent), root, &bent, &tx),
            Err(_) => Ok(()),
        };
        if let Err(error) = run() {
            // The other end hangs up when the sync ends early; nobody is left to tell.
            let _ = tx.send(Err(error));
        }
    });
    rx
}

/// Sends the snippets of a document in batches, until nobody takes them any more.
fn side(
    mut stream: IdStream<impl BufRead>,
    root: &str,
    bent: &Bent,
    tx: &SyncSender<SideBatch>,
) -> Result<(), MetadataError> {
    let gate = Gate::new(WAITING);
    let mut packer = Packer::new()?;
    let mut snippet = Vec::new();
    let mut batch = Vec::with_capacity(BATCH);
    let (mut room, mut bytes) = (Vec::new(), 0);
    let send = |batch: &mut Vec<_>, room: &mut Vec<_>| {
        let full = Snippeted {
            snippets: std::mem::replace(batch, Vec::with_capacity(BATCH)),
            room: std::mem::take(room),
        };
        tx.send(Ok(full)).is_ok()
    };
    loop {
        let pkgid = match stream.next(&mut snippet) {
            Ok(Some(pkgid)) => pkgid.to_owned(),
            Ok(None) => break,
            Err(error) if error.is_broken_text() => {
                Odd::new(bent).broken(&format!("{root} {error}"));
                break;
            }
            Err(error) => return Err(error),
        };
        if snippet.len() >= LARGE {
            // What is before it goes ahead, so that the other end has something to free.
            if !batch.is_empty() && !send(&mut batch, &mut room) {
                return Ok(());
            }
            room.push(gate.enter(snippet.len()));
            bytes = BATCH_BYTES;
        }
        let packed = packer.pack(&snippet)?;
        bytes += packed.len();
        batch.push((pkgid, packed));
        if batch.len() >= BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            if !send(&mut batch, &mut room) {
                return Ok(());
            }
        }
    }
    send(&mut batch, &mut room);
    Ok(())
}

/// Snippets that came before their package.
struct Spill {
    file: Spool,
    /// The pieces by the hash of the package's pkgid, with which each begins.
    index: HashMap<u64, Piece>,
}

impl Spill {
    /// Takes a snippet out.
    fn take(&mut self, id: u64, pkgid: &str) -> Result<Option<Bytes>, MetadataError> {
        let Some(piece) = self.index.remove(&id) else {
            return Ok(None);
        };
        Ok(Some(
            Bytes::from(self.file.get(piece)?).slice(pkgid.len() + 1..),
        ))
    }

    /// The pkgid of each package of which a snippet is left.
    fn each(&mut self, mut see: impl FnMut(&str)) -> Result<(), MetadataError> {
        for piece in self.index.values() {
            let head = self.file.first(*piece, 4 * PKGID + 1)?;
            let end = memchr::memchr(b'\n', &head).unwrap_or(head.len());
            see(&String::from_utf8_lossy(&head[..end]));
        }
        Ok(())
    }
}

/// One of the two documents that are joined to primary.
struct Side {
    rx: Receiver<SideBatch>,
    ready: VecDeque<(String, Bytes)>,
    /// The room of those that are ready.
    room: Vec<Inside>,
    spill: Option<Spill>,
    folder: PathBuf,
    root: &'static str,
    is_there: bool,
    bent: Bent,
}

/// The packages that primary has had so far, by hash of their pkgid.
#[derive(Default)]
struct Asked {
    state: RandomState,
    ids: HashSet<u64>,
    /// Those that were passed over for another build of the same package.
    passed: HashSet<u64>,
}

impl Asked {
    fn pass(&mut self, pkgid: &str) {
        self.passed.insert(self.state.hash_one(pkgid));
    }

    fn has_passed(&self, pkgid: &str) -> bool {
        self.passed.contains(&self.state.hash_one(pkgid))
    }

    fn insert(&mut self, pkgid: &str) {
        self.ids.insert(self.hash(pkgid));
    }

    fn hash(&self, pkgid: &str) -> u64 {
        self.state.hash_one(pkgid)
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
    /// Opens one of the two documents; `folder` is for what has to wait.
    fn new(
        path: Option<PathBuf>,
        folder: &Path,
        root: &'static str,
        (bent, documents): (&Bent, &Documents),
    ) -> Self {
        Self {
            is_there: path.is_some(),
            rx: side_thread(path, root, bent.clone(), documents.clone()),
            ready: VecDeque::new(),
            room: Vec::new(),
            spill: None,
            folder: folder.to_owned(),
            root,
            bent: bent.clone(),
        }
    }

    fn next(&mut self) -> Result<Option<(String, Bytes)>, MetadataError> {
        while self.ready.is_empty() {
            match self.rx.recv() {
                Ok(batch) => {
                    let batch = batch?;
                    self.ready.extend(batch.snippets);
                    self.room = batch.room;
                }
                Err(_) => return Ok(None),
            }
        }
        let next = self.ready.pop_front();
        if self.ready.is_empty() {
            self.room.clear();
        }
        Ok(next)
    }

    /// The snippet of a package. What comes again of packages that were `asked` for before is passed over.
    fn take(&mut self, pkgid: &str, asked: &Asked) -> Result<Option<Bytes>, MetadataError> {
        if let Some(spill) = &mut self.spill
            && let Some(snippet) = spill.take(asked.hash(pkgid), pkgid)?
        {
            return Ok(Some(snippet));
        }
        while let Some((id, snippet)) = self.next()? {
            if id == pkgid {
                return Ok(Some(snippet));
            }
            let known = self
                .spill
                .as_ref()
                .is_some_and(|s| s.index.contains_key(&asked.hash(&id)));
            if known || asked.has(&id) {
                self.again(&id);
            } else if !asked.has_passed(&id) {
                self.keep(asked.hash(&id), &id, &snippet)?;
            }
        }
        Ok(None)
    }

    /// Notes a package that this document should list and does not.
    fn lacks(&self, package: &Package) {
        if self.is_there {
            let sentence =
                "packages that filelists or other do not list were taken without files or changes";
            let document = if self.root == "filelists" {
                "filelists"
            } else {
                "other"
            };
            let name = format!("{} in {document}", package.nevra());
            self.bent.note("package_unlisted", sentence, name);
        }
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

    fn keep(&mut self, hash: u64, id: &str, snippet: &[u8]) -> Result<(), MetadataError> {
        let spill = match &mut self.spill {
            Some(spill) => spill,
            none => none.insert(Spill {
                file: Spool::new(&self.folder)?,
                index: HashMap::new(),
            }),
        };
        let piece = [id.as_bytes(), b"\n", snippet].concat();
        spill.index.insert(hash, spill.file.put(&piece)?);
        Ok(())
    }

    fn again(&self, pkgid: &str) {
        twice(&self.bent, &format!("{pkgid} in {}", self.root));
    }

    /// Notes the packages of this document that primary did not have.
    fn end(&mut self, asked: &Asked) -> Result<(), MetadataError> {
        let mut spilled = self.spill.take();
        let (root, bent) = (self.root, self.bent.clone());
        let extra = |id: &str| {
            if !asked.has(id) && !asked.has_passed(id) {
                let sentence = "packages that only filelists or other list were left out";
                let name = format!("{id} in {root}");
                bent.note("package_extra", sentence, name);
            }
        };
        if let Some(spilled) = &mut spilled {
            spilled.each(extra)?;
        }
        let is_spilled = |id: &str| {
            let spilled = spilled.as_ref();
            spilled.is_some_and(|spilled| spilled.index.contains_key(&asked.hash(id)))
        };
        while let Some((id, _)) = self.next()? {
            if asked.has(&id) {
                self.again(&id);
            } else if !is_spilled(&id) {
                extra(&id);
            }
        }
        Ok(())
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

/// The versions of one name and architecture, the newest first, each with the hash of its package.
type Versions = Vec<((Box<str>, Box<str>, Box<str>), u64)>;

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
    let mut names = Sum::new("bytes of the versions of all packages", NAMES);
    let mut stream = PrimaryStream::open(document)?;
    let mut snippet = Vec::new();
    while let Some(package) = stream.next(&mut snippet)? {
        let hash = nevra_hash(state, &package);
        if !listed.is_empty() && listed.contains(&package.nevra()) {
            modular.insert(hash);
            continue;
        }
        let name = state.hash_one((&package.name, &package.arch));
        let versions = by_name.entry(name).or_default();
        if versions.iter().any(|(_, known)| *known == hash) {
            continue;
        }
        let version = [package.epoch, package.version, package.release];
        names.add(version.iter().map(String::len).sum())?;
        let [epoch, version, release] = version.map(String::into_boxed_str);
        versions.push(((epoch, version, release), hash));
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

fn evr((epoch, version, release): &(Box<str>, Box<str>, Box<str>)) -> Evr<'_> {
    Evr::new(&**epoch, &**version, &**release)
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
