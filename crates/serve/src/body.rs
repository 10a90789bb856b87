//! Bytes on their way to a client.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use pith_blobs::{BlobStream, Blobs, Error, Result};
use pith_core::Sha256;

use crate::on_demand::{OnDemand, Opened, Unavailable};

/// Where the bytes of an answer are.
#[derive(Clone)]
pub(crate) enum Origin {
    Memory(Bytes),
    Store(Blobs, Sha256),
    /// The file of a unit, read in a repository, that somebody else gets first.
    Later(Arc<dyn OnDemand>, [u8; 16], Arc<str>),
}

impl Origin {
    /// The body that is exactly `range`. The first piece is there already, so that a missing blob is an error and not an
    /// answer that breaks off.
    pub(crate) async fn body(&self, range: Range<u64>) -> Result<Body> {
        let size = range.end - range.start;
        if size == 0 {
            return Ok(Body::empty());
        }
        let mut pieces = self.open(range.end).await?.pieces(range);
        let first = pieces.next().await.transpose()?.unwrap_or_default();
        if first.len() as u64 == size {
            return Ok(Body::from(first));
        }
        Ok(Body::from_stream(watched(
            stream::iter([Ok(first)]).chain(pieces).boxed(),
        )))
    }

    /// Several parts, each after its head, then the tail.
    pub(crate) async fn parts(&self, parts: Vec<(Bytes, Range<u64>)>, tail: Bytes) -> Result<Body> {
        if let Self::Store(blobs, sha256) = self {
            blobs.size(*sha256).await?.ok_or(Error::Missing(*sha256))?;
        }
        let last = parts.last().map_or(0, |(_, range)| range.end);
        let this = self.open(last).await?;
        let parts = stream::iter(parts)
            .flat_map(move |(head, range)| stream::iter([Ok(head)]).chain(this.pieces(range)))
            .chain(stream::iter([Ok(tail)]));
        Ok(Body::from_stream(watched(parts.boxed())))
    }

    /// Returns what can be read up to `end`.
    async fn open(&self, end: u64) -> Result<Readable> {
        let (on_demand, unit, repo_id) = match self {
            Self::Memory(bytes) => return Ok(Readable::Memory(bytes.clone())),
            Self::Store(blobs, sha256) => return Ok(Readable::Store(blobs.clone(), *sha256)),
            Self::Later(on_demand, unit, repo_id) => (on_demand, *unit, repo_id),
        };
        let opened = on_demand.open(unit, repo_id).await;
        let opened = opened.map_err(|why| Error::Incoming(why.into()))?;
        if opened.size < end {
            let message = format!("it has {} bytes, fewer than were published", opened.size);
            let why = Unavailable {
                status: 502,
                message,
            };
            return Err(Error::Incoming(why.into()));
        }
        Ok(Readable::Coming(Arc::new(opened)))
    }
}

/// An [`Origin`] that can be read.
enum Readable {
    Memory(Bytes),
    Store(Blobs, Sha256),
    Coming(Arc<Opened>),
}

impl Readable {
    fn pieces(&self, range: Range<u64>) -> BlobStream {
        match self {
            Self::Coming(opened) => (opened.read)(range),
            Self::Store(blobs, sha256) => blobs.read(*sha256, Some(range)),
            Self::Memory(bytes) => {
                let at = |position| {
                    usize::try_from(position)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len())
                };
                stream::iter([Ok(bytes.slice(at(range.start)..at(range.end)))]).boxed()
            }
        }
    }
}

/// Says in the log why an answer broke off; the client only sees that it did.
fn watched(pieces: BlobStream) -> BlobStream {
    pieces
        .inspect(|piece| {
            if let Err(error) = piece {
                tracing::error!(%error, "an answer broke off");
            }
        })
        .boxed()
}
