//! Packages: links below `Packages/`, and primary, filelists and other written at the same time from one stream of units
//! (reference: rpm §11.2, §12.2).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::publish::{Entry, PublishContext};
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Algorithm, Document, ErrorDetail, RelativePath, UnitId};
use serde_json::Value;
use tokio::sync::mpsc;

use super::output::{Output, Written, join};
use super::steps::{Step, Steps};
use crate::metadata::primary::published_path;
use crate::metadata::writer::{Kind, PackageWriter};
use crate::types::{RPM, SRPM};
use crate::units::{FILELISTS, OTHER, PRIMARY};

const FIELDS: &[&str] = &[
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "filename",
    "checksum",
    "checksumtype",
    "checksums",
];
const KINDS: [Kind; 3] = [Kind::Filelists, Kind::Other, Kind::Primary];

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

type Batch = Arc<Vec<Rendered>>;

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

/// Publishes packages; returns the three documents and which packages there are.
///
/// # Errors
/// RPM1008, a failing disk, or what the context fails with.
pub async fn publish(
    ctx: &dyn PublishContext,
    steps: &Steps,
    algorithm: Algorithm,
) -> Result<(Vec<Written>, Known), ContentError> {
    let total = ctx.count(RPM).await? + ctx.count(SRPM).await?;
    steps.begin(Step::Rpms, total);
    let mut run = Run {
        ctx,
        steps,
        algorithm,
        known: Known::default(),
        published: 0,
        again: false,
        learned: Vec::new(),
    };
    let mut written = run.documents(total).await?;
    if run.published != total {
        // Some packages share a file name, so fewer are published than there are units; and the documents begin with
        // the number of packages. This is rare enough to simply write them again.
        let count = std::mem::take(&mut run.published);
        run.again = true;
        written = run.documents(count).await?;
    }
    steps.finish(Step::Rpms);
    Ok((written, run.known))
}

struct Run<'a> {
    ctx: &'a dyn PublishContext,
    steps: &'a Steps,
    algorithm: Algorithm,
    known: Known,
    published: u64,
    again: bool,
    /// Checksums that had to be worked out, to be kept.
    learned: Vec<(UnitId, Value)>,
}

impl Run<'_> {
    async fn documents(&mut self, count: u64) -> Result<Vec<Written>, ContentError> {
        let now = self.ctx.clock().now();
        let mut senders = Vec::new();
        let mut handles = Vec::new();
        for (at, kind) in KINDS.into_iter().enumerate() {
            let name = format!("{}.xml.gz", kind.name());
            let output = Output::create(self.ctx, kind.name(), &name, self.algorithm)?;
            let type_name = self.algorithm.name();
            let (tx, handle) =
                output.write_on_thread(now, move |out, mut rx: mpsc::Receiver<Batch>| {
                    let mut writer = PackageWriter::new(out, kind, count)?;
                    while let Some(batch) = rx.blocking_recv() {
                        for package in batch.iter() {
                            writer.push(&package.snippets[at], &package.checksum, type_name)?;
                        }
                    }
                    writer.finish().map(drop)
                });
            senders.push(tx);
            handles.push(handle);
        }
        for type_id in [RPM, SRPM] {
            self.stream(type_id, &senders).await?;
        }
        drop(senders);
        let mut written = Vec::new();
        for handle in handles {
            written.push(join(handle).await?);
        }
        Ok(written)
    }

    /// Sends one type's packages in the order of their file names, so that those that share one stand together.
    async fn stream(
        &mut self,
        type_id: &'static str,
        senders: &[mpsc::Sender<Batch>],
    ) -> Result<(), ContentError> {
        let mut stream = self
            .ctx
            .units(Select {
                type_id,
                fields: Some(FIELDS),
                parts: &[FILELISTS, OTHER, PRIMARY],
                sort: &["filename"],
            })
            .await?;
        let mut waiting: Option<RepoUnit> = None;
        while let Some(units) = stream.try_next().await? {
            let mut batch = Vec::with_capacity(units.len());
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
                        batch.push(self.package(type_id, other).await?);
                        Some(unit)
                    }
                    None => Some(unit),
                };
            }
            send(senders, batch).await;
            self.keep_learned(type_id).await?;
            if !self.again {
                self.steps.advance(Step::Rpms, arrived);
                self.ctx.progress(self.steps.report());
            }
        }
        if let Some(last) = waiting {
            let batch = vec![self.package(type_id, last).await?];
            send(senders, batch).await;
            self.keep_learned(type_id).await?;
        }
        Ok(())
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

    async fn package(
        &mut self,
        type_id: &'static str,
        mut unit: RepoUnit,
    ) -> Result<Rendered, ContentError> {
        let filename = text(&unit, "filename");
        let path = RelativePath::new(published_path(filename)).map_err(ContentError::other)?;
        let checksum = self.checksum(&unit).await?;
        self.published += 1;
        if !self.again {
            if type_id == RPM {
                let nevra = ["name", "epoch", "version", "release", "arch"];
                self.known.insert(nevra.map(|field| text(&unit, field)));
            }
            self.ctx.add(path, entry(&unit), unit.updated).await?;
        }
        let mut parts = std::mem::take(&mut unit.parts).into_iter().flatten();
        let mut part = || {
            parts.next().ok_or_else(|| {
                ContentError::other(format!(
                    "the package {} lost its metadata; sync its repository with force_full",
                    text(&unit, "filename")
                ))
            })
        };
        Ok(Rendered {
            checksum,
            snippets: [part()?, part()?, part()?],
        })
    }
}

/// Sends a batch to the three writers. A writer that has failed says so when it is joined.
async fn send(senders: &[mpsc::Sender<Batch>], batch: Vec<Rendered>) {
    let batch = Arc::new(batch);
    for sender in senders {
        let _ = sender.send(Arc::clone(&batch)).await;
    }
}
