//! Facts that the whole file of a unit tells.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use pith_content::{ContentError, Inspected, UnitType, blocking};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Document};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::Engine;

/// The facts, as the rules of the type read them on a thread that may block; none of types that look at heads. The refusal inside
/// says why it is no file of such a unit.
pub(crate) async fn whole(
    engine: &Engine,
    kind: &UnitType,
    hashed: &Hashed,
) -> Result<Result<Document, String>, ContentError> {
    if kind.inspected != Inspected::Whole {
        return Ok(Ok(Document::new()));
    }
    let file = engine.blobs.open_document(hashed.sha256).await;
    let file = file.map_err(ContentError::other)?;
    let nobody_waits = CancellationToken::new();
    let _waiting = nobody_waits.clone().drop_guard();
    let mut file = BufReader::new(Awaited { file, nobody_waits });
    let (kind, hashed) = (kind.clone(), hashed.clone());
    blocking::run(move || kind.told_by(&mut file, &hashed)).await
}

/// A file that is read for as long as somebody waits for what it tells: a thread cannot be stopped from outside.
struct Awaited<R> {
    file: R,
    nobody_waits: CancellationToken,
}

impl<R: Read> Read for Awaited<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.nobody_waits.is_cancelled() {
            true => Err(io::Error::other("nobody waits for it any more")),
            false => self.file.read(bytes),
        }
    }
}

impl<R: Seek> Seek for Awaited<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The facts that [`whole`] gives, of a file that somebody hands over: one that is none of such a unit fails.
pub(crate) async fn required(
    engine: &Engine,
    kind: &UnitType,
    hashed: &Hashed,
) -> Result<Document, ContentError> {
    let told = whole(engine, kind, hashed).await?;
    told.map_err(|refused| ContentError::Failed {
        summary: json!(refused),
        message: refused,
        details: Value::Null,
    })
}

/// The digests that a type wants of its files, and further ones, each once.
pub(crate) fn digests(kind: Option<&UnitType>, further: &[Algorithm]) -> Vec<Algorithm> {
    let mut all = kind.map_or_else(Vec::new, |kind| kind.digests.to_vec());
    let new = further
        .iter()
        .filter(|one| !kind.is_some_and(|kind| kind.digests.contains(one)));
    all.extend(new);
    all
}
