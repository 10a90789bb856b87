//! filelists and other, as they are joined to primary: read ahead on a thread each, and kept in a temporary file where their order is
//! another one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use pith_content::Bent;

use super::documents::Documents;
use super::gate::{Gate, Inside};
use super::others::unless_empty;
use super::spool::{Piece, Spool};
use crate::metadata::MetadataError;
use crate::metadata::odd::Odd;
use crate::metadata::package_file::{IdStream, PKGID};
use crate::metadata::primary::Package;
use crate::metadata::snippet::Packer;

/// Most packages in one batch between the threads that read.
const BATCH: usize = 100;
/// A batch with so many bytes is full.
const BATCH_BYTES: usize = 1 << 20;
/// A snippet of so many bytes waits for room among the others that are.
const LARGE: usize = 1 << 20;
/// Bytes of large snippets of one document that wait for their packages; a larger one waits alone.
const WAITING: usize = 8 << 20;

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
pub(super) struct Side {
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
pub(super) struct Asked {
    state: RandomState,
    ids: HashSet<u64>,
    /// Those that were passed over for another build of the same package.
    passed: HashSet<u64>,
}

impl Asked {
    /// Notes a package that was passed over.
    pub(super) fn pass(&mut self, pkgid: &str) {
        self.passed.insert(self.state.hash_one(pkgid));
    }

    fn has_passed(&self, pkgid: &str) -> bool {
        self.passed.contains(&self.state.hash_one(pkgid))
    }

    /// Notes a package that primary has.
    pub(super) fn insert(&mut self, pkgid: &str) {
        self.ids.insert(self.hash(pkgid));
    }

    fn hash(&self, pkgid: &str) -> u64 {
        self.state.hash_one(pkgid)
    }

    /// Tells whether primary had this package so far.
    pub(super) fn has(&self, pkgid: &str) -> bool {
        self.ids.contains(&self.state.hash_one(pkgid))
    }
}

/// Notes a package that a document lists more than once.
pub(super) fn twice(bent: &Bent, what: &str) {
    bent.note(
        "package_twice",
        "packages that are listed more than once were taken once, as they were listed first",
        what,
    );
}

impl Side {
    /// Opens one of the two documents; `folder` is for what has to wait.
    pub(super) fn new(
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
    pub(super) fn take(
        &mut self,
        pkgid: &str,
        asked: &Asked,
    ) -> Result<Option<Bytes>, MetadataError> {
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
    pub(super) fn lacks(&self, package: &Package) {
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
    pub(super) fn skip(&mut self, pkgid: &str) -> Result<(), MetadataError> {
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
    pub(super) fn end(&mut self, asked: &Asked) -> Result<(), MetadataError> {
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
