//! Source archives: the members of a tar file, one after the other.

use std::io::{self, BufReader, Read};

use super::{ArchiveError, LONGEST_NAME, MOST_MEMBERS, Place};
use crate::metadata::{self, Metadata};

const BLOCK: usize = 512;
/// Bytes of the records that say more of the next member.
const LONGEST_RECORDS: u64 = 1 << 20;

/// Reads the metadata of the first of the places.
pub(super) fn metadata(mut archive: impl Read) -> Result<Metadata, ArchiveError> {
    let mut long_name: Option<String> = None;
    for _ in 0..MOST_MEMBERS {
        let mut header = [0; BLOCK];
        archive
            .read_exact(&mut header)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ArchiveError::NoMetadata,
                _ => ArchiveError::Io(error),
            })?;
        if header.iter().all(|byte| *byte == 0) {
            return Err(ArchiveError::NoMetadata);
        }
        let size = number(&header[124..136]);
        let size = size.filter(|_| is_header(&header));
        let size = size.ok_or(ArchiveError::Damaged("a member has no readable header"))?;
        let mut content = (&mut archive).take(size);
        match header[156] {
            b'L' => {
                let name = short(&mut content, LONGEST_NAME as u64)?;
                long_name = Some(until_zero(&name));
            }
            b'x' => long_name = path_of(&short(&mut content, LONGEST_RECORDS)?).or(long_name),
            0 | b'0' => {
                let name = long_name.take().unwrap_or_else(|| name_of(&header));
                if let Some(Place::Sdist | Place::Other) = Place::of(&name) {
                    return Ok(metadata::read(BufReader::new(content))?);
                }
            }
            b'g' => {}
            _ => long_name = None,
        }
        let padding = size.next_multiple_of(BLOCK as u64) - size;
        let left = content.limit();
        let skipped = io::copy(&mut (&mut archive).take(left + padding), &mut io::sink())?;
        if skipped < left {
            return Err(ArchiveError::NoMetadata);
        }
    }
    Err(ArchiveError::TooMuch("members"))
}

/// Reads what is short, whatever its header says.
fn short(content: &mut impl Read, most: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    content.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= most {
        true => Ok(bytes),
        false => Err(ArchiveError::TooMuch("a name")),
    }
}

/// Tells whether the checksum of a header is right.
fn is_header(header: &[u8; BLOCK]) -> bool {
    let sum: u64 = (header.iter().enumerate())
        .map(|(at, byte)| match at {
            148..156 => u64::from(b' '),
            _ => u64::from(*byte),
        })
        .sum();
    number(&header[148..156]) == Some(sum)
}

/// A number in octal digits, or in binary where its first bit says so.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && first & 0x80 != 0
    {
        let seed = u64::from(first & 0x7f);
        let add = |sum: u64, byte: &u8| sum.checked_mul(256)?.checked_add(u64::from(*byte));
        let large = rest.iter().try_fold(seed, add);
        return large.filter(|large| *large <= i64::MAX as u64);
    }
    let text = until_zero(field);
    let digits = text.trim();
    match digits.is_empty() {
        true => Some(0),
        false => u64::from_str_radix(digits, 8).ok(),
    }
}

fn name_of(header: &[u8; BLOCK]) -> String {
    let (name, prefix) = (until_zero(&header[..100]), until_zero(&header[345..500]));
    match &header[257..262] == b"ustar" && !prefix.is_empty() {
        true => format!("{prefix}/{name}"),
        false => name,
    }
}

fn until_zero(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())]).into_owned()
}

/// The path in records of the form `LENGTH KEY=VALUE\n`.
fn path_of(records: &[u8]) -> Option<String> {
    let mut rest = records;
    let mut path = None;
    while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
        let length: usize = std::str::from_utf8(&rest[..space]).ok()?.parse().ok()?;
        let record = rest.get(space + 1..length)?;
        if let Some(value) = record.strip_prefix(b"path=") {
            let value = value.strip_suffix(b"\n").unwrap_or(value);
            path = Some(String::from_utf8_lossy(value).into_owned());
        }
        rest = rest.get(length..)?;
    }
    path.filter(|path| path.len() <= LONGEST_NAME)
}
