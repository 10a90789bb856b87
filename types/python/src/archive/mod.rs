//! The metadata document in the file of a package: found in the archive and read without unpacking anything to disk.

mod tar;
mod zip;

use std::io::{self, Read, SeekFrom};

use flate2::read::MultiGzDecoder;
use pith_content::publish::ReadSeek;

use crate::metadata::{Metadata, MetadataError};

/// The bytes of an archive that are unpacked in search of the metadata, and how many of them each packed byte may bring beyond the
/// first [`FREE`].
const MOST_UNPACKED: u64 = 4 << 30;
const MOST_GROWTH: u64 = 400;
const FREE: u64 = 64 << 20;
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
        [0x1f, 0x8b, ..] => unpacked(file, MultiGzDecoder::new),
        [b'B', b'Z', b'h', ..] => unpacked(file, bzip2::read::MultiBzDecoder::new),
        _ => Err(ArchiveError::NoArchive),
    }
}

/// Reads a packed source archive, as far as one unpacks that was packed to be kept and not to keep others busy.
fn unpacked<'a, R: Read>(
    file: &'a mut dyn ReadSeek,
    unpack: impl FnOnce(io::BufReader<&'a mut dyn ReadSeek>) -> R,
) -> Result<Metadata, ArchiveError> {
    let packed = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let most = packed.saturating_mul(MOST_GROWTH).saturating_add(FREE);
    let mut unpacked = unpack(io::BufReader::new(file)).take(most.min(MOST_UNPACKED));
    match tar::metadata(&mut unpacked) {
        Err(ArchiveError::NoMetadata) if unpacked.limit() == 0 => {
            Err(ArchiveError::TooMuch("unpacked bytes"))
        }
        read => read,
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

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use pith_testkit::python::{sdist, wheel, zip};
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: Vec<u8>) -> Result<Metadata, ArchiveError> {
        metadata(&mut Cursor::new(bytes))
    }

    #[test]
    fn wheels_and_sources_are_read_and_a_program_may_stand_before_an_archive() {
        let bytes = wheel("a", "1.0", "x");
        assert_eq!(read(bytes.clone()).unwrap().version, "1.0");
        assert_eq!(
            read([b"MZ program".to_vec(), bytes].concat()).unwrap().name,
            "a"
        );
        assert_eq!(read(sdist("b", "2", "x").unwrap()).unwrap().name, "b");
    }

    #[test]
    fn the_best_place_counts_and_names_that_lead_elsewhere_do_not() {
        let info = |name: &str| format!("Name: {name}\nVersion: 1\n\n");
        let member = |path: &str, name: &str| (path.to_owned(), info(name));
        let both = [
            member("a/PKG-INFO", "late"),
            member("a-1.dist-info/METADATA", "a"),
        ];
        assert_eq!(read(zip(&both)).unwrap().name, "a");
        let elsewhere = [member("../x/PKG-INFO", "x"), member("a/b/c/METADATA", "x")];
        assert!(matches!(
            read(zip(&elsewhere)),
            Err(ArchiveError::NoMetadata)
        ));
    }

    #[test]
    fn sources_that_unpack_to_much_more_are_passed_over_and_not_kept() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        // A member of 8 GiB.
        let mut header = [0; 512];
        header[..6].copy_from_slice(b"a/long");
        header[124..135].copy_from_slice(b"77777777777");
        header[148..156].fill(b' ');
        let sum: u64 = header.iter().map(|byte| u64::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:07o}").as_bytes());
        header[155] = 0;
        packed.write_all(&header).unwrap();
        let zeros = vec![0; 1 << 20];
        for _ in 0..256 {
            packed.write_all(&zeros).unwrap();
        }
        let refused = read(packed.finish().unwrap());
        assert!(
            matches!(refused, Err(ArchiveError::TooMuch("unpacked bytes"))),
            "{refused:?}"
        );
    }

    proptest! {
        #[test]
        fn damaged_archives_are_read_or_refused(at in 0..700_usize, byte: u8, cut in 0..1500_usize) {
            for mut bytes in [wheel("a", "1.0", "x"), sdist("a", "1.0", "x").unwrap()] {
                if let Some(place) = bytes.get_mut(at) {
                    *place = byte;
                }
                bytes.truncate(cut.max(4));
                let _ = read(bytes);
            }
        }
    }
}
