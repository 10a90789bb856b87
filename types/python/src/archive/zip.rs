//! Wheels, eggs and zipped sources: the directory at the end of a zip file, and one of its members.

use std::io::{self, BufReader, Read, SeekFrom};

use flate2::read::DeflateDecoder;
use pith_content::publish::ReadSeek;

use super::{ArchiveError, LONGEST_NAME, MOST_MEMBERS, Place};
use crate::metadata::{self, Metadata};

/// The end of the directory, without the comment behind it.
const END: usize = 22;
/// The longest comment.
const COMMENT: u64 = 65_535;
/// The pointer to the end of a large directory, right before the end.
const LOCATOR: u64 = 20;

/// The place of the directory in a file.
struct Directory {
    /// Its first byte.
    start: u64,
    /// The number of its bytes.
    size: u64,
    /// The number of bytes in front of the archive, such as those of an installer.
    shift: u64,
}

/// A member of the archive.
struct Member {
    place: Place,
    is_stored: bool,
    packed: u64,
    header: u64,
}

/// Reads the metadata of the best of the places.
pub(super) fn metadata(file: &mut dyn ReadSeek) -> Result<Metadata, ArchiveError> {
    let directory = directory(file)?;
    let member = search(file, &directory)?.ok_or(ArchiveError::NoMetadata)?;
    let start = directory.shift.checked_add(member.header);
    let start = start.ok_or(ArchiveError::Damaged("a member lies behind the end"))?;
    file.seek(SeekFrom::Start(start))?;
    let mut header = [0; 30];
    file.read_exact(&mut header)?;
    if u32_at(&header, 0) != 0x0403_4b50 {
        return Err(ArchiveError::Damaged(
            "a member is not where the directory says",
        ));
    }
    let skipped = i64::from(u16_at(&header, 26)) + i64::from(u16_at(&header, 28));
    file.seek(SeekFrom::Current(skipped))?;
    let packed = BufReader::new(file).take(member.packed);
    match member.is_stored {
        true => Ok(metadata::read(packed)?),
        false => Ok(metadata::read(BufReader::new(DeflateDecoder::new(packed)))?),
    }
}

/// Finds the directory, by what stands at the end of the file.
fn directory(file: &mut dyn ReadSeek) -> Result<Directory, ArchiveError> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_start = length.saturating_sub(END as u64 + COMMENT);
    file.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    (&mut *file)
        .take(END as u64 + COMMENT)
        .read_to_end(&mut tail)?;
    let mut ends = (0..=tail.len().saturating_sub(END)).rev();
    let is_end = |at: &usize| {
        let record = tail.get(*at..*at + END);
        record.is_some_and(|record| {
            let comment = usize::from(u16_at(record, 20));
            u32_at(record, 0) == 0x0605_4b50 && at + END + comment <= tail.len()
        })
    };
    let at = ends
        .find(is_end)
        .ok_or(ArchiveError::Damaged("its directory is missing"))?;
    let end = tail_start + at as u64;
    let record = &tail[at..at + END];
    let (size, start) = (u32_at(record, 12), u32_at(record, 16));
    let is_large = size == u32::MAX || start == u32::MAX || u16_at(record, 10) == u16::MAX;
    if is_large && let Some(large) = large_directory(file, end)? {
        return Ok(large);
    }
    let (size, start) = (u64::from(size), u64::from(start));
    // What stands before the end is the directory, wherever it says that it is.
    let real = end.checked_sub(size).filter(|real| *real >= start);
    let real = real.ok_or(ArchiveError::Damaged("its directory does not fit in"))?;
    Ok(Directory {
        start: real,
        size,
        shift: real - start,
    })
}

/// The directory of an archive with 64-bit places; `None` when it has none.
fn large_directory(file: &mut dyn ReadSeek, end: u64) -> Result<Option<Directory>, ArchiveError> {
    let Some(locator) = end.checked_sub(LOCATOR) else {
        return Ok(None);
    };
    let mut record = [0; 56];
    file.seek(SeekFrom::Start(locator))?;
    file.read_exact(&mut record[..20])?;
    if u32_at(&record, 0) != 0x0706_4b50 {
        return Ok(None);
    }
    let place = u64_at(&record, 8);
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(&mut record)?;
    if u32_at(&record, 0) != 0x0606_4b50 {
        return Err(ArchiveError::Damaged("its large directory is missing"));
    }
    Ok(Some(Directory {
        start: u64_at(&record, 48),
        size: u64_at(&record, 40),
        shift: 0,
    }))
}

/// Looks through the directory, which is never in memory as a whole.
fn search(file: &mut dyn ReadSeek, directory: &Directory) -> Result<Option<Member>, ArchiveError> {
    file.seek(SeekFrom::Start(directory.start))?;
    let mut entries = BufReader::new(file).take(directory.size);
    let mut best: Option<Member> = None;
    for _ in 0..MOST_MEMBERS {
        let mut fixed = [0; 46];
        match entries.read_exact(&mut fixed) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(best),
            read => read?,
        }
        if u32_at(&fixed, 0) != 0x0201_4b50 {
            return Ok(best);
        }
        let name_length = usize::from(u16_at(&fixed, 28));
        let mut name = vec![0; name_length];
        entries.read_exact(&mut name)?;
        let mut extra = vec![0; usize::from(u16_at(&fixed, 30))];
        entries.read_exact(&mut extra)?;
        let comment = u64::from(u16_at(&fixed, 32));
        io::copy(&mut (&mut entries).take(comment), &mut io::sink())?;
        let name = std::str::from_utf8(&name).ok();
        let place = name
            .filter(|name| name.len() <= LONGEST_NAME)
            .and_then(Place::of);
        let is_better = |place: &Place| best.as_ref().is_none_or(|best| *place < best.place);
        if let Some(place) = place.filter(is_better) {
            best = Some(member(place, &fixed, &extra)?);
        }
    }
    Err(ArchiveError::TooMuch("members"))
}

fn member(place: Place, fixed: &[u8], extra: &[u8]) -> Result<Member, ArchiveError> {
    if u16_at(fixed, 8) & 1 != 0 {
        return Err(ArchiveError::Damaged("its metadata is encrypted"));
    }
    let is_stored = match u16_at(fixed, 10) {
        0 => true,
        8 => false,
        _ => {
            return Err(ArchiveError::Damaged(
                "its metadata is packed in an unknown way",
            ));
        }
    };
    let [real, packed, header] = [24, 20, 42].map(|at| u32_at(fixed, at));
    let mut large = large_numbers(extra);
    let mut number = |small: u32| match small {
        u32::MAX => large.next().unwrap_or(u64::from(small)),
        small => u64::from(small),
    };
    let [_, packed, header] = [real, packed, header].map(&mut number);
    Ok(Member {
        place,
        is_stored,
        packed,
        header,
    })
}

/// The 64-bit numbers of an entry, in their order.
fn large_numbers(extra: &[u8]) -> impl Iterator<Item = u64> {
    let mut rest = extra;
    let mut found: &[u8] = &[];
    while rest.len() >= 4 {
        let (id, size) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let Some(data) = rest.get(4..4 + size) else {
            break;
        };
        if id == 1 {
            found = data;
        }
        rest = &rest[4 + size..];
    }
    found.chunks_exact(8).map(|eight| u64_at(eight, 0))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok());
    four.map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let eight = bytes
        .get(at..at + 8)
        .and_then(|eight| eight.try_into().ok());
    eight.map_or(0, u64::from_le_bytes)
}
