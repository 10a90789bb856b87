//! The metadata document in the file of a package: found in the archive and read without unpacking anything to disk.

mod tar;
mod zip;

use std::io::{self, Read, SeekFrom};

use flate2::read::MultiGzDecoder;
use pith_content::publish::ReadSeek;

use crate::metadata::{Metadata, MetadataError};

/// The bytes of an archive that are unpacked in search of the metadata.
const MOST_UNPACKED: u64 = 4 << 30;
/// Names that are looked at.
const MOST_MEMBERS: usize = 1_000_000;
/// Bytes of a name.
const LONGEST_NAME: usize = 4096;

/// The reason why the metadata of a package could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Neither zip nor tar.
    #[error("the file is no wheel, egg or source archive")]
    NoArchive,
    /// No metadata document in it.
    #[error("the archive has no METADATA or PKG-INFO")]
    NoMetadata,
    /// A damaged archive.
    #[error("the archive is damaged: {0}")]
    Damaged(&'static str),
    /// More than is read of one archive.
    #[error("the archive has more in it than is read of one: {0}")]
    TooMuch(&'static str),
    /// A document that cannot be read.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The file cannot be read.
    #[error("the archive cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Reads the metadata of a wheel, an egg or a source archive, told apart by what is in them.
///
/// # Errors
/// [`ArchiveError`].
pub fn metadata(file: &mut dyn ReadSeek) -> Result<Metadata, ArchiveError> {
    let mut magic = [0; 4];
    file.seek(SeekFrom::Start(0))?;
    let known = read_up_to(file, &mut magic)?;
    file.seek(SeekFrom::Start(0))?;
    match &magic[..known] {
        // A file that begins with a program, such as an installer, has the archive behind it.
        [b'P', b'K', ..] | [b'M', b'Z', ..] => zip::metadata(file),
        [0x1f, 0x8b, ..] => {
            tar::metadata(MultiGzDecoder::new(io::BufReader::new(file)).take(MOST_UNPACKED))
        }
        [b'B', b'Z', b'h', ..] => {
            let unpacked = bzip2::read::MultiBzDecoder::new(io::BufReader::new(file));
            tar::metadata(unpacked.take(MOST_UNPACKED))
        }
        _ => Err(ArchiveError::NoArchive),
    }
}

/// Fills as much of `bytes` as there is.
fn read_up_to(file: &mut dyn ReadSeek, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

/// The places of metadata documents in archives, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// `x.dist-info/METADATA`, of a wheel.
    Wheel,
    /// `EGG-INFO/PKG-INFO`, of an egg.
    Egg,
    /// `x/PKG-INFO`, of a source archive.
    Sdist,
    /// `PKG-INFO` alone, and `x.egg-info` of an installer.
    Other,
}

impl Place {
    fn of(name: &str) -> Option<Self> {
        let name = name.strip_prefix("./").unwrap_or(name);
        let segments: Vec<&str> = name.splitn(4, '/').collect();
        match segments.as_slice() {
            [folder, "METADATA"] if folder.ends_with(".dist-info") => Some(Self::Wheel),
            ["EGG-INFO", "PKG-INFO"] => Some(Self::Egg),
            [_, "PKG-INFO"] => Some(Self::Sdist),
            ["PKG-INFO"] => Some(Self::Other),
            ["PURELIB" | "PLATLIB", info] if info.ends_with(".egg-info") => Some(Self::Other),
            ["PURELIB" | "PLATLIB", folder, "PKG-INFO"] if folder.ends_with(".egg-info") => {
                Some(Self::Other)
            }
            _ => None,
        }
    }
}
