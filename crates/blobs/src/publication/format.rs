//! The bytes of an index, version 1. Numbers are little-endian.
//!
//! ```text
//! header   "pithpub1"
//! records  sorted by path, segment by segment:
//!            u16 length of path, u8 kind, u8 length of headers, u64 size, i64 mtime,
//!            path, headers (headers.rs), then by kind
//!              0 blob     32 bytes sha256
//!              1 inline   u32 length, bytes
//!              2 source   16 bytes id
//!              3 source   16 bytes id, 32 bytes sha256
//!              4 redirect u32 length, bytes
//!              5 slice    32 bytes sha256, 32 bytes sha256 of the blob, u64 position in it
//! table    u64 position of each record
//! footer   u64 number of records, u64 position of the table, "pithpub1"
//! ```

use std::cmp::Ordering;

use bytes::Bytes;
use pith_core::Sha256;

use super::{EntryKind, EntryKindRef, IndexEntry, IndexEntryRef, Slice};
use crate::{Error, Result};

pub(super) const MAGIC: &[u8; 8] = b"pithpub1";
pub(super) const FOOTER: usize = 24;

const BLOB: u8 = 0;
const INLINE: u8 = 1;
const SOURCE: u8 = 2;
const SOURCE_WITH_DIGEST: u8 = 3;
const REDIRECT: u8 = 4;
const SLICE: u8 = 5;

/// Orders paths segment by segment: `/` sorts before every other byte that a path can have.
pub(super) fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let rank = |byte: u8| if byte == b'/' { 0 } else { byte };
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    match (a.get(same), b.get(same)) {
        (Some(&x), Some(&y)) => rank(x).cmp(&rank(y)),
        (x, y) => x.is_some().cmp(&y.is_some()),
    }
}

/// Appends a record. The caller has checked that path, headers and inline bytes are short enough.
pub(super) fn write_record(out: &mut Vec<u8>, path: &str, entry: &IndexEntry) {
    let headers = entry.headers.as_deref().unwrap_or("");
    let kind = match &entry.kind {
        EntryKind::Blob(_) => BLOB,
        EntryKind::Slice(_) => SLICE,
        EntryKind::Inline(_) => INLINE,
        EntryKind::Source { sha256: None, .. } => SOURCE,
        EntryKind::Source {
            sha256: Some(_), ..
        } => SOURCE_WITH_DIGEST,
        EntryKind::Redirect(_) => REDIRECT,
    };
    out.extend_from_slice(&u16::try_from(path.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.push(kind);
    out.push(u8::try_from(headers.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(&entry.size.to_le_bytes());
    out.extend_from_slice(&entry.mtime.to_le_bytes());
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(headers.as_bytes());
    match &entry.kind {
        EntryKind::Blob(sha256) => out.extend_from_slice(&sha256.0),
        EntryKind::Slice(slice) => {
            out.extend_from_slice(&slice.sha256.0);
            out.extend_from_slice(&slice.blob.0);
            out.extend_from_slice(&slice.offset.to_le_bytes());
        }
        EntryKind::Inline(bytes) => write_counted(out, bytes),
        EntryKind::Redirect(location) => write_counted(out, location.as_bytes()),
        EntryKind::Source { id, sha256 } => {
            out.extend_from_slice(id);
            if let Some(sha256) = sha256 {
                out.extend_from_slice(&sha256.0);
            }
        }
    }
}

fn write_counted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Takes bytes from the front, never beyond the end.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(Error::DamagedIndex("a record is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Error::DamagedIndex("a record is cut off"))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn counted(&mut self) -> Result<&'a [u8]> {
        let count = u32::from_le_bytes(self.array()?);
        self.take(usize::try_from(count).unwrap_or(usize::MAX))
    }

    fn text(&mut self, count: usize) -> Result<&'a str> {
        utf8(self.take(count)?)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|_| Error::DamagedIndex("a name is not UTF-8"))
}

/// The record that begins at the front of `bytes`.
pub(super) fn read_record(bytes: &[u8]) -> Result<IndexEntryRef<'_>> {
    let mut cursor = Cursor(bytes);
    let path_len = usize::from(u16::from_le_bytes(cursor.array()?));
    let [kind, headers_len] = cursor.array()?;
    let size = u64::from_le_bytes(cursor.array()?);
    let mtime = i64::from_le_bytes(cursor.array()?);
    let path = cursor.text(path_len)?;
    let headers = cursor.text(usize::from(headers_len))?;
    let kind = match kind {
        BLOB => EntryKindRef::Blob(Sha256(cursor.array()?)),
        SLICE => EntryKindRef::Slice(Slice {
            sha256: Sha256(cursor.array()?),
            blob: Sha256(cursor.array()?),
            offset: u64::from_le_bytes(cursor.array()?),
        }),
        INLINE => EntryKindRef::Inline(cursor.counted()?),
        REDIRECT => EntryKindRef::Redirect(utf8(cursor.counted()?)?),
        SOURCE => EntryKindRef::Source {
            id: cursor.array()?,
            sha256: None,
        },
        SOURCE_WITH_DIGEST => EntryKindRef::Source {
            id: cursor.array()?,
            sha256: Some(Sha256(cursor.array()?)),
        },
        _ => return Err(Error::DamagedIndex("a record is of an unknown kind")),
    };
    Ok(IndexEntryRef {
        path,
        kind,
        size,
        mtime,
        headers: (!headers.is_empty()).then_some(headers),
    })
}

/// Only the path of the record that begins at the front of `bytes`: all that a search needs.
pub(super) fn read_path(bytes: &[u8]) -> Result<&[u8]> {
    let mut cursor = Cursor(bytes);
    let path_len = usize::from(u16::from_le_bytes(cursor.array()?));
    cursor.take(18)?;
    cursor.take(path_len)
}

/// Header and footer, checked.
pub(super) struct Frame {
    /// Number of records.
    pub(super) count: usize,
    /// Position of the table; records lie before it.
    pub(super) table: usize,
}

pub(super) fn read_frame(bytes: &Bytes) -> Result<Frame> {
    let not_one = || Error::DamagedIndex("it is not a publication index of this version");
    let inner = bytes
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_suffix(MAGIC))
        .ok_or_else(not_one)?;
    let (front, footer) = inner.split_last_chunk::<16>().ok_or_else(not_one)?;
    let (count, table) = footer.split_at(8);
    let number = |bytes: &[u8]| {
        bytes
            .try_into()
            .ok()
            .map(u64::from_le_bytes)
            .and_then(|n| usize::try_from(n).ok())
    };
    let (Some(count), Some(table)) = (number(count), number(table)) else {
        return Err(not_one());
    };
    let end = MAGIC.len() + front.len();
    let fits = table >= MAGIC.len()
        && count
            .checked_mul(8)
            .and_then(|size| size.checked_add(table))
            == Some(end);
    if fits {
        Ok(Frame { count, table })
    } else {
        Err(Error::DamagedIndex("its parts do not fit together"))
    }
}
