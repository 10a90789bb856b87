//! Bodies under a `Content-Encoding` that nobody asked for: undone as they come, in bounded memory.
//!
//! Every request says `Accept-Encoding: identity`; some servers pack all the same. A header says little, though: a
//! `.gz` file served as `Content-Encoding: gzip` is itself what was promised, and some servers send the header with bytes
//! that are not packed at all. So the choice between the bytes as sent and the bytes unpacked is a [`Reading`], and where
//! size or digest are promised the other one is tried when the first does not verify.

use std::io::{self, Write};

use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use url::Url;
use zstd::stream::raw::{DParameter, Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

use crate::download::Request;
use crate::error::ErrorKind;

/// Packed bytes undone at a time: no more than some MiB can come of so many.
const GZIP_SLICE: usize = 4096;
/// The most packed bytes of Zstandard that are taken at once: it can make 128 KiB of four bytes.
const ZSTD_SLICE: usize = 64;
/// Bytes that tell whether a body is packed at all.
const MAGIC: usize = 4;
/// The largest window of Zstandard over HTTP (RFC 9659), as a power of two.
const ZSTD_WINDOW: u32 = 23;

/// A coding that can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    Zstd,
}

impl Coding {
    /// The coding that the headers of an answer name; `None` without one, and for one that cannot be undone.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(name), None) = (all.next(), all.next()) else {
            return None;
        };
        match name.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Tells whether a file of this name is packed in this way by itself.
    fn is_of(self, url: &Url) -> bool {
        let path = url.path().to_ascii_lowercase();
        let ends = |with: &[&str]| with.iter().any(|end| path.ends_with(end));
        match self {
            Self::Gzip => ends(&[".gz", ".tgz", ".svgz"]),
            Self::Deflate => false,
            Self::Zstd => ends(&[".zst", ".tzst"]),
        }
    }

    /// Tells whether a body that begins so is packed in this way.
    fn begins(self, start: &[u8]) -> bool {
        match self {
            Self::Gzip => start.starts_with(b"\x1f\x8b"),
            // Without a head of its own nothing tells.
            Self::Deflate => true,
            Self::Zstd => start.starts_with(b"\x28\xb5\x2f\xfd"),
        }
    }
}

/// The way in which the bodies of one URL are read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// A decision by a body that came: whether bodies are unpacked.
    unpack: Option<bool>,
    /// Is true when both ways were tried.
    both: bool,
}

impl Reading {
    /// Tells whether the body of an answer with `coding` is to be unpacked; `total` is the size it is sent with.
    pub(crate) fn unpacks(
        &mut self,
        coding: Coding,
        request: &Request,
        url: &Url,
        total: Option<u64>,
    ) -> bool {
        *self.unpack.get_or_insert_with(|| {
            let promised = request.expect_size.is_some() || !request.expect.is_empty();
            match (promised, request.expect_size, total) {
                // Nothing can tell which is meant, so the header counts.
                (false, ..) => true,
                (true, Some(expected), Some(total)) => expected != total,
                (true, ..) => !coding.is_of(url),
            }
        })
    }

    /// Switches to the other way of reading after a body did not verify; false when there is none left.
    pub(crate) fn turn(&mut self, kind: &ErrorKind) -> bool {
        let wrong = matches!(
            kind,
            ErrorKind::SizeMismatch { .. }
                | ErrorKind::DigestMismatch { .. }
                | ErrorKind::TooLarge { .. }
                | ErrorKind::Encoding
        );
        match self.unpack {
            Some(unpack) if wrong && !self.both => {
                *self = Self {
                    unpack: Some(!unpack),
                    both: true,
                };
                true
            }
            _ => false,
        }
    }
}

enum Stage {
    /// Too few bytes came to tell.
    Start(Vec<u8>),
    /// Bytes that are not packed, whatever the header says.
    Plain,
    Gzip(Box<MultiGzDecoder<Vec<u8>>>),
    Zlib(Box<ZlibDecoder<Vec<u8>>>),
    Deflate(Box<DeflateDecoder<Vec<u8>>>),
    Zstd(Box<ZstdDecoder<'static>>, Vec<u8>),
}

/// Unpacks one body.
pub(crate) struct Unpacker {
    coding: Coding,
    stage: Stage,
    /// Packed bytes that came.
    taken: u64,
    /// Is true when a frame of Zstandard is open.
    open: bool,
}

impl Unpacker {
    pub(crate) fn new(coding: Coding) -> Self {
        Self {
            coding,
            stage: Stage::Start(Vec::new()),
            taken: 0,
            open: false,
        }
    }

    /// Tells whether the body was packed indeed.
    pub(crate) fn unpacked(&self) -> bool {
        !matches!(self.stage, Stage::Start(_) | Stage::Plain)
    }

    /// Packed bytes that came.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Packed bytes to push at a time.
    pub(crate) fn slice(&self) -> usize {
        match self.coding {
            Coding::Zstd => ZSTD_SLICE,
            _ => GZIP_SLICE,
        }
    }

    /// The bytes that `input` unpacks to; at most [`Unpacker::slice`] bytes at a time keep that small.
    pub(crate) fn push(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        self.taken += input.len() as u64;
        if let Stage::Start(start) = &mut self.stage {
            start.extend_from_slice(input);
            if start.len() < MAGIC {
                return Ok(Vec::new());
            }
            let start = std::mem::take(start);
            self.stage = self.begin(&start)?;
            return self.unpack(&start);
        }
        self.unpack(input)
    }

    /// The bytes that were left at the end of the body.
    pub(crate) fn finish(&mut self) -> io::Result<Vec<u8>> {
        match &mut self.stage {
            // Too short to be packed.
            Stage::Start(start) => Ok(std::mem::take(start)),
            Stage::Plain => Ok(Vec::new()),
            Stage::Gzip(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Zlib(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Deflate(decoder) => {
                decoder.try_finish()?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Zstd(..) if self.open => Err(io::ErrorKind::UnexpectedEof.into()),
            Stage::Zstd(..) => Ok(Vec::new()),
        }
    }

    fn begin(&self, start: &[u8]) -> io::Result<Stage> {
        if !self.coding.begins(start) {
            return Ok(Stage::Plain);
        }
        Ok(match self.coding {
            Coding::Gzip => Stage::Gzip(Box::new(MultiGzDecoder::new(Vec::new()))),
            // Some servers send the bare stream, some with zlib's head, which is what was meant.
            Coding::Deflate => {
                let head = u16::from_be_bytes([start[0], start[1]]);
                if start[0] & 0x0f == 8 && head.is_multiple_of(31) {
                    Stage::Zlib(Box::new(ZlibDecoder::new(Vec::new())))
                } else {
                    Stage::Deflate(Box::new(DeflateDecoder::new(Vec::new())))
                }
            }
            Coding::Zstd => {
                let mut decoder = ZstdDecoder::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW))?;
                Stage::Zstd(Box::new(decoder), vec![0; 128 * 1024])
            }
        })
    }

    fn unpack(&mut self, input: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.stage {
            Stage::Start(_) | Stage::Plain => Ok(input.to_vec()),
            Stage::Gzip(decoder) => {
                decoder.write_all(input)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Zlib(decoder) => {
                decoder.write_all(input)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Deflate(decoder) => {
                decoder.write_all(input)?;
                Ok(std::mem::take(decoder.get_mut()))
            }
            Stage::Zstd(decoder, room) => {
                let mut unpacked = Vec::new();
                let mut input = InBuffer::around(input);
                loop {
                    let mut out = OutBuffer::around(room.as_mut_slice());
                    self.open = decoder.run(&mut input, &mut out)? != 0;
                    let wrote = out.as_slice().len();
                    unpacked.extend_from_slice(out.as_slice());
                    if input.pos() == input.src.len() && wrote < room.len() {
                        return Ok(unpacked);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn packed(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::fast();
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Zstd => zstd::encode_all(bytes, 1).unwrap(),
        }
    }

    fn unpacked(coding: Coding, input: &[u8], step: usize) -> io::Result<Vec<u8>> {
        let mut unpacker = Unpacker::new(coding);
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            out.extend(unpacker.push(piece)?);
        }
        out.extend(unpacker.finish()?);
        Ok(out)
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked_in_pieces_of_any_size(
            bytes in proptest::collection::vec(0_u8..4, 0..5000),
            step in 1_usize..100,
        ) {
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
                prop_assert_eq!(&unpacked(coding, &packed(coding, &bytes), step).unwrap(), &bytes);
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Zstd] {
                let _ = unpacked(coding, &bytes, 7);
                let magic = packed(coding, b"");
                let _ = unpacked(coding, &[&magic[..4], &bytes].concat(), 7);
            }
        }
    }

    #[test]
    fn a_bare_deflate_stream_is_unpacked_too() {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"some text, some text").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(
            unpacked(Coding::Deflate, &packed, 3).unwrap(),
            b"some text, some text"
        );
    }

    #[test]
    fn bytes_that_are_not_packed_stay_and_a_cut_stream_is_refused() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            assert_eq!(unpacked(coding, b"<repomd/>", 2).unwrap(), b"<repomd/>");
            let whole = packed(coding, &[7; 1000]);
            assert!(unpacked(coding, &whole[..whole.len() - 1], 5).is_err());
        }
    }
}
