//! The sink of a flight's bytes: a scratch file that others read meanwhile.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pith_blobs::{Blobs, SpoolFile};
use pith_fetch::Sink;

use super::flight::Flight;

/// Takes the bytes of one attempt after the other. An attempt that starts over is compared with what is there already:
/// readers were given it, and they go on where both agree.
pub(super) struct FlightSink<'a> {
    blobs: &'a Blobs,
    flight: &'a Flight,
    spool: Option<(SpoolFile, Arc<File>)>,
    /// The position of the next bytes.
    at: u64,
    /// Bytes that are there.
    filled: u64,
    total: Option<u64>,
}

impl<'a> FlightSink<'a> {
    pub(super) fn new(blobs: &'a Blobs, flight: &'a Flight) -> Self {
        Self {
            blobs,
            flight,
            spool: None,
            at: 0,
            filled: 0,
            total: None,
        }
    }

    /// Keeps back what comes from now on, and what came before, until it is verified. There is no way back: what is in the
    /// scratch file is of several attempts.
    pub(super) fn keep_back(&self) {
        self.flight.change(|state| state.is_held = true);
    }

    /// The scratch file with the `size` bytes of the last attempt.
    pub(super) fn finish(self, size: u64) -> io::Result<SpoolFile> {
        let (spool, file) = self
            .spool
            .ok_or_else(|| io::Error::other("nothing was written"))?;
        // An earlier attempt may have brought more.
        file.set_len(size)?;
        Ok(spool)
    }

    fn file(&self) -> io::Result<Arc<File>> {
        self.spool
            .as_ref()
            .map(|(_, file)| Arc::clone(file))
            .ok_or_else(|| io::Error::other("bytes came before the body began"))
    }

    /// Returns how many of `bytes` are there already; where they differ from what is there, that is forgotten.
    fn agreeing(&mut self, file: &File, bytes: &[u8]) -> io::Result<usize> {
        let overlap = self.filled.saturating_sub(self.at);
        let overlap = usize::try_from(overlap).map_or(bytes.len(), |len| len.min(bytes.len()));
        let mut there = vec![0; overlap];
        file.read_exact_at(&mut there, self.at)?;
        let Some(differs) = there.iter().zip(bytes).position(|(old, new)| old != new) else {
            return Ok(overlap);
        };
        let from = self.at + differs as u64;
        self.filled = from;
        self.flight.change(|state| {
            state.breaks.push(from);
            state.written = state.written.min(from);
        });
        Ok(differs)
    }
}

#[async_trait]
impl Sink for FlightSink<'_> {
    fn hold(&mut self, held: bool) {
        if held {
            self.keep_back();
        }
    }

    async fn begin(&mut self, total: Option<u64>) -> io::Result<()> {
        self.at = 0;
        if let (Some(told), Some(total)) = (self.total, total)
            && told != total
        {
            // Readers were told the size; a body of another one is no use to them.
            return Err(io::Error::other(format!(
                "another source has {total} bytes instead of {told}"
            )));
        }
        self.total = self.total.or(total);
        if self.spool.is_none() {
            let spool = self.blobs.spool().map_err(io::Error::other)?;
            let file = Arc::new(spool.file().try_clone()?);
            self.spool = Some((spool, file));
        }
        let file = self.file()?;
        let total = self.total;
        self.flight.change(|state| {
            state.file = Some(file);
            state.total = total;
        });
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        if let Some((spool, _)) = &mut self.spool {
            spool.require_room(bytes.len()).map_err(io::Error::other)?;
        }
        let file = self.file()?;
        let known = self.agreeing(&file, &bytes)?;
        // Into the page cache; the file system's own write-back does the rest.
        file.write_all_at(&bytes[known..], self.at + known as u64)?;
        self.at += bytes.len() as u64;
        if self.at > self.filled {
            self.filled = self.at;
            let written = self.filled;
            self.flight.change(|state| state.written = written);
        }
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.at = 0;
        Ok(())
    }
}
