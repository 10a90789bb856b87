//! A file on its way: how far it is, and reading it meanwhile.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use pith_core::digest::Hashed;
use tokio::sync::watch;

use super::unavailable::Unavailable;

/// A download that any number of readers follow.
pub(crate) struct Flight(watch::Sender<State>);

#[derive(Default)]
pub(super) struct State {
    /// The scratch file, once a body has begun.
    pub(super) file: Option<Arc<File>>,
    /// Bytes that there will be, once that is known.
    pub(super) total: Option<u64>,
    /// Bytes in the scratch file that may be read.
    pub(super) written: u64,
    /// Nothing more of it is read before all of it is verified.
    pub(super) is_held: bool,
    /// The positions at which a later attempt brought other bytes than those that were there: whoever has read beyond one is cut
    /// off.
    pub(super) breaks: Vec<u64>,
    /// All bytes are here and are what was promised, or there is nothing more to hope for.
    verified: Option<Result<Hashed, Unavailable>>,
    /// The file is in the store, and its unit knows; or that failed.
    stored: Option<Result<Hashed, Unavailable>>,
}

/// The first news for somebody who wants to read.
pub(super) enum Started {
    /// The file was in the store.
    Here(Hashed),
    /// The number of bytes that are coming.
    Coming(u64),
}

impl Default for Flight {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Flight {
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        self.0.send_modify(change);
    }

    /// Notes that every byte is here and is right.
    pub(super) fn verify(&self, hashed: Hashed) {
        self.change(|state| {
            state.total = Some(hashed.size);
            state.written = hashed.size;
            state.verified = Some(Ok(hashed));
        });
    }

    /// The end; only the first one counts.
    pub(super) fn land(&self, result: Result<Hashed, Unavailable>) {
        self.0.send_if_modified(|state| {
            if state.stored.is_some() {
                return false;
            }
            state.verified.get_or_insert_with(|| result.clone());
            state.stored = Some(result);
            true
        });
    }

    /// Waits for the first bytes, or for the end when nobody knows the size before.
    pub(super) async fn started(&self) -> Result<Started, Unavailable> {
        self.wait(|state| match (&state.verified, &state.file, state.total) {
            (Some(Ok(hashed)), None, _) => Some(Ok(Started::Here(hashed.clone()))),
            (Some(Ok(hashed)), Some(_), _) => Some(Ok(Started::Coming(hashed.size))),
            (Some(Err(error)), ..) => Some(Err(error.clone())),
            (None, Some(_), Some(total)) if !state.is_held => Some(Ok(Started::Coming(total))),
            (None, ..) => None,
        })
        .await
    }

    /// Waits for the end.
    pub(super) async fn stored(&self) -> Result<Hashed, Unavailable> {
        self.wait(|state| state.stored.clone()).await
    }

    async fn wait<T>(
        &self,
        look: impl Fn(&State) -> Option<Result<T, Unavailable>>,
    ) -> Result<T, Unavailable> {
        let mut follow = self.0.subscribe();
        loop {
            if let Some(found) = look(&follow.borrow_and_update()) {
                return found;
            }
            follow.changed().await.map_err(Unavailable::internal)?;
        }
    }
}

/// The next step of a reader.
enum Next {
    Read(Arc<File>, Range<u64>),
    Wait,
    End,
}

/// Reads a part of a file that is on its way, as it comes.
pub struct Reader {
    flight: Arc<Flight>,
    follow: watch::Receiver<State>,
    at: u64,
    end: u64,
    /// The number of breaks that are known.
    breaks: usize,
}

impl Reader {
    fn step(&mut self, most: u64) -> Result<Next, Unavailable> {
        let state = self.follow.borrow_and_update();
        let (at, end) = (self.at, self.end);
        if state.breaks[self.breaks..].iter().any(|from| *from < at) {
            let text = "the upstream sent other bytes after it broke off";
            return Err(Unavailable::BadUpstream(text.to_owned()));
        }
        self.breaks = state.breaks.len();
        let until = match &state.verified {
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(hashed)) if end > hashed.size => {
                let text = format!("it has {} bytes, fewer than were asked for", hashed.size);
                return Err(Unavailable::BadUpstream(text));
            }
            Some(Ok(_)) if at >= end => return Ok(Next::End),
            Some(Ok(_)) => end,
            None if state.is_held => return Ok(Next::Wait),
            // The last byte waits for the whole file to be verified.
            None => state.written.min(end.saturating_sub(1)),
        };
        match &state.file {
            Some(file) if at < until => Ok(Next::Read(
                Arc::clone(file),
                at..until.min(at.saturating_add(most)),
            )),
            _ => Ok(Next::Wait),
        }
    }

    /// Up to `most` bytes, once there are some; none at the end.
    ///
    /// # Errors
    /// When no more will come, or when the file turns out not to be what was promised.
    pub async fn next(&mut self, most: usize) -> Result<Bytes, Unavailable> {
        loop {
            match self.step(most as u64)? {
                Next::End => return Ok(Bytes::new()),
                Next::Wait => self.follow.changed().await.map_err(Unavailable::internal)?,
                Next::Read(file, range) => {
                    let bytes = read_piece(file, range).await?;
                    // Overwritten while it was read? Then it is read again.
                    if self.flight.0.borrow().breaks.len() == self.breaks {
                        self.at += bytes.len() as u64;
                        return Ok(bytes);
                    }
                }
            }
        }
    }
}

async fn read_piece(file: Arc<File>, range: Range<u64>) -> Result<Bytes, Unavailable> {
    let read = move || -> io::Result<Bytes> {
        let size = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    };
    tokio::task::spawn_blocking(read)
        .await
        .map_err(Unavailable::internal)?
        .map_err(Unavailable::internal)
}

/// Reads the bytes of `range` as they come.
pub(super) fn read(flight: Arc<Flight>, range: Range<u64>) -> Reader {
    Reader {
        follow: flight.0.subscribe(),
        flight,
        at: range.start,
        end: range.end,
        breaks: 0,
    }
}
