//! Advisories of updateinfo. Several elements with one id are one advisory, as clients see it: nothing that one of them
//! lists is lost.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::BufRead;
use std::path::Path;

use super::others::{self, Next};
use super::outbox::Outbox;
use super::spool::{Piece, Spool};
use crate::advisories;
use crate::metadata::limits::{Sum, TREE_BYTES};
use crate::metadata::snippet::Packer;
use crate::metadata::updateinfo::{Erratum, ErratumStream};
use crate::metadata::{MetadataError, unless_broken};

/// Elements with one id that are still to come, and those that wait for them in a temporary file.
#[derive(Default)]
struct Waiting {
    left: u32,
    pieces: Vec<Piece>,
}

/// Reads updateinfo; answers whether it was read to its end.
///
/// # Errors
/// When it is another document.
pub fn read(path: &Path, repo_id: &str, outbox: &mut Outbox) -> Result<bool, MetadataError> {
    let state = RandomState::new();
    let opened = others::unless_empty(
        several(outbox.open(path)?, &state),
        "updateinfo",
        outbox.bent(),
    )?;
    let mut several = match opened {
        Ok(several) => several,
        Err(nothing) => return Ok(nothing.is_whole),
    };
    let mut spool = None;
    let mut stream = ErratumStream::open(outbox.open(path)?)?.noting(outbox.bent());
    let mut packer = Packer::new()?;
    loop {
        let next = others::up_to_fault(stream.next_erratum(), "updateinfo", outbox.bent())?;
        let mut erratum = match next {
            Next::One(erratum) => erratum,
            Next::End => return Ok(true),
            Next::Fault => return Ok(false),
        };
        if let Some(waiting) = several.get_mut(&state.hash_one(&erratum.id)) {
            let spool = match &mut spool {
                Some(spool) => spool,
                none => none.insert(Spool::new(path.parent().unwrap_or(Path::new(".")))?),
            };
            waiting.left -= 1;
            waiting.pieces.push(spool.put(&json(&erratum)?)?);
            if waiting.left > 0 {
                continue;
            }
            let note = "advisories that are listed more than once were joined";
            outbox.bent().note("advisory_twice", note, &erratum.id);
            erratum = joined(spool, &std::mem::take(&mut waiting.pieces))?;
        }
        outbox.push(advisories::unit(erratum, repo_id, &mut packer)?)?;
    }
}

/// The advisories that more than one element has, by hash of their id, with how many those are.
fn several(
    document: impl BufRead,
    state: &RandomState,
) -> Result<HashMap<u64, Waiting>, MetadataError> {
    let mut counts: HashMap<u64, u32> = HashMap::new();
    let mut stream = ErratumStream::open(document)?;
    // Where it is broken is told when it is read again.
    while let Some(erratum) = unless_broken(stream.next_erratum())? {
        *counts.entry(state.hash_one(&erratum.id)).or_default() += 1;
    }
    counts.retain(|_, left| *left > 1);
    let waiting = |left| Waiting {
        left,
        pieces: Vec::new(),
    };
    Ok(counts
        .into_iter()
        .map(|(id, left)| (id, waiting(left)))
        .collect())
}

fn json(erratum: &Erratum) -> Result<Vec<u8>, MetadataError> {
    serde_json::to_vec(erratum).map_err(|e| MetadataError::structure(e.to_string()))
}

fn joined(spool: &mut Spool, pieces: &[Piece]) -> Result<Erratum, MetadataError> {
    let mut whole: Option<Erratum> = None;
    let mut bytes = Sum::new("bytes of all elements of one advisory", TREE_BYTES);
    for piece in pieces {
        bytes.add(piece.length())?;
        let one = serde_json::from_slice(&spool.get(*piece)?)
            .map_err(|e| MetadataError::structure(e.to_string()))?;
        whole = Some(match whole {
            Some(before) => before.join(one),
            None => one,
        });
    }
    whole.ok_or_else(|| MetadataError::structure("an advisory is gone"))
}
