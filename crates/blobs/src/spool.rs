//! Scratch files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::{Blobs, Error, Result};

/// Bytes after which it is asked again whether there is room.
const LOOK: u64 = 1 << 20;

/// A scratch file on the file system of the blobs; removed when dropped.
pub struct SpoolFile {
    pub(crate) file: tempfile::NamedTempFile,
    blobs: Blobs,
    /// Bytes written since it was last asked whether there is room.
    unasked: u64,
}

impl SpoolFile {
    pub(crate) fn new(blobs: &Blobs) -> Result<Self> {
        blobs.require_room()?;
        Ok(Self {
            file: blobs.temporary()?,
            blobs: blobs.clone(),
            unasked: 0,
        })
    }

    /// Makes sure, every now and then, that there is room for what is written beside [`io::Write`].
    ///
    /// # Errors
    /// [`Error::Full`] when there is none.
    pub fn require_room(&mut self, bytes: usize) -> Result<()> {
        self.unasked += bytes as u64;
        if self.unasked >= LOOK {
            self.unasked = 0;
            self.blobs.require_room()?;
        }
        Ok(())
    }

    /// The path of the file, for readers that want one.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The open file.
    #[must_use]
    pub fn file(&self) -> &File {
        self.file.as_file()
    }

    /// The same file opened again, with a position of its own.
    ///
    /// # Errors
    /// When it cannot be opened, or somebody put another file in its place.
    pub fn reopen(&self) -> Result<File> {
        self.file.reopen().map_err(Error::io("open", self.path()))
    }
}

impl Read for SpoolFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.file.as_file_mut().read(buf)
    }
}

impl Write for SpoolFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.require_room(buf.len()).map_err(io::Error::other)?;
        self.file.as_file_mut().write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for SpoolFile {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.file.as_file_mut().seek(pos)
    }
}
