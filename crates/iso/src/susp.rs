//! Rock Ridge: the entries beside a directory record that tell the real name, rights and times.

use jiff::Timestamp;

use crate::record::{both_u32, short_time};

/// The rights of a folder and of a file: all may read, nobody writes on a disc.
const FOLDER: u32 = 0o040_555;
const FILE: u32 = 0o100_444;

/// The entry that says which extension the others belong to, as three texts.
const EXTENSION: [&str; 3] = [
    "RRIP_1991A",
    "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS",
    "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR \
     CONTACT INFORMATION.",
];
/// The most bytes of a name in one entry.
const NAME: usize = 240;

fn entry(signature: &[u8; 2], data: &[u8]) -> Vec<u8> {
    let mut entry = signature.to_vec();
    // None is longer than 255 bytes.
    entry.push(u8::try_from(data.len() + 4).unwrap_or(u8::MAX));
    entry.push(1);
    entry.extend_from_slice(data);
    entry
}

/// The first entry of the root.
pub(crate) fn first() -> Vec<u8> {
    entry(b"SP", &[0xbe, 0xef, 0])
}

/// The entry that says which extension is used.
pub(crate) fn extension() -> Vec<u8> {
    let mut data: Vec<u8> = Vec::new();
    for text in EXTENSION {
        data.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    }
    data.push(1);
    for text in EXTENSION {
        data.extend_from_slice(text.as_bytes());
    }
    entry(b"ER", &data)
}

/// Rights and times of a folder with so many folders in it, or of a file.
pub(crate) fn facts(folders: Option<usize>, modified: Timestamp) -> Vec<u8> {
    let (mode, links) = match folders {
        Some(folders) => (FOLDER, u32::try_from(folders + 2).unwrap_or(u32::MAX)),
        None => (FILE, 1),
    };
    let rights: Vec<u8> = [mode, links, 0, 0].into_iter().flat_map(both_u32).collect();
    let mut facts = entry(b"PX", &rights);
    // The bit of the time of last change.
    let mut times = vec![0x02];
    times.extend(short_time(modified));
    facts.extend(entry(b"TF", &times));
    facts
}

/// The real name.
pub(crate) fn name(name: &str) -> Vec<u8> {
    let mut entries = Vec::new();
    let pieces = name.as_bytes().chunks(NAME);
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.enumerate() {
        let mut data = vec![u8::from(at < last)];
        data.extend_from_slice(piece);
        entries.extend(entry(b"NM", &data));
    }
    entries
}

/// The entry that leads to `length` bytes at `offset` of a sector.
pub(crate) fn continued(sector: u32, offset: u32, length: u32) -> Vec<u8> {
    let data: Vec<u8> = [sector, offset, length]
        .into_iter()
        .flat_map(both_u32)
        .collect();
    entry(b"CE", &data)
}
