//! Directory records and the numbers in them.

use jiff::Timestamp;
use jiff::tz::Offset;

/// The most bytes of a record.
pub(crate) const LONGEST: usize = 254;

/// A number in both byte orders.
pub(crate) fn both_u32(number: u32) -> [u8; 8] {
    let mut both = [0; 8];
    both[..4].copy_from_slice(&number.to_le_bytes());
    both[4..].copy_from_slice(&number.to_be_bytes());
    both
}

/// A number in both byte orders.
pub(crate) fn both_u16(number: u16) -> [u8; 4] {
    let mut both = [0; 4];
    both[..2].copy_from_slice(&number.to_le_bytes());
    both[2..].copy_from_slice(&number.to_be_bytes());
    both
}

/// A time as seven bytes, in UTC.
pub(crate) fn short_time(at: Timestamp) -> [u8; 7] {
    let at = Offset::UTC.to_datetime(at);
    let year = at.year().clamp(1900, 2155) - 1900;
    let byte = |number: i8| u8::try_from(number).unwrap_or_default();
    [
        u8::try_from(year).unwrap_or_default(),
        byte(at.month()),
        byte(at.day()),
        byte(at.hour()),
        byte(at.minute()),
        byte(at.second()),
        0,
    ]
}

/// A directory record: where something lies, and its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) identifier: &'a [u8],
    pub(crate) sector: u32,
    pub(crate) size: u32,
    pub(crate) modified: Timestamp,
    pub(crate) is_folder: bool,
    /// Is true when the file goes on in the record behind this one.
    pub(crate) goes_on: bool,
    /// The entries of Rock Ridge.
    pub(crate) beside: &'a [u8],
}

/// The bytes of a record before the entries beside it.
pub(crate) fn bare(identifier: &[u8]) -> usize {
    // Both parts have an even length.
    (33 + identifier.len()).next_multiple_of(2)
}

/// The bytes of a record.
pub(crate) fn length(identifier: &[u8], beside: usize) -> usize {
    (bare(identifier) + beside).next_multiple_of(2)
}

impl Record<'_> {
    /// The record as it stands in an image.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = length(self.identifier, self.beside.len());
        let mut bytes = Vec::with_capacity(length);
        bytes.push(u8::try_from(length).unwrap_or(u8::MAX));
        bytes.push(0);
        bytes.extend(both_u32(self.sector));
        bytes.extend(both_u32(self.size));
        bytes.extend(short_time(self.modified));
        bytes.push(u8::from(self.is_folder) << 1 | u8::from(self.goes_on) << 7);
        bytes.extend([0, 0]);
        bytes.extend(both_u16(1));
        bytes.push(u8::try_from(self.identifier.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.identifier);
        bytes.resize(bare(self.identifier), 0);
        bytes.extend_from_slice(self.beside);
        bytes.resize(length, 0);
        bytes
    }
}
