//! Opening compressed metadata, whatever it is, without being flooded by it.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory that a decompressor may ask for, in bytes: what `xz -9` needs. Three documents are read at once.
const MAX_MEMORY: u64 = 72 << 20;
/// Largest window of zstd, as a power of two: 64 MiB, eight times that of the highest usual level.
const MAX_WINDOW_LOG: u32 = 26;
/// The number of decompressed bytes below which the ratio is not looked at.
const RATIO_FREE: u64 = 64 << 20;
/// Highest ratio of decompressed to compressed bytes above [`RATIO_FREE`].
const MAX_RATIO: u64 = 400;
/// Largest decompressed document, in bytes.
pub const MAX_OPEN_SIZE: u64 = 16 << 30;

struct Counted<R> {
    inner: R,
    seen: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.seen.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

/// Stops a stream that unpacks to more than it may.
struct Capped<R> {
    inner: R,
    compressed: Arc<AtomicU64>,
    open: u64,
    max: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.open += n as u64;
        let bomb = self.open > RATIO_FREE
            && self.open / self.compressed.load(Ordering::Relaxed).max(1) > MAX_RATIO;
        if self.open > self.max || bomb {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it unpacks to more than {} bytes", self.open - n as u64),
            ));
        }
        Ok(n)
    }
}

/// The decoder of one member of a stream that may have several.
trait Member: Read {
    /// The bytes that members begin with.
    const MAGIC: &'static [u8];
    /// The input that it reads from.
    type Input: BufRead;

    fn begin(input: Self::Input) -> Self;

    fn end(self) -> Self::Input;
}

impl<R: BufRead> Member for flate2::bufread::GzDecoder<R> {
    const MAGIC: &'static [u8] = &[0x1f, 0x8b];
    type Input = R;

    fn begin(input: R) -> Self {
        Self::new(input)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

impl<R: BufRead> Member for bzip2::bufread::BzDecoder<R> {
    const MAGIC: &'static [u8] = b"BZh";
    type Input = R;

    fn begin(input: R) -> Self {
        Self::new(input)
    }

    fn end(self) -> R {
        self.into_inner()
    }
}

/// Members one after the other. What comes behind the last one is passed over, as the usual tools do.
struct Members<M>(Option<M>);

impl<M: Member> Read for Members<M> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.0.take() {
            let n = member.read(buf)?;
            if n > 0 || buf.is_empty() {
                self.0 = Some(member);
                return Ok(n);
            }
            let mut input = member.end();
            // The buffer may end within the magic bytes: what looks like a member as far as it goes is one.
            let next = input.fill_buf()?;
            let is_another = !next.is_empty() && next.iter().zip(M::MAGIC).all(|(a, b)| a == b);
            self.0 = is_another.then(|| M::begin(input));
        }
        Ok(0)
    }
}

/// Opens `input`, recognised by its first bytes: gzip, xz, lzma, zstd, bzip2, or as it is. At most `max` bytes come out.
///
/// # Errors
/// When the first bytes cannot be read or the decompressor cannot be set up.
pub fn open(input: impl Read + Send + 'static, max: u64) -> io::Result<Box<dyn BufRead + Send>> {
    let compressed = Arc::new(AtomicU64::new(0));
    let mut input = BufReader::with_capacity(
        1 << 16,
        Counted {
            inner: input,
            seen: Arc::clone(&compressed),
        },
    );
    let magic = input.fill_buf()?;
    let decoder: Box<dyn Read + Send> = if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(Members(Some(flate2::bufread::GzDecoder::new(input))))
    } else if magic.starts_with(&[0x5d, 0, 0]) {
        let stream = liblzma::stream::Stream::new_lzma_decoder(MAX_MEMORY)?;
        Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
    } else if magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        let stream =
            liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, liblzma::stream::CONCATENATED)?;
        Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
    } else if is_zstd(magic) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Box::new(decoder)
    } else if magic.starts_with(b"BZh") {
        Box::new(Members(Some(bzip2::bufread::BzDecoder::new(input))))
    } else {
        Box::new(input)
    };
    Ok(Box::new(BufReader::with_capacity(
        1 << 16,
        Capped {
            inner: decoder,
            compressed,
            open: 0,
            max,
        },
    )))
}

/// Tells whether a frame of zstd begins here, or one that it passes over.
fn is_zstd(magic: &[u8]) -> bool {
    let skipped = matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    skipped || magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: Vec<u8>, max: u64) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        open(io::Cursor::new(bytes), max)?.read_to_end(&mut out)?;
        Ok(out)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        gz.write_all(bytes).unwrap();
        gz.finish().unwrap()
    }

    #[test]
    fn every_compression_is_recognised_by_its_first_bytes() {
        let text = b"<metadata/>".repeat(100);
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 3);
        xz.write_all(&text).unwrap();
        let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(5));
        bz.write_all(&text).unwrap();
        let all = [
            text.clone(),
            gzip(&text),
            xz.finish().unwrap(),
            bz.finish().unwrap(),
            zstd::encode_all(text.as_slice(), 3).unwrap(),
        ];
        for bytes in all {
            assert_eq!(read(bytes, 1 << 20).unwrap(), text);
        }
        let options = liblzma::stream::LzmaOptions::new_preset(3).unwrap();
        let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
        let mut lzma = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
        lzma.write_all(&text).unwrap();
        assert_eq!(read(lzma.finish().unwrap(), 1 << 20).unwrap(), text);
        let skipped = b"\x50\x2a\x4d\x18\x02\0\0\0ab".to_vec();
        let zstd = zstd::encode_all(text.as_slice(), 3).unwrap();
        let zstd = [skipped, zstd.clone(), zstd].concat();
        assert_eq!(read(zstd, 1 << 20).unwrap(), text.repeat(2));
        assert!(read(Vec::new(), 10).unwrap().is_empty());
    }

    #[test]
    fn members_follow_one_another_and_what_is_behind_them_is_passed_over() {
        let bzip2 = |bytes: &[u8]| {
            let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(5));
            bz.write_all(bytes).unwrap();
            bz.finish().unwrap()
        };
        for [a, b] in [[gzip(b"a"), gzip(b"b")], [bzip2(b"a"), bzip2(b"b")]] {
            for behind in [b"".as_slice(), b"\0\0\0\0", b"junk", b"Bjunk"] {
                let all = [&a, &b, behind].concat();
                assert_eq!(read(all, 10).unwrap(), b"ab", "{behind:?}");
            }
            assert!(read([&a, &b[..b.len() - 6]].concat(), 10).is_err());
        }
    }

    #[test]
    fn bombs_and_long_documents_are_stopped() {
        let zeros = vec![0u8; 1 << 20];
        assert!(read(gzip(&zeros), 1000).is_err());
        let bomb = zstd::encode_all(io::repeat(0).take(100 << 20), 1).unwrap();
        assert!(read(bomb, MAX_OPEN_SIZE).is_err());
        assert!(read(gzip(&zeros)[..100].to_vec(), 1 << 30).is_err());
    }
}
