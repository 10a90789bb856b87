//! Scratch files.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use crate::{Error, Result};

/// A scratch file on the file system of the blobs; removed when dropped.
#[derive(Debug)]
pub struct SpoolFile {
    pub(crate) file: tempfile::NamedTempFile,
}

impl SpoolFile {
    /// Where it lies, for readers that want a path.
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
