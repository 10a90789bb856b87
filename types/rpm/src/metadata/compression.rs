//! Opening compressed metadata, whatever it is, without being flooded by it.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Memory that a decompressor may ask for, in bytes.
const MAX_MEMORY: u64 = 256 << 20;
/// Below this many decompressed bytes the ratio is not looked at.
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

/// Opens `input`, recognised by its first bytes: gzip, xz, zstd, bzip2, or as it is. At most `max` bytes come out.
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
        Box::new(flate2::bufread::MultiGzDecoder::new(input))
    } else if magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        let stream =
            liblzma::stream::Stream::new_stream_decoder(MAX_MEMORY, liblzma::stream::CONCATENATED)?;
        Box::new(liblzma::bufread::XzDecoder::new_stream(input, stream))
    } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
        decoder.window_log_max(27)?;
        Box::new(decoder)
    } else if magic.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(input))
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
        let two = [gzip(b"a"), gzip(b"b")].concat();
        assert_eq!(read(two, 10).unwrap(), b"ab");
        assert!(read(Vec::new(), 10).unwrap().is_empty());
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
