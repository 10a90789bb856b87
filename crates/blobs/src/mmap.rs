//! Mapping files into memory: the one place with `unsafe`.

use std::fs::File;
use std::io;

use bytes::Bytes;

/// Maps an immutable file whole. The file must have at least one byte.
#[allow(unsafe_code)] // a file map has no safe form; the reason why this one is sound stands below
pub(crate) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: the map must not change or shrink while it is borrowed. Blobs and cached indexes are written under another
    // name, renamed when whole, and afterwards only ever unlinked, which leaves the mapped pages alone.
    let map = unsafe { memmap2::Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}
