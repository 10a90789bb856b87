//! Bytes on their way to a client.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use pith_blobs::{BlobStream, Blobs, Error, Result, Slice};
use pith_core::{Sha256, Taken};

use crate::on_demand::{OnDemand, Opened, Pieces, Unavailable};
use crate::outgoing::{Client, Room};

/// The place of a file in the store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The blob that it is, or is a part of.
    pub(crate) blob: Sha256,
    /// The place of its first byte in the blob, when it is a part of it.
    offset: Option<u64>,
}

impl Place {
    /// The file that is a blob.
    pub(crate) fn whole(blob: Sha256) -> Self {
        let offset = None;
        Self { blob, offset }
    }

    /// A file that is a part of a blob.
    pub(crate) fn of(slice: &Slice) -> Self {
        Self {
            blob: slice.blob,
            offset: Some(slice.offset),
        }
    }

    /// A part of the file, as a part of the blob.
    fn range(self, range: &Range<u64>) -> Range<u64> {
        let first = self.offset.unwrap_or(0);
        let at = |position: u64| first.saturating_add(position);
        at(range.start)..at(range.end)
    }

    /// The file, which is small.
    pub(crate) async fn read(self, blobs: &Blobs, size: u64) -> Result<Bytes> {
        match self.offset {
            None => blobs.read_all(self.blob, size).await,
            Some(_) => blobs.read_part(self.blob, self.range(&(0..size))).await,
        }
    }
}

/// The place of the bytes of an answer.
#[derive(Clone)]
pub(crate) enum Origin {
    /// Memory, for as long as the publication is served.
    Memory(Bytes),
    /// A small file of the store, in memory at the moment.
    Small(Bytes, Blobs, Place),
    Store(Blobs, Place),
    /// The file of a unit, read in a repository, that somebody else gets first.
    Later(Arc<dyn OnDemand>, [u8; 16], Arc<str>),
}

impl Origin {
    /// The body that is exactly `range`. When there is room for it the first piece is there already, else it is known that the
    /// blob is, so that a missing one is an error and not an answer that breaks off.
    pub(crate) async fn body(&self, range: Range<u64>, client: &Arc<Client>) -> Result<Body> {
        let size = range.end - range.start;
        if size == 0 {
            return Ok(Body::empty());
        }
        let mut sending = match self.open(range.end, client).await? {
            Readable::Memory(bytes, room) => {
                let part = slice(&bytes, range);
                return Ok(Body::from(match room {
                    Some(room) => room.hold(part),
                    None => part,
                }));
            }
            Readable::Store(blobs, place) => {
                let sending = Sending::of_blob(&blobs, place, range, client);
                let Some(room) = client.room_now(size) else {
                    let there = blobs.size(place.blob).await?;
                    there.ok_or(Error::Missing(place.blob))?;
                    return Ok(Body::from_stream(sending.stream()));
                };
                sending.with_room(room)
            }
            Readable::Coming(opened) => {
                Sending::new((opened.read)(range.clone()), range, client, None)
            }
        };
        let first = sending.next().await?.unwrap_or_default();
        if first.len() as u64 == size {
            return Ok(Body::from(first));
        }
        let first = stream::iter([Ok(first)]);
        Ok(Body::from_stream(first.chain(sending.stream())))
    }

    /// Several parts, each after its head, then the tail.
    pub(crate) async fn parts(
        &self,
        parts: Vec<(Bytes, Range<u64>)>,
        tail: Bytes,
        client: &Arc<Client>,
    ) -> Result<Body> {
        if let Self::Store(blobs, place) = self {
            let there = blobs.size(place.blob).await?;
            there.ok_or(Error::Missing(place.blob))?;
        }
        let last = parts.last().map_or(0, |(_, range)| range.end);
        let this = self.open(last, client).await?;
        let client = Arc::clone(client);
        let parts = stream::iter(parts)
            .flat_map(move |(head, range)| {
                stream::iter([Ok(head)]).chain(this.pieces(range, &client))
            })
            .chain(stream::iter([Ok(tail)]));
        Ok(Body::from_stream(parts))
    }

    /// Returns what can be read up to `end`.
    async fn open(&self, end: u64, client: &Client) -> Result<Readable> {
        let (on_demand, unit, repo_id) = match self {
            Self::Memory(bytes) => return Ok(Readable::Memory(bytes.clone(), None)),
            Self::Small(bytes, blobs, place) => {
                return Ok(match client.whole(bytes.len()) {
                    Some(room) => Readable::Memory(bytes.clone(), Some(room)),
                    None => Readable::Store(blobs.clone(), *place),
                });
            }
            Self::Store(blobs, place) => return Ok(Readable::Store(blobs.clone(), *place)),
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
    Memory(Bytes, Option<Room>),
    Store(Blobs, Place),
    Coming(Arc<Opened>),
}

impl Readable {
    fn pieces(&self, range: Range<u64>, client: &Arc<Client>) -> BlobStream {
        match self {
            Self::Memory(bytes, _) => stream::iter([Ok(slice(bytes, range))]).boxed(),
            Self::Store(blobs, place) => Sending::of_blob(blobs, *place, range, client).stream(),
            Self::Coming(opened) => {
                Sending::new((opened.read)(range.clone()), range, client, None).stream()
            }
        }
    }
}

fn slice(bytes: &Bytes, range: Range<u64>) -> Bytes {
    let at = |position| {
        usize::try_from(position)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes.slice(at(range.start)..at(range.end))
}

/// A part of a file that is read as its client takes it.
struct Sending {
    pieces: Box<dyn Pieces>,
    left: u64,
    client: Arc<Client>,
    /// Room for the next piece, taken before it is asked for.
    room: Option<Room>,
    _open: Option<Taken>,
}

impl Sending {
    fn new(
        pieces: Box<dyn Pieces>,
        range: Range<u64>,
        client: &Arc<Client>,
        open: Option<Taken>,
    ) -> Self {
        Self {
            pieces,
            left: range.end - range.start,
            client: Arc::clone(client),
            room: None,
            _open: open,
        }
    }

    fn of_blob(blobs: &Blobs, place: Place, range: Range<u64>, client: &Arc<Client>) -> Self {
        let mut reader = blobs.reader(place.blob, place.range(&range));
        let open = client.open_file();
        if open.is_some() {
            reader.keep_open();
        }
        Self::new(Box::new(reader), range, client, open)
    }

    fn with_room(mut self, room: Room) -> Self {
        self.room = Some(room);
        self
    }

    /// The next piece, while one more is being read when there is plenty of room.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let room = match self.room.take() {
            Some(room) => room,
            None => self.client.room(self.left).await.ok_or(Error::Stopping)?,
        };
        let bytes = self.pieces.next(room.size).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.left = self.left.saturating_sub(bytes.len() as u64);
        if let Some(ahead) = self.client.room_ahead(self.left) {
            self.pieces.start(ahead.size);
            self.room = Some(ahead);
        }
        Ok(Some(room.hold(bytes)))
    }

    /// All pieces. Says in the log why an answer broke off; the client only sees that it did.
    fn stream(self) -> BlobStream {
        stream::try_unfold(self, |mut this| async move {
            let next = this.next().await;
            let next = next.inspect_err(|error| tracing::error!(%error, "an answer broke off"))?;
            Ok(next.map(|bytes| (bytes, this)))
        })
        .boxed()
    }
}
