//! Pieces of documents that have to wait for something, in a temporary file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// The place of a piece.
#[derive(Debug, Clone, Copy)]
pub struct Piece {
    at: u64,
    length: u32,
}

impl Piece {
    /// Its size in bytes.
    #[must_use]
    pub fn length(self) -> usize {
        self.length as usize
    }
}

/// A temporary file of pieces. It has no name and goes with this value.
pub struct Spool {
    file: File,
    end: u64,
}

impl Spool {
    /// An empty one in `folder`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(folder)?,
            end: 0,
        })
    }

    /// Keeps a piece.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<Piece> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytes)?;
        let piece = Piece {
            at: self.end,
            length: u32::try_from(bytes.len()).map_err(io::Error::other)?,
        };
        self.end += bytes.len() as u64;
        Ok(piece)
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&mut self, piece: Piece) -> io::Result<Vec<u8>> {
        self.first(piece, piece.length())
    }

    /// The first bytes of a piece, at most `count`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn first(&mut self, piece: Piece, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; piece.length().min(count)];
        self.file.seek(SeekFrom::Start(piece.at))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
