//! Building an index with flat memory: gather, sort, set aside, merge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, Write as _};
use std::path::Path;

use pith_core::{RelativePath, Sha256};
use tempfile::SpooledTempFile;

use super::format::{FOOTER, MAGIC, compare, read_path, read_record, write_record};
use super::{EntryKind, IndexEntry, MAX_HEADERS, MAX_INLINE};
use crate::error::blocking;
use crate::{Blobs, Error, Result, Stored};

/// Records gathered before they are sorted and set aside, in bytes.
const RUN: usize = 16 * 1024 * 1024;

/// The sums over an index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Paths.
    pub paths: u64,
    /// Bytes below them.
    pub bytes: u64,
}

/// Builds an index. Entries come in any order; beyond 16 MiB they are sorted and set aside on disk.
pub struct PublicationBuilder {
    blobs: Blobs,
    run_size: usize,
    /// Records one after the other, and where each begins.
    records: Vec<u8>,
    starts: Vec<usize>,
    runs: Vec<File>,
    merges_equal: bool,
}

impl PublicationBuilder {
    /// An empty index, to be stored in `blobs`.
    #[must_use]
    pub fn new(blobs: &Blobs) -> Self {
        Self::with_run_size(blobs, RUN)
    }

    pub(super) fn with_run_size(blobs: &Blobs, run_size: usize) -> Self {
        Self {
            blobs: blobs.clone(),
            run_size,
            records: Vec::new(),
            starts: Vec::new(),
            runs: Vec::new(),
            merges_equal: false,
        }
    }

    /// Makes of paths that are added twice, with the same file, one: what several units have in common.
    pub fn merge_equal(&mut self) {
        self.merges_equal = true;
    }

    /// Adds a path. Now and then this writes a scratch file, as quickly as the page cache takes it.
    ///
    /// # Errors
    /// When an inline entry or the headers of one are too large, or the scratch file cannot be written. Duplicates are found by `finish`.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers make both for this call"
    )]
    pub fn add(&mut self, path: RelativePath, entry: IndexEntry) -> Result<()> {
        match &entry.kind {
            EntryKind::Inline(bytes) if bytes.len() > MAX_INLINE => {
                return Err(Error::InlineTooLarge {
                    path,
                    size: bytes.len(),
                });
            }
            _ => {}
        }
        let headers = entry.headers.as_ref().map_or(0, String::len);
        if headers > MAX_HEADERS {
            return Err(Error::HeadersTooLong {
                path,
                size: headers,
            });
        }
        self.starts.push(self.records.len());
        write_record(&mut self.records, path.as_str(), &entry);
        if self.records.len() + self.starts.len() * size_of::<usize>() >= self.run_size {
            self.set_aside()?;
        }
        Ok(())
    }

    /// Writes the index as a blob.
    ///
    /// # Errors
    /// When two entries have one path, a path is a file and a directory, or the blob cannot be written.
    pub async fn finish(self) -> Result<Stored> {
        blocking(move || self.finish_blocking()).await
    }

    /// Does what [`Self::finish`] does, and tells what is in the index.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub async fn finish_counted(self) -> Result<(Stored, Totals)> {
        blocking(move || self.write()).await
    }

    /// Does what [`Self::finish`] does, on a blocking thread.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_blocking(self) -> Result<Stored> {
        self.write().map(|(stored, _)| stored)
    }

    fn write(mut self) -> Result<(Stored, Totals)> {
        self.sort();
        let mut out = Output::new(&self.blobs, self.merges_equal)?;
        if self.runs.is_empty() {
            for record in self.sorted() {
                out.record(record)?;
            }
            return out.finish();
        }
        self.set_aside()?;
        let mut runs = self
            .runs
            .drain(..)
            .map(Run::open)
            .collect::<Result<Vec<_>>>()?;
        let mut heap: BinaryHeap<Reverse<Head>> = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heap.extend(run.next()?.map(|record| {
                Reverse(Head {
                    record,
                    run: number,
                })
            }));
        }
        while let Some(Reverse(head)) = heap.pop() {
            out.record(&head.record)?;
            let run = head.run;
            heap.extend(
                runs[run]
                    .next()?
                    .map(|record| Reverse(Head { record, run })),
            );
        }
        out.finish()
    }

    fn sort(&mut self) {
        let records = &self.records;
        let path = |start: &usize| read_path(&records[*start..]).unwrap_or_default();
        // Most callers come sorted or nearly so, which this sort likes.
        self.starts.sort_by(|a, b| compare(path(a), path(b)));
    }

    fn sorted(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.iter().map(|&start| &self.records[start..])
    }

    fn set_aside(&mut self) -> Result<()> {
        self.sort();
        let scratch = || scratch_error("write a scratch file");
        self.blobs.require_room()?;
        let mut file = io::BufWriter::new(self.blobs.nameless()?);
        for record in self.sorted() {
            let record = only(record)?;
            let len = u32::try_from(record.len()).unwrap_or(u32::MAX);
            file.write_all(&len.to_le_bytes())
                .and_then(|()| file.write_all(record))
                .map_err(scratch())?;
        }
        let file = file
            .into_inner()
            .map_err(|error| scratch()(error.into_error()))?;
        self.runs.push(file);
        self.records.clear();
        self.starts.clear();
        Ok(())
    }
}

fn scratch_error(action: &str) -> impl FnOnce(io::Error) -> Error {
    Error::io(action, Path::new("spool"))
}

/// Cuts what follows the record at the front of `bytes`.
fn only(bytes: &[u8]) -> Result<&[u8]> {
    let entry = read_record(bytes)?;
    let payload = match entry.kind {
        super::EntryKindRef::Blob(_) => 32,
        super::EntryKindRef::Slice(_) => 72,
        super::EntryKindRef::Inline(inline) => 4 + inline.len(),
        super::EntryKindRef::Redirect(location) => 4 + location.len(),
        super::EntryKindRef::Source { sha256: None, .. } => 16,
        super::EntryKindRef::Source {
            sha256: Some(_), ..
        } => 48,
    };
    let len = 20 + entry.path.len() + entry.headers.map_or(0, str::len) + payload;
    Ok(&bytes[..len])
}

/// Sorted records set aside.
struct Run(BufReader<File>);

impl Run {
    fn open(mut file: File) -> Result<Self> {
        file.rewind()
            .map_err(scratch_error("read a scratch file"))?;
        Ok(Self(BufReader::with_capacity(64 * 1024, file)))
    }

    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut len = [0; 4];
        match self.0.read_exact(&mut len) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(scratch_error("read a scratch file")(error)),
        }
        let mut record = vec![0; u32::from_le_bytes(len) as usize];
        self.0
            .read_exact(&mut record)
            .map_err(scratch_error("read a scratch file"))?;
        Ok(Some(record))
    }
}

/// The first record of a run, ordered by path.
struct Head {
    record: Vec<u8>,
    run: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let path = |head: &Self| {
            read_path(&head.record)
                .map(<[u8]>::to_vec)
                .unwrap_or_default()
        };
        compare(&path(self), &path(other))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Head {}

/// The index on its way into the store.
struct Output {
    blob: crate::SyncBlobWriter,
    table: SpooledTempFile,
    totals: Totals,
    at: u64,
    last: Vec<u8>,
    /// The file at the last path.
    last_file: Option<Sha256>,
    merges_equal: bool,
}

impl Output {
    fn new(blobs: &Blobs, merges_equal: bool) -> Result<Self> {
        let mut blob = blobs.sync_writer(&[]);
        blob.write_all(MAGIC)
            .map_err(scratch_error("write the index"))?;
        // Ten bytes a path stay in memory for a million paths.
        blobs.require_spool()?;
        let table = tempfile::spooled_tempfile_in(RUN, blobs.spool_folder());
        Ok(Self {
            blob,
            table,
            totals: Totals::default(),
            at: MAGIC.len() as u64,
            last: Vec::new(),
            last_file: None,
            merges_equal,
        })
    }

    fn record(&mut self, record: &[u8]) -> Result<()> {
        let record = only(record)?;
        let entry = read_record(record)?;
        let (path, size) = (entry.path.as_bytes(), entry.size);
        let file = entry.kind.sha256().filter(|_| self.merges_equal);
        if self.totals.paths > 0 {
            let below = path.strip_prefix(self.last.as_slice());
            match below {
                Some([]) if file.is_some() && file == self.last_file => return Ok(()),
                Some([]) => return Err(Error::DuplicatePath(readable(path)?)),
                Some([b'/', ..]) => return Err(Error::FileAndDirectory(readable(&self.last)?)),
                _ => {}
            }
        }
        self.last.clear();
        self.last.extend_from_slice(path);
        self.last_file = file;
        self.table
            .write_all(&self.at.to_le_bytes())
            .map_err(scratch_error("write a scratch file"))?;
        self.blob
            .write_all(record)
            .map_err(scratch_error("write the index"))?;
        self.at += record.len() as u64;
        self.totals.paths += 1;
        self.totals.bytes = self.totals.bytes.saturating_add(size);
        Ok(())
    }

    fn finish(mut self) -> Result<(Stored, Totals)> {
        let mut footer = Vec::with_capacity(FOOTER);
        footer.extend_from_slice(&self.totals.paths.to_le_bytes());
        footer.extend_from_slice(&self.at.to_le_bytes());
        footer.extend_from_slice(MAGIC);
        self.table
            .rewind()
            .map_err(scratch_error("read a scratch file"))?;
        io::copy(&mut self.table, &mut self.blob).map_err(scratch_error("write the index"))?;
        self.blob
            .write_all(&footer)
            .map_err(scratch_error("write the index"))?;
        Ok((self.blob.finish()?, self.totals))
    }
}

fn readable(path: &[u8]) -> Result<RelativePath> {
    let text = String::from_utf8_lossy(path).into_owned();
    RelativePath::new(text).map_err(|_| Error::DamagedIndex("a path is not safe"))
}
