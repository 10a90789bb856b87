//! Downloaded documents, opened for as long as somebody wants what is in them: a reader on a thread of its own cannot be stopped,
//! so the document ends instead.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use crate::metadata::{MetadataError, compression};

/// Opens documents of one sync.
#[derive(Clone)]
pub struct Documents {
    is_wanted: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Default for Documents {
    fn default() -> Self {
        Self::while_wanted(|| true)
    }
}

/// A file that ends with an error when nobody wants it any more.
struct Wanted {
    file: File,
    documents: Documents,
}

impl Read for Wanted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !(self.documents.is_wanted)() {
            return Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the sync has ended",
            ));
        }
        self.file.read(buf)
    }
}

impl Documents {
    /// Documents that can be read as long as `is_wanted` says so.
    pub fn while_wanted(is_wanted: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            is_wanted: Arc::new(is_wanted),
        }
    }

    /// Opens a document.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, path: &Path) -> Result<Box<dyn BufRead + Send>, MetadataError> {
        self.at_most(File::open(path)?, compression::MAX_OPEN_SIZE)
    }

    /// Opens a document that may unpack to `max` bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at_most(&self, file: File, max: u64) -> Result<Box<dyn BufRead + Send>, MetadataError> {
        let documents = self.clone();
        Ok(compression::open(Wanted { file, documents }, max)?)
    }
}
