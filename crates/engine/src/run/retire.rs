//! Paths that a publication leaves out of the one before it, which clients in mid-run may still ask for.

use std::sync::Arc;

use pith_blobs::{EntryKindRef, IndexEntryRef, Publication};
use pith_content::publish::Distributor as Plugin;
use pith_core::{Sha256, UnitId};
use pith_store::Retired;
use uuid::Uuid;

use crate::attempt::Run;
use crate::error::Error;

/// Paths written by one statement, more or less.
const PIECE: usize = 500;

/// The index of a publication that was made before; `None` when it is lost. Then there is nothing to take over and nothing to
/// keep, and the one that is being made is like a first one.
pub(super) async fn index_of(
    run: &Run,
    before: &pith_store::Publication,
) -> Result<Option<Publication>, Error> {
    match Publication::open(&run.engine.blobs, before.index_blob).await {
        Ok(index) => Ok(Some(index)),
        Err(error) if error.is_lost() => {
            tracing::warn!(
                %error,
                repo_id = before.repo_id,
                distributor_id = before.distributor_id,
                "the last publication is lost: publishing as if there were none"
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// The paths that a publication leaves out: where they stand in the index of the one before it, which is all that is kept
/// of them in memory.
#[derive(Default)]
pub(super) struct LeftOut {
    before: Option<Publication>,
    positions: Vec<usize>,
}

impl LeftOut {
    /// The paths of what the distributor publishes now that `newer` leaves out. Nothing where there is no grace.
    ///
    /// # Errors
    /// When the database fails or the store does.
    pub(super) async fn of(
        run: &Run,
        plugin: &Arc<dyn Plugin>,
        owner: (&str, &str),
        newer: Sha256,
    ) -> Result<Self, Error> {
        let engine = &run.engine;
        if !engine.publication_grace.is_positive() {
            return Ok(Self::default());
        }
        let list = run.store.publication_list(owner.0, owner.1).await?;
        let Some(before) = list.first().filter(|before| before.index_blob != newer) else {
            return Ok(Self::default());
        };
        let Some(before) = index_of(run, before).await? else {
            return Ok(Self::default());
        };
        let newer = Publication::open(&engine.blobs, newer).await?;
        let plugin = Arc::clone(plugin);
        let compare = move || {
            let mut positions = before.left_out_by(&newer)?;
            let mut damaged = Ok(());
            positions.retain(|position| {
                let entry = before.at(*position);
                let lasts = entry.map(|entry| lasts(plugin.as_ref(), &entry));
                lasts.unwrap_or_else(|error| {
                    damaged = Err(error);
                    false
                })
            });
            damaged.map(|()| Self {
                before: Some(before),
                positions,
            })
        };
        let compared = tokio::task::spawn_blocking(compare).await;
        match compared.map_err(Error::fault)? {
            Err(error) if error.is_lost() => {
                tracing::warn!(%error, repo_id = owner.0, "the last publication is damaged: nothing of it is kept");
                Ok(Self::default())
            }
            compared => compared.map_err(Error::from),
        }
    }

    /// The entries that were at these paths, in pieces. Those that cannot be read any more are left out.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<Retired>> + Send + '_ {
        self.positions.chunks(PIECE).map(|piece| {
            let entries = piece
                .iter()
                .filter_map(|position| self.before.as_ref()?.at(*position).ok());
            entries.filter_map(|entry| retired(&entry)).collect()
        })
    }
}

/// Tells whether the path goes on to mean what it meant. What is in the index itself is about the publication as a whole.
fn lasts(plugin: &dyn Plugin, entry: &IndexEntryRef<'_>) -> bool {
    !matches!(
        entry.kind,
        EntryKindRef::Inline(_) | EntryKindRef::Redirect(_)
    ) && !plugin.is_current_only(entry.path)
}

fn retired(entry: &IndexEntryRef<'_>) -> Option<Retired> {
    let (blob, unit, slice) = match entry.kind {
        EntryKindRef::Blob(sha256) => (Some(sha256), None, None),
        EntryKindRef::Slice(slice) => (Some(slice.blob), None, Some((slice.sha256, slice.offset))),
        EntryKindRef::Source { id, sha256 } => (sha256, Some(UnitId(Uuid::from_bytes(id))), None),
        EntryKindRef::Inline(_) | EntryKindRef::Redirect(_) => return None,
    };
    Some(Retired {
        path: entry.path.to_owned(),
        blob,
        unit,
        slice: match slice {
            Some((sha256, offset)) => Some((sha256, i64::try_from(offset).ok()?)),
            None => None,
        },
        size: i64::try_from(entry.size).ok()?,
        mtime: entry.mtime,
        headers: entry.headers.map(str::to_owned),
    })
}
