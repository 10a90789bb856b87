//! Lists of files that belong together, such as those of a unit that has several. A list is an index of paths, as a publication is,
//! kept as a blob. Large files are blobs of their own; small ones lie one after the other in *packs*, of which each is a blob: a
//! hundred thousand small files take a few dozen names on the disk, or objects of a bucket.

mod builder;
mod known;
#[cfg(test)]
mod tests;

pub use builder::{FileListBuilder, NewFileList};
pub use known::{KnownFile, KnownFiles};

/// The size up to which a file lies in a pack, in bytes: one that is read is in memory whole.
const SMALL: usize = 64 << 10;
/// The size at which a pack is full, in bytes.
const PACK: u64 = 32 << 20;
/// The most files in one pack: of each something is remembered until the pack has its name.
const PACK_FILES: usize = 16 << 10;
/// The number of packs of one list beyond which those that are thin are written anew, together.
const MANY: usize = 64;
/// The size below which a pack is thin, in bytes.
const THIN: u64 = 4 << 20;
