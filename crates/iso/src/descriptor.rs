//! Volume descriptors: what a reader looks at first.

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::SECTOR;
use crate::layout::{Hierarchy, Image};
use crate::names::{Flavor, utf16};
use crate::record::{Record, both_u16, both_u32};

/// The signature of every descriptor.
const SIGNATURE: &[u8] = b"CD001";
/// The system that understands the entries beside records.
const SYSTEM: &str = "LINUX";
/// The program that made the image.
const APPLICATION: &str = "PITH";
/// A time that nobody said.
const NEVER: [u8; 17] = *b"0000000000000000\0";

/// The descriptor of one flavor.
pub(crate) fn volume(image: &Image, hierarchy: &Hierarchy) -> Vec<u8> {
    let joliet = hierarchy.flavor == Flavor::Joliet;
    let text = |text: &str, size: usize| match joliet {
        true => wide(text, size),
        false => narrow(text, size),
    };
    let mut bytes = vec![if joliet { 2 } else { 1 }];
    bytes.extend_from_slice(SIGNATURE);
    bytes.extend([1, 0]);
    bytes.extend(text(SYSTEM, 32));
    bytes.extend(text(&image.volume, 32));
    bytes.extend([0; 8]);
    bytes.extend(both_u32(image.sectors));
    let mut escape = [0; 32];
    if joliet {
        escape[..3].copy_from_slice(b"%/E");
    }
    bytes.extend(escape);
    bytes.extend(both_u16(1));
    bytes.extend(both_u16(1));
    bytes.extend(both_u16(2048));
    bytes.extend(both_u32(hierarchy.table));
    bytes.extend(hierarchy.tables[0].to_le_bytes());
    bytes.extend([0; 4]);
    bytes.extend(hierarchy.tables[1].to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(root(image, hierarchy));
    // Volume set, publisher, who prepared the data.
    for _ in 0..3 {
        bytes.extend(text("", 128));
    }
    bytes.extend(text(APPLICATION, 128));
    // Files with copyright, abstract, bibliography.
    for _ in 0..3 {
        bytes.extend(text("", 37));
    }
    let made = long_time(image.made);
    bytes.extend([made, made, NEVER, NEVER].concat());
    bytes.push(1);
    bytes.resize(SECTOR as usize, 0);
    bytes
}

/// The descriptor behind the last one.
pub(crate) fn end() -> Vec<u8> {
    let mut bytes = vec![255];
    bytes.extend_from_slice(SIGNATURE);
    bytes.push(1);
    bytes.resize(SECTOR as usize, 0);
    bytes
}

fn root(image: &Image, hierarchy: &Hierarchy) -> Vec<u8> {
    let root = Record {
        identifier: &[0],
        sector: hierarchy.starts[0],
        size: hierarchy.sizes[0],
        modified: image.folders[0].modified,
        is_folder: true,
        goes_on: false,
        beside: &[],
    };
    root.bytes()
}

/// A text in capital letters, with blanks behind it.
fn narrow(text: &str, size: usize) -> Vec<u8> {
    let letter = |c: char| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_uppercase() as u8,
        false => b'_',
    };
    let mut bytes: Vec<u8> = text.chars().take(size).map(letter).collect();
    bytes.resize(size, b' ');
    bytes
}

/// A text in UTF-16, with blanks behind it.
fn wide(text: &str, size: usize) -> Vec<u8> {
    let units = text
        .encode_utf16()
        .chain(std::iter::repeat(u16::from(b' ')));
    let mut bytes = utf16(units.take(size / 2));
    bytes.resize(size, 0);
    bytes
}

/// A time as digits, in UTC.
fn long_time(at: Timestamp) -> [u8; 17] {
    let digits = Offset::UTC
        .to_datetime(at)
        .strftime("%Y%m%d%H%M%S00")
        .to_string();
    let mut bytes = NEVER;
    if let Some(all) = bytes.get_mut(..digits.len().min(16)) {
        all.copy_from_slice(&digits.as_bytes()[..all.len()]);
    }
    bytes
}
