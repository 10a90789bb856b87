//! The facts that the beginning of an RPM file tells: who signed it and whether it belongs to a module. Reads only the tags
//! it wants and trusts no length or offset.

use std::io::{Read, Seek, SeekFrom};

use super::MetadataError;
use super::limits::Sum;

/// Tags of the signature header, in order of preference (pulp2/rpm-units#signing-key).
const SIGNATURES: [u32; 4] = [267, 268, 1005, 1002];
const MODULARITYLABEL: u32 = 5096;
const DISTTAG: u32 = 1155;
const LEAD: usize = 96;
/// The part of a file that is looked at when the metadata does not say where its header ends, in bytes.
pub const DEFAULT_HEAD: usize = 64 << 10;
/// Most that is looked at, in bytes.
pub const MAX_HEAD: usize = 2 << 20;

/// The facts learnt of a package file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeadFacts {
    /// Short id of the signing key: eight lower-case hexadecimal digits.
    pub signing_key: Option<String>,
    /// Is true when the package belongs to a module.
    pub modular: bool,
}

/// Reads the beginning of a package file. `None` when it is no RPM. A header that is cut off yields what was there.
#[must_use]
pub fn facts(head: &[u8]) -> Option<HeadFacts> {
    if !head.starts_with(&[0xed, 0xab, 0xee, 0xdb]) {
        return None;
    }
    let signatures = Header::parse(head.get(LEAD..)?)?;
    let signing_key = SIGNATURES
        .iter()
        .find_map(|tag| signatures.bytes(*tag).and_then(key_id));
    let start = LEAD + signatures.len.next_multiple_of(8);
    let main = head.get(start..).and_then(Header::parse);
    let modular = main.is_some_and(|header| {
        header.text(MODULARITYLABEL).is_some_and(|t| !t.is_empty())
            || header
                .text(DISTTAG)
                .is_some_and(|t| t.starts_with(b"module(") && t.ends_with(b")"))
    });
    Some(HeadFacts {
        signing_key,
        modular,
    })
}

/// Most entries of an index: rpm itself refuses more.
const MAX_TAGS: usize = 0xffff;
/// Largest header, in bytes. rpm takes 256 MiB; packages of 100,000 files have some 20.
const MAX_BYTES: usize = 48 << 20;
/// Most texts of both headers: those of 200,000 files.
const MAX_TEXTS: u64 = 1_600_000;
/// Most values of one tag: files, for most.
const MAX_VALUES: u64 = 400_000;

/// Looks at the two headers of a package file before anything makes values of them: headers are small, and the values many times
/// as large.
///
/// # Errors
/// [`MetadataError::Limit`] when they are too large, [`MetadataError::Structure`] when they are none.
pub fn check(file: &mut (impl Read + Seek)) -> Result<(), MetadataError> {
    let mut texts = Sum::new("number of texts in the header", MAX_TEXTS);
    let mut at = LEAD as u64;
    for _ in 0..2 {
        file.seek(SeekFrom::Start(at))?;
        at += check_one(file, &mut texts)?.next_multiple_of(8);
    }
    Ok(())
}

/// Checks the header that begins here; answers its length.
fn check_one(file: &mut impl Read, texts: &mut Sum) -> Result<u64, MetadataError> {
    let none = || MetadataError::structure("it has no header");
    let mut head = [0; 16];
    file.read_exact(&mut head)?;
    let (tags, size) = be32(&head, 8).zip(be32(&head, 12)).ok_or_else(none)?;
    if !head.starts_with(&MAGIC) {
        return Err(none());
    }
    Sum::new("number of tags in the header", MAX_TAGS as u64).add(tags)?;
    Sum::new("bytes of the header", MAX_BYTES as u64).add(size)?;
    for _ in 0..tags {
        let mut entry = [0; 16];
        file.read_exact(&mut entry)?;
        let (kind, count) = be32(&entry, 4).zip(be32(&entry, 12)).ok_or_else(none)?;
        if be32(&entry, 8).is_none_or(|offset| offset > size) {
            return Err(MetadataError::structure(
                "its header names values that lie outside of it",
            ));
        }
        match kind {
            6 | 8 | 9 => texts.add(count)?,
            // Bytes, which are as large as they are.
            7 => continue,
            _ => {}
        }
        Sum::new("number of values of a tag in the header", MAX_VALUES).add(count)?;
    }
    Ok((16 + tags * 16 + size) as u64)
}

/// The beginning of a header structure.
const MAGIC: [u8; 4] = [0x8e, 0xad, 0xe8, 1];

/// One header structure: an index of 16-byte entries, then their values.
struct Header<'a> {
    index: &'a [u8],
    store: &'a [u8],
    /// Length of the whole structure, as it says.
    len: usize,
}

fn be32(bytes: &[u8], at: usize) -> Option<usize> {
    let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(four)).ok()
}

impl<'a> Header<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(&MAGIC) {
            return None;
        }
        let entries = be32(bytes, 8)?;
        let size = be32(bytes, 12)?;
        // rpm itself refuses more.
        if entries > MAX_TAGS || size > 0x1000_0000 {
            return None;
        }
        let index_end = 16 + entries * 16;
        let rest = bytes.get(index_end..)?;
        Some(Self {
            index: &bytes[16..index_end],
            store: &rest[..size.min(rest.len())],
            len: index_end + size,
        })
    }

    /// Offset into the store and count of a tag.
    fn find(&self, tag: u32) -> Option<(usize, usize)> {
        self.index
            .chunks_exact(16)
            .find(|entry| entry[..4] == tag.to_be_bytes())
            .and_then(|entry| Some((be32(entry, 8)?, be32(entry, 12)?)))
    }

    fn bytes(&self, tag: u32) -> Option<&'a [u8]> {
        let (offset, count) = self.find(tag)?;
        self.store.get(offset..offset.checked_add(count)?)
    }

    fn text(&self, tag: u32) -> Option<&'a [u8]> {
        let (offset, _) = self.find(tag)?;
        let rest = self.store.get(offset..)?;
        Some(&rest[..memchr::memchr(0, rest)?])
    }
}

/// The short key id of an OpenPGP signature packet.
fn key_id(packet: &[u8]) -> Option<String> {
    let (&tag, rest) = packet.split_first()?;
    let body = if tag & 0x40 == 0 {
        // Old format: the length's length is in the tag.
        rest.get(1 << (tag & 3)..)?
    } else {
        let skip = match *rest.first()? {
            0..192 => 1,
            192..224 => 2,
            _ => 5,
        };
        rest.get(skip..)?
    };
    let id = match *body.first()? {
        3 => body.get(7..15)?,
        4 | 5 => {
            let hashed = usize::from(u16::from_be_bytes(body.get(4..6)?.try_into().ok()?));
            let after = body.get(6 + hashed..)?;
            let open = usize::from(u16::from_be_bytes(after.get(..2)?.try_into().ok()?));
            issuer(body.get(6..6 + hashed)?).or_else(|| issuer(after.get(2..2 + open)?))?
        }
        _ => return None,
    };
    Some(hex::encode(id.get(id.len().checked_sub(4)?..)?))
}

/// The issuer in a list of signature subpackets: a key id, or a fingerprint that ends with it.
fn issuer(mut subpackets: &[u8]) -> Option<&[u8]> {
    while let Some((&first, rest)) = subpackets.split_first() {
        let (length, rest) = match first {
            0..192 => (usize::from(first), rest),
            192..255 => {
                let (&second, rest) = rest.split_first()?;
                (
                    ((usize::from(first) - 192) << 8) + usize::from(second) + 192,
                    rest,
                )
            }
            255 => (be32(rest, 0)?, rest.get(4..)?),
        };
        let packet = rest.get(..length)?;
        match packet.split_first() {
            Some((kind, id)) if kind & 0x7f == 16 => return Some(id),
            Some((kind, [4, fingerprint @ ..])) if kind & 0x7f == 33 => return Some(fingerprint),
            _ => {}
        }
        subpackets = &rest[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(entries: &[(u32, &[u8])]) -> Vec<u8> {
        let mut index = Vec::new();
        let mut store = Vec::new();
        for (tag, value) in entries {
            index.extend_from_slice(&tag.to_be_bytes());
            index.extend_from_slice(&7u32.to_be_bytes());
            index.extend_from_slice(&u32::try_from(store.len()).unwrap().to_be_bytes());
            index.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            store.extend_from_slice(value);
        }
        let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        out.extend_from_slice(&u32::try_from(entries.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&u32::try_from(store.len()).unwrap().to_be_bytes());
        out.extend_from_slice(&index);
        out.extend_from_slice(&store);
        out
    }

    fn package(signature: &[u8], label: &[u8]) -> Vec<u8> {
        let mut out = vec![0xed, 0xab, 0xee, 0xdb];
        out.resize(LEAD, 0);
        out.extend(header(&[(268, signature)]));
        out.resize(LEAD + (out.len() - LEAD).next_multiple_of(8), 0);
        out.extend(header(&[(MODULARITYLABEL, label)]));
        out
    }

    const V4: [u8; 21] = [
        0x88, 19, 4, 0, 1, 8, 0, 0, 0, 10, 9, 16, 0xab, 0xcd, 0xef, 1, 0x26, 0x9d, 0x9d, 0x98, 0,
    ];

    #[test]
    fn the_signing_key_and_the_module_are_found() {
        let facts = facts(&package(&V4, b"kangaroo:0:1:c\0")).unwrap();
        assert_eq!(facts.signing_key.as_deref(), Some("269d9d98"));
        assert!(facts.modular);
    }

    #[test]
    fn an_unsigned_package_has_no_key_and_other_files_are_no_packages() {
        let mut plain = vec![0xed, 0xab, 0xee, 0xdb];
        plain.resize(LEAD, 0);
        plain.extend(header(&[(1000, b"x")]));
        assert_eq!(facts(&plain), Some(HeadFacts::default()));
        assert_eq!(facts(b"drpm or html"), None);
    }

    /// A package file whose main header has these tags: kind and count of values.
    fn tagged(tags: &[(u32, u32)], size: u32) -> std::io::Cursor<Vec<u8>> {
        let mut out = package(&V4, b"a:b:1:c\0");
        out.truncate(LEAD + (16 + 16 + V4.len()).next_multiple_of(8));
        out.extend(MAGIC);
        let count = u32::try_from(tags.len()).unwrap();
        for number in [0, count, size] {
            out.extend(u32::to_be_bytes(number));
        }
        for (kind, count) in tags {
            for number in [1000, *kind, 0, *count] {
                out.extend(u32::to_be_bytes(number));
            }
        }
        std::io::Cursor::new(out)
    }

    #[test]
    fn headers_of_more_than_any_package_has_are_refused_before_they_are_read() {
        let real = [(8, 200_000), (4, 200_000), (8, 200_000), (7, 40 << 20)];
        check(&mut tagged(&real, 48 << 20)).unwrap();
        for (tags, size) in [
            (vec![(8, 400_001)], 1 << 20),
            (vec![(8, 400_000); 5], 1 << 20),
            (vec![(4, 400_001)], 1 << 20),
            (vec![], (48 << 20) + 1),
            (vec![], u32::MAX),
        ] {
            let error = check(&mut tagged(&tags, size)).unwrap_err();
            assert!(matches!(error, MetadataError::Limit { .. }), "{error}");
        }
        let many = vec![(7, 1); MAX_TAGS + 1];
        assert!(check(&mut tagged(&many, 9)).is_err());
        assert!(check(&mut std::io::Cursor::new(vec![0; 300])).is_err());
    }

    #[test]
    fn a_header_that_names_values_outside_of_it_is_refused_before_it_is_read() {
        let size: u32 = 100;
        let mut file = tagged(&[(6, 1)], size).into_inner();
        let offset_at = file.len() - 8;
        for (offset, is_taken) in [(size, true), (size + 1, false), (u32::MAX, false)] {
            file[offset_at..offset_at + 4].copy_from_slice(&offset.to_be_bytes());
            let checked = check(&mut std::io::Cursor::new(&file));
            assert_eq!(checked.is_ok(), is_taken, "{offset}: {checked:?}");
        }
    }

    proptest! {
        #[test]
        fn damaged_headers_never_panic(at in 0usize..260, byte in any::<u8>(), cut in 0usize..260) {
            let mut bytes = package(&V4, b"a:b:1:c\0");
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            let _ = facts(&bytes);
            let _ = check(&mut std::io::Cursor::new(bytes));
        }

        #[test]
        fn damaged_signatures_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = key_id(&bytes);
        }
    }
}
