//! Packages: links below `Packages/`, and primary, filelists and other written at the same time from one stream of units
//! (reference: rpm §11.2, §12.2).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::publish::{Entry, PublishContext};
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Algorithm, Document, ErrorDetail, RelativePath, UnitId};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::chunks::{Chunk, Cutter};
use super::output::{Output, Written, join};
use super::predecessor::Predecessor;
use super::steps::{Step, Steps};
use crate::metadata::members::Key;
use crate::metadata::primary::published_path;
use crate::metadata::writer::{Kind, PackageWriter};
use crate::types::{ERRATUM, RPM, SRPM};
use crate::units::{FILELISTS, OTHER, PRIMARY};

/// What the paths of packages need.
const PATH: &[&str] = &["filename"];
/// As [`PATH`], and what advisories name packages by.
const PATH_AND_NAME: &[&str] = &["filename", "name", "epoch", "version", "release", "arch"];
/// The documents of packages.
pub const KINDS: [Kind; 3] = [Kind::Filelists, Kind::Other, Kind::Primary];
/// Packages that are read at once, or a chunk more.
const READ: usize = 256;
/// Chunks of packages that wait for the writers, or are being written.
const WRITING: usize = 5;
/// Chunks that wait for each writer when those that are taken over are counted too, of which only the keys wait: so
/// many that what must be read is read meanwhile.
const WAITING: usize = 1024;

/// The packages of a repository by name, version and architecture, as hashes: enough to know which advisories concern it.
#[derive(Default)]
pub struct Known {
    state: RandomState,
    hashes: HashSet<u64>,
}

impl Known {
    /// Whether the repository has this package.
    #[must_use]
    pub fn contains(&self, nevra: [&str; 5]) -> bool {
        self.hashes.contains(&self.state.hash_one(nevra))
    }

    fn insert(&mut self, nevra: [&str; 5]) {
        let hash = self.state.hash_one(nevra);
        self.hashes.insert(hash);
    }
}

/// A package on its way to the three documents.
struct Rendered {
    checksum: String,
    snippets: [Bytes; 3],
}

/// Packages on their way to the three documents, and the room that they take until all three have them.
struct Packages {
    packages: Vec<Rendered>,
    _room: OwnedSemaphorePermit,
}

/// A chunk on its way to the three documents.
#[derive(Clone)]
enum Piece {
    /// To be written.
    New(Key, Arc<Packages>),
    /// To be taken over from the predecessor.
    Old(Key),
}

/// The text of a field.
pub fn text<'a>(unit: &'a RepoUnit, field: &str) -> &'a str {
    unit.doc.get(field).and_then(Value::as_str).unwrap_or("")
}

/// The entry of a unit's file.
pub fn entry(unit: &RepoUnit) -> Entry {
    let size = unit.size.unwrap_or(0);
    match unit.blob {
        Some(sha256) => Entry::Blob { sha256, size },
        None => Entry::Deferred {
            unit: unit.id,
            sha256: unit.promised,
            size,
        },
    }
}

/// The checksum of a unit's file in the algorithm of the publication, when it is known (reference: rpm §2.1.1).
fn known_checksum(unit: &RepoUnit, algorithm: Algorithm) -> Option<String> {
    let name = algorithm.name();
    if let Some(known) = unit
        .doc
        .get("checksums")
        .and_then(|c| c.get(name))
        .and_then(Value::as_str)
    {
        return Some(known.to_owned());
    }
    if text(unit, "checksumtype") == name {
        return Some(text(unit, "checksum").to_owned());
    }
    unit.blob
        .filter(|_| algorithm == Algorithm::Sha256)
        .map(|blob| blob.to_string())
}

/// A checksum, and whether it had to be worked out.
pub struct Checksum {
    /// Hexadecimal text.
    pub hex: String,
    /// Whether nobody had told it.
    pub learned: bool,
}

/// The checksum of a unit's file in the algorithm of the publication; hashes the file when nobody told it.
///
/// # Errors
/// RPM1008 when it is not known and the file is not here.
pub async fn checksum(
    ctx: &dyn PublishContext,
    unit: &RepoUnit,
    algorithm: Algorithm,
) -> Result<Checksum, ContentError> {
    if let Some(hex) = known_checksum(unit, algorithm) {
        return Ok(Checksum {
            hex,
            learned: false,
        });
    }
    let blob = unit.blob.ok_or_else(|| unknown_checksum(algorithm))?;
    let hex = ctx.digest(blob, algorithm).await?;
    Ok(Checksum { hex, learned: true })
}

/// RPM1008: nobody knows the checksum and the file is not here.
fn unknown_checksum(algorithm: Algorithm) -> ContentError {
    let name = algorithm.name();
    ContentError::coded(
        ErrorDetail::new(
            "RPM1008",
            format!(
                "Checksum type \"{name}\" is not available for all units in the repository. Make sure those units \
                 have been downloaded."
            ),
        )
        .with("checksumtype", name),
    )
}

/// Publishes packages; returns the three documents, and which packages there are when there are advisories.
///
/// # Errors
/// RPM1008, a failing disk, or what the context fails with.
pub async fn publish(
    ctx: &dyn PublishContext,
    steps: &Steps,
    algorithm: Algorithm,
    mut predecessor: Predecessor,
) -> Result<(Vec<Written>, Known), ContentError> {
    let mut count = ctx.count(RPM).await? + ctx.count(SRPM).await?;
    steps.begin(Step::Rpms, count);
    let mut run = Run {
        ctx,
        steps,
        algorithm,
        known: (ctx.count(ERRATUM).await? > 0).then(Known::default),
        again: false,
        learned: Vec::new(),
    };
    loop {
        let (published, written) = run.documents(count, predecessor).await?;
        if published == count {
            steps.finish(Step::Rpms);
            return Ok((written, run.known.unwrap_or_default()));
        }
        // Some packages share a file name, so fewer are published than there are units; and the documents begin with the
        // number of packages. What is written now can be taken over.
        count = published;
        predecessor = Predecessor::written(ctx, &written).await;
        run.again = true;
    }
}

struct Run<'a> {
    ctx: &'a dyn PublishContext,
    steps: &'a Steps,
    algorithm: Algorithm,
    /// `None` when nobody asks.
    known: Option<Known>,
    again: bool,
    /// Checksums that had to be worked out, to be kept.
    learned: Vec<(UnitId, Value)>,
}

impl Run<'_> {
    /// Writes documents that begin with `count`; answers how many packages they have.
    async fn documents(
        &mut self,
        count: u64,
        predecessor: Predecessor,
    ) -> Result<(u64, Vec<Written>), ContentError> {
        let now = self.ctx.clock().now();
        let mut senders = Vec::new();
        let mut handles = Vec::new();
        let documents = predecessor.documents;
        for (at, (kind, mut old)) in KINDS.into_iter().zip(documents).enumerate() {
            let output = Output::packed(self.ctx, kind.name(), self.algorithm)?;
            let type_name = self.algorithm.name();
            let write = move |out: &mut Output, mut rx: mpsc::Receiver<Piece>| {
                let mut writer = PackageWriter::new(out, kind, count)?;
                while let Some(piece) = rx.blocking_recv() {
                    match (piece, &mut old) {
                        (Piece::New(key, chunk), _) => {
                            writer.begin(key);
                            for package in &chunk.packages {
                                writer.push(&package.snippets[at], &package.checksum, type_name)?;
                            }
                            writer.end()?;
                        }
                        (Piece::Old(key), Some(old)) => writer.copy(&key, old)?,
                        (Piece::Old(_), None) => {
                            return Err(io::Error::other("nothing to take from"));
                        }
                    }
                }
                writer.finish().map(drop)
            };
            let (tx, handle) = output.write_on_thread(now, WAITING, write);
            senders.push(tx);
            handles.push(handle);
        }
        let mut feed = Feed {
            old: predecessor.chunks,
            senders,
            room: Arc::new(Semaphore::new(WRITING)),
            published: 0,
            pending: Vec::new(),
        };
        for type_id in [RPM, SRPM] {
            self.stream(type_id, &mut feed).await?;
        }
        let published = feed.published;
        drop(feed);
        let mut written = Vec::new();
        for handle in handles {
            written.push(join(handle).await?);
        }
        Ok((published, written))
    }

    /// Sends one type's packages in the order of their file names, so that those that share one stand together.
    async fn stream(&mut self, type_id: &'static str, feed: &mut Feed) -> Result<(), ContentError> {
        let fields = if self.known.is_some() && type_id == RPM {
            PATH_AND_NAME
        } else {
            PATH
        };
        let mut stream = self.ctx.outline(type_id, fields).await?;
        let mut cutter = Cutter::new(self.algorithm);
        let mut waiting: Option<RepoUnit> = None;
        while let Some(units) = stream.try_next().await? {
            let arrived = units.len() as u64;
            for unit in units {
                waiting = match waiting.take() {
                    Some(other) if text(&other, "filename") == text(&unit, "filename") => {
                        // The one that was associated last is the one people mean.
                        Some(if unit.updated >= other.updated {
                            unit
                        } else {
                            other
                        })
                    }
                    Some(other) => {
                        if let Some(chunk) = self.package(type_id, other, &mut cutter).await? {
                            self.chunk(type_id, chunk, feed).await?;
                        }
                        Some(unit)
                    }
                    None => Some(unit),
                };
            }
            if !self.again {
                self.steps.advance(Step::Rpms, arrived);
                self.ctx.progress(self.steps.report());
            }
        }
        let last = match waiting {
            Some(unit) => self.package(type_id, unit, &mut cutter).await?,
            None => None,
        };
        for chunk in last.into_iter().chain(cutter.end()) {
            self.chunk(type_id, chunk, feed).await?;
        }
        self.write(type_id, feed).await
    }

    /// Gives a package its path; answers the chunk that it completes.
    async fn package(
        &mut self,
        type_id: &'static str,
        unit: RepoUnit,
        cutter: &mut Cutter,
    ) -> Result<Option<Chunk>, ContentError> {
        if !self.again {
            let path = RelativePath::new(published_path(text(&unit, "filename")))
                .map_err(ContentError::other)?;
            if let Some(known) = self.known.as_mut().filter(|_| type_id == RPM) {
                let nevra = ["name", "epoch", "version", "release", "arch"];
                known.insert(nevra.map(|field| text(&unit, field)));
            }
            self.ctx.add(path, entry(&unit), unit.updated).await?;
        }
        Ok(cutter.push(unit))
    }

    /// Takes a chunk over, or sees to it that it is written.
    async fn chunk(
        &mut self,
        type_id: &'static str,
        chunk: Chunk,
        feed: &mut Feed,
    ) -> Result<(), ContentError> {
        feed.published += chunk.units.len() as u64;
        if feed.old.contains(&chunk.key) {
            self.write(type_id, feed).await?;
            feed.send(Piece::Old(chunk.key)).await;
            return Ok(());
        }
        let ids = chunk.units.iter().map(|unit| unit.id).collect();
        feed.pending.push((chunk.key, ids));
        if feed.pending.iter().map(|(_, ids)| ids.len()).sum::<usize>() >= READ {
            self.write(type_id, feed).await?;
        }
        Ok(())
    }

    /// Reads the packages of the chunks that wait, and sends them.
    async fn write(&mut self, type_id: &'static str, feed: &mut Feed) -> Result<(), ContentError> {
        let pending = std::mem::take(&mut feed.pending);
        let ids: Vec<UnitId> = pending.iter().flat_map(|(_, ids)| ids).copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let select = Select {
            fields: Some(&["checksum", "checksumtype", "checksums"]),
            parts: &[FILELISTS, OTHER, PRIMARY],
            ..Select::all(type_id)
        };
        let mut units = self.ctx.pick(select, &ids).await?.into_iter();
        for (key, ids) in pending {
            let mut packages = Vec::with_capacity(ids.len());
            for id in ids {
                let unit = units.next().filter(|unit| unit.id == id);
                packages.push(self.render(unit.ok_or_else(|| lost(id))?).await?);
            }
            let room = Arc::clone(&feed.room).acquire_owned().await;
            let packages = Packages {
                packages,
                _room: room.map_err(ContentError::other)?,
            };
            feed.send(Piece::New(key, Arc::new(packages))).await;
        }
        self.keep_learned(type_id).await
    }

    async fn render(&mut self, mut unit: RepoUnit) -> Result<Rendered, ContentError> {
        let checksum = self.checksum(&unit).await?;
        let mut parts = std::mem::take(&mut unit.parts).into_iter().flatten();
        let mut part = || parts.next().ok_or_else(|| lost(unit.id));
        Ok(Rendered {
            checksum,
            snippets: [part()?, part()?, part()?],
        })
    }

    async fn checksum(&mut self, unit: &RepoUnit) -> Result<String, ContentError> {
        let checksum = checksum(self.ctx, unit, self.algorithm).await?;
        if !checksum.learned {
            return Ok(checksum.hex);
        }
        let mut all = match unit.doc.get("checksums") {
            Some(Value::Object(all)) => all.clone(),
            _ => Document::new(),
        };
        let name = self.algorithm.name().to_owned();
        all.insert(name, checksum.hex.clone().into());
        self.learned.push((unit.id, Value::Object(all)));
        Ok(checksum.hex)
    }

    async fn keep_learned(&mut self, type_id: &str) -> Result<(), ContentError> {
        if self.learned.is_empty() {
            return Ok(());
        }
        let learned = std::mem::take(&mut self.learned);
        self.ctx.learn(type_id, "checksums", learned).await
    }
}

fn lost(id: UnitId) -> ContentError {
    ContentError::other(format!(
        "the package {id} lost its metadata; sync its repository with force_full"
    ))
}

/// The way of chunks to the three writers.
struct Feed {
    /// What can be taken over.
    old: HashSet<Key>,
    senders: Vec<mpsc::Sender<Piece>>,
    room: Arc<Semaphore>,
    published: u64,
    /// Chunks to be read and written.
    pending: Vec<(Key, Vec<UnitId>)>,
}

impl Feed {
    /// Sends a chunk to the three writers. A writer that has failed says so when it is joined.
    async fn send(&self, piece: Piece) {
        for sender in &self.senders {
            let _ = sender.send(piece.clone()).await;
        }
    }
}
