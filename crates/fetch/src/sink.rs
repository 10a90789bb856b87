//! The places that a download's bytes go to.

use std::io;

use bytes::Bytes;
use pith_core::Algorithm;
use pith_core::digest::Hashed;

/// Takes a download's bytes in order.
///
/// The calls are `hold begin write* [digests] [hold restart begin write* [digests]]*`. What was written counts only when [`crate::Session::get`]
/// returns success: on an error the caller drops what the sink holds.
#[async_trait::async_trait]
pub trait Sink: Send {
    /// Tells, before a body starts, whether its bytes must be kept back until they are verified: those of a file of this machine,
    /// or of a server in a private network that is not the feed's.
    fn hold(&mut self, held: bool) {
        let _ = held;
    }

    /// Begins a body; `total` is its size when the server or the request says it (a hint: it is checked later).
    async fn begin(&mut self, total: Option<u64>) -> io::Result<()> {
        let _ = total;
        Ok(())
    }

    /// Takes the next bytes. A slow sink slows the download down; the time spent here is not held against the server.
    async fn write(&mut self, bytes: Bytes) -> io::Result<()>;

    /// Tells whether [`Sink::digests`] returns SHA-256 and these of the bytes: nobody else works them out then.
    fn hashes(&self, algorithms: &[Algorithm]) -> bool {
        let _ = algorithms;
        false
    }

    /// Returns the digests of the body that has ended, as [`Sink::hashes`] promised.
    async fn digests(&mut self) -> io::Result<Option<Hashed>> {
        Ok(None)
    }

    /// Forgets what was written: the last attempt failed and the next one starts from nothing. A sink that passes bytes on to
    /// somebody at once can fail here, which ends the download.
    async fn restart(&mut self) -> io::Result<()>;
}

/// Keeps nothing: for measuring and for checking what an upstream has.
#[derive(Debug, Default, Clone, Copy)]
pub struct NullSink;

#[async_trait::async_trait]
impl Sink for NullSink {
    async fn write(&mut self, _bytes: Bytes) -> io::Result<()> {
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Keeps everything in memory: for small documents.
#[derive(Debug, Default, Clone)]
pub struct VecSink {
    /// The bytes that arrived.
    pub bytes: Vec<u8>,
    /// The number of times that the download started over.
    pub restarts: u32,
}

#[async_trait::async_trait]
impl Sink for VecSink {
    async fn write(&mut self, bytes: Bytes) -> io::Result<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn restart(&mut self) -> io::Result<()> {
        self.bytes.clear();
        self.restarts += 1;
        Ok(())
    }
}
