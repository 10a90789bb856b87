//! Gzip files of several members (RFC 1952 §2.2), each of which says in its header what it holds and where it ends: a
//! part that has not changed can be taken over into the next file as it is. Every reader of gzip takes such a file for
//! one stream.
//!
//! ```text
//! member   10 bytes as in every gzip file, with the flag FEXTRA
//!          u16 41, then one field: "pi", u16 37, u32 length of the member, 32 bytes key, u8 1 when its run goes on
//!          deflate, CRC-32 and size of what is packed
//! ```
//!
//! The key says what a member was made from. Members that follow each other and have one key are one *run*: what was too
//! large for one member. [`PLAIN`] is the key of what is not worth finding again; a file ends with such a member.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// The key of all that a member was made from: a digest over everything that decides its content.
pub type Key = [u8; 32];

/// The key of members that nobody looks for.
pub const PLAIN: Key = [0; 32];

const HEADER: usize = 53;
const TRAILER: usize = 8;
/// Flag FEXTRA, no time, no system; one field of 37 bytes called "pi".
const START: [u8; 16] = [
    0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 41, 0, b'p', b'i', 37, 0,
];
/// Most bytes that a member is believed to hold unpacked, in bytes.
const MAX_OPEN: usize = 128 << 20;
/// Most members of one file.
const MAX_MEMBERS: usize = 1 << 20;

/// Level of gzip. Measured on the primary.xml of 10,000 packages, rendering included: level 1 takes 84 ms for 1.01 MB,
/// this one 106 ms for 0.72 MB, level 6 takes 162 ms for 0.61 MB.
pub const LEVEL: u32 = 3;

/// Makes members, one after the other, with one compressor.
pub struct MemberPacker {
    deflate: Compress,
    member: Vec<u8>,
}

impl Default for MemberPacker {
    fn default() -> Self {
        Self {
            deflate: Compress::new(Compression::new(LEVEL), false),
            member: Vec::new(),
        }
    }
}

impl MemberPacker {
    /// The member that holds `open`, valid until the next call; `more` when its run goes on.
    ///
    /// # Errors
    /// When it is too large for one member, or zlib fails.
    pub fn pack(&mut self, key: &Key, more: bool, open: &[u8]) -> io::Result<&[u8]> {
        let too_large = |_| io::Error::other("a member of a document is too large");
        let open_size = u32::try_from(open.len()).map_err(too_large)?;
        let member = &mut self.member;
        member.clear();
        member.extend_from_slice(&START);
        member.extend_from_slice(&[0; 4]);
        member.extend_from_slice(key);
        member.push(more.into());
        self.deflate.reset();
        loop {
            let room = member.capacity() - member.len();
            member.reserve(if room < 1024 { 64 << 10 } else { 0 });
            let taken = usize::try_from(self.deflate.total_in()).map_err(io::Error::other)?;
            let status =
                self.deflate
                    .compress_vec(&open[taken..], member, FlushCompress::Finish)?;
            if status == Status::StreamEnd {
                break;
            }
        }
        let mut crc = Crc::new();
        crc.update(open);
        member.extend_from_slice(&crc.sum().to_le_bytes());
        member.extend_from_slice(&open_size.to_le_bytes());
        let size = u32::try_from(member.len()).map_err(too_large)?;
        member[START.len()..START.len() + 4].copy_from_slice(&size.to_le_bytes());
        Ok(member)
    }
}

/// The header of a member.
struct Header {
    size: u64,
    key: Key,
    more: bool,
}

/// The header of a member; `None` when it is not of this kind.
fn parse(header: &[u8; HEADER]) -> Option<Header> {
    let (size, rest) = header.strip_prefix(&START)?.split_first_chunk::<4>()?;
    let (key, more) = rest.split_first_chunk::<32>()?;
    let size = u32::from_le_bytes(*size);
    (size as usize >= HEADER + TRAILER && more[0] <= 1).then(|| Header {
        size: size.into(),
        key: *key,
        more: more[0] == 1,
    })
}

fn damaged() -> io::Error {
    io::Error::other("a document of the last publication is damaged")
}

/// An older file of members, to take runs from. Whoever opens it has seen that it is the file that was written; CRCs are left
/// to those who read the next one.
pub struct Members<R> {
    file: R,
    runs: HashMap<Key, Range<u64>>,
    member: Vec<u8>,
    open: Vec<u8>,
    inflate: Decompress,
}

impl<R: Read + Seek> Members<R> {
    /// Looks through the headers of `file`; `None` when it is not made of such members from its first byte to its last.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(mut file: R) -> io::Result<Option<Self>> {
        let end = file.seek(SeekFrom::End(0))?;
        let mut runs: HashMap<Key, Range<u64>> = HashMap::new();
        let (mut at, mut members, mut last) = (0, 0, (PLAIN, false));
        while at < end {
            members += 1;
            if members > MAX_MEMBERS || end - at < HEADER as u64 {
                return Ok(None);
            }
            let mut header = [0; HEADER];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut header)?;
            let Some(header) = parse(&header).filter(|header| header.size <= end - at) else {
                return Ok(None);
            };
            let (key, next) = (header.key, at + header.size);
            let goes_on = last.1;
            match runs.get_mut(&key) {
                Some(run) if goes_on && key == last.0 => run.end = next,
                None if !goes_on && key == PLAIN => {}
                None if !goes_on => drop(runs.insert(key, at..next)),
                // A run in two places, or one that misses its end.
                _ => return Ok(None),
            }
            last = (key, header.more);
            at = next;
        }
        if last != (PLAIN, false) {
            return Ok(None);
        }
        Ok(Some(Self {
            file,
            runs,
            member: Vec::new(),
            open: Vec::new(),
            inflate: Decompress::new(false),
        }))
    }

    /// The keys of its runs.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.runs.keys()
    }

    /// The keys of its runs as they follow each other.
    #[must_use]
    pub fn ordered_keys(&self) -> Vec<Key> {
        let mut runs: Vec<(u64, Key)> = self.runs.iter().map(|(k, run)| (run.start, *k)).collect();
        runs.sort_unstable();
        runs.into_iter().map(|(_, key)| key).collect()
    }

    /// Hands the members of a run to `take`, each unpacked and packed.
    ///
    /// # Errors
    /// When there is no such run, it cannot be read, or what `take` fails with.
    pub fn copy(
        &mut self,
        key: &Key,
        mut take: impl FnMut(&[u8], &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let run = self.runs.get(key).cloned().ok_or_else(damaged)?;
        let mut at = run.start;
        while at < run.end {
            self.read(at, run.end - at, key)?;
            take(&self.open, &self.member)?;
            at += self.member.len() as u64;
        }
        Ok(())
    }

    /// Reads the member at `at`, which is no longer than `most`.
    fn read(&mut self, at: u64, most: u64, key: &Key) -> io::Result<()> {
        let mut header = [0; HEADER];
        self.file.seek(SeekFrom::Start(at))?;
        self.file.read_exact(&mut header)?;
        let Header { size, .. } = parse(&header)
            .filter(|found| found.size <= most && found.key == *key)
            .ok_or_else(damaged)?;
        self.member.clear();
        self.member.write_all(&header)?;
        let rest = size - HEADER as u64;
        if self
            .file
            .by_ref()
            .take(rest)
            .read_to_end(&mut self.member)? as u64
            != rest
        {
            return Err(damaged());
        }
        self.unpack()
    }

    fn unpack(&mut self) -> io::Result<()> {
        let (packed, size) = self.member.split_last_chunk::<4>().ok_or_else(damaged)?;
        let packed = packed
            .get(HEADER..packed.len().saturating_sub(4))
            .ok_or_else(damaged)?;
        let size = u32::from_le_bytes(*size) as usize;
        if size > MAX_OPEN || size / 2048 > packed.len() {
            // No deflate packs better than 1 to 1032.
            return Err(damaged());
        }
        self.open.resize(size, 0);
        self.inflate.reset(false);
        let status = self
            .inflate
            .decompress(packed, &mut self.open, FlushDecompress::Finish)?;
        let whole = status == Status::StreamEnd
            && self.inflate.total_in() == packed.len() as u64
            && self.inflate.total_out() == size as u64;
        if whole { Ok(()) } else { Err(damaged()) }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use flate2::read::MultiGzDecoder;
    use proptest::prelude::*;

    use super::*;

    /// Members of these keys, and the one that ends a file.
    fn file(members: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut packer = MemberPacker::default();
        let mut out = Vec::new();
        for (at, (key, open)) in members.iter().enumerate() {
            let more = members.get(at + 1).is_some_and(|(next, _)| next == key);
            out.extend_from_slice(packer.pack(&[*key; 32], more, open).unwrap());
        }
        out.extend_from_slice(packer.pack(&PLAIN, false, b"").unwrap());
        out
    }

    fn taken(file: &[u8], key: u8) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let mut members = Members::find(Cursor::new(file))?.ok_or_else(damaged)?;
        let (mut open, mut packed) = (Vec::new(), Vec::new());
        members.copy(&[key; 32], |o, p| {
            open.extend_from_slice(o);
            packed.extend_from_slice(p);
            Ok(())
        })?;
        Ok((open, packed))
    }

    #[test]
    fn members_of_one_key_in_a_row_are_one_run() {
        let bytes = file(&[
            (0, b"head".to_vec()),
            (7, b"one ".to_vec()),
            (7, b"two".to_vec()),
            (8, Vec::new()),
        ]);
        assert_eq!(taken(&bytes, 7).unwrap().0, b"one two");
        assert_eq!(taken(&bytes, 8).unwrap().0, b"");
        assert!(taken(&bytes, 9).is_err());
        assert!(
            taken(&bytes, 0).is_err(),
            "what is plain cannot be taken over"
        );
    }

    #[test]
    fn files_of_others_are_no_members() {
        let mut plain = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
        plain.write_all(b"text").unwrap();
        let find = |bytes: Vec<u8>| Members::find(Cursor::new(bytes)).unwrap().is_some();
        assert!(!find(plain.finish().unwrap()));
        assert!(!find(b"<?xml".to_vec()));
        let split = file(&[(7, vec![1]), (8, vec![2]), (7, vec![3])]);
        assert!(!find(split));
        assert!(find(file(&[(7, vec![1])])));
    }

    proptest! {
        #[test]
        fn every_reader_sees_one_stream(
            members in proptest::collection::vec((1u8..4, proptest::collection::vec(any::<u8>(), 0..3000)), 0..6)
        ) {
            let bytes = file(&members);
            let mut open = Vec::new();
            MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut open).unwrap();
            let whole: Vec<u8> = members.iter().flat_map(|(_, open)| open.clone()).collect();
            prop_assert_eq!(open, whole);
        }

        #[test]
        fn no_file_makes_it_panic(
            open in proptest::collection::vec(0u8..4, 1..3000), place in any::<prop::sample::Index>(), with in any::<u8>()
        ) {
            let (first, second) = open.split_at(open.len() / 2);
            let mut bytes = file(&[(7, first.to_vec()), (7, second.to_vec()), (8, vec![1, 2, 3])]);
            let at = place.index(bytes.len());
            bytes[at] = with;
            let _ = taken(&bytes, 7);
            let _ = taken(&bytes[..at], 7);
        }
    }
}
