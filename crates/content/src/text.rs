//! Text from outside as UTF-8, decoded while it is read: byte-order marks are dropped, encodings that a document declares
//! are obeyed, and what is no text at all becomes U+FFFD.

use std::io::{self, BufRead, Chain, Cursor, Read};

use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes looked at to find out what a document is written in.
const HEAD: u64 = 512;
/// Bytes decoded at a time.
const PIECE: usize = 4096;
/// U+FFFD in UTF-8.
const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();

/// The place where a document says what it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its byte-order mark, if it has one.
    Plain,
    /// Its byte-order mark, or its XML declaration.
    Xml,
}

/// A document as UTF-8. Bytes that are no text, and characters that no XML document can hold, become U+FFFD and are
/// counted.
pub struct Text<R> {
    source: Option<Chain<Cursor<Vec<u8>>, R>>,
    /// The kind of the document while it has not been looked at yet.
    unknown: Option<Kind>,
    /// The decoder, for documents that are not in UTF-8.
    decoder: Option<encoding_rs::Decoder>,
    /// The number of bytes at the start of the source's buffer that are fine as they are.
    fine: usize,
    /// Decoded bytes, and how many of them were taken.
    ready: Vec<u8>,
    taken: usize,
    ended: bool,
    replaced: u64,
}

impl<R: BufRead> Text<R> {
    /// A text file, such as YAML or a list: UTF-8, or as its byte-order mark says.
    pub fn plain(input: R) -> Self {
        Self::new(input, Kind::Plain)
    }

    /// An XML document: as its byte-order mark says, else as it declares, else UTF-8.
    pub fn xml(input: R) -> Self {
        Self::new(input, Kind::Xml)
    }

    fn new(input: R, kind: Kind) -> Self {
        Self {
            source: Some(Cursor::new(Vec::new()).chain(input)),
            unknown: Some(kind),
            decoder: None,
            fine: 0,
            ready: Vec::new(),
            taken: 0,
            ended: false,
            replaced: 0,
        }
    }

    /// The number of times that something became U+FFFD so far.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    fn source(&mut self) -> io::Result<&mut Chain<Cursor<Vec<u8>>, R>> {
        self.source
            .as_mut()
            .ok_or_else(|| io::Error::other("the document could not be read before"))
    }

    /// Finds out what the document is written in.
    fn begin(&mut self, kind: Kind) -> io::Result<()> {
        let Some(source) = self.source.take() else {
            return Ok(());
        };
        let (_, mut input) = source.into_inner();
        let mut head = Vec::new();
        Read::take(&mut input, HEAD).read_to_end(&mut head)?;
        let (skip, encoding) = encoding_of(&head, kind)?;
        head.drain(..skip);
        self.decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
        self.source = Some(Cursor::new(head).chain(input));
        Ok(())
    }

    /// Makes more of the document ready.
    fn more(&mut self) -> io::Result<()> {
        if let Some(kind) = self.unknown.take() {
            self.begin(kind)?;
        }
        self.ready.clear();
        self.taken = 0;
        match self.decoder.take() {
            Some(mut decoder) => {
                let result = self.decode(&mut decoder);
                self.decoder = Some(decoder);
                result
            }
            None => {
                let bytes = self.source()?.fill_buf()?;
                let (ended, good) = (bytes.is_empty(), fine(bytes));
                (self.ended, self.fine) = (ended, good);
                if self.ended || self.fine > 0 {
                    return Ok(());
                }
                self.mend()
            }
        }
    }

    fn decode(&mut self, decoder: &mut encoding_rs::Decoder) -> io::Result<()> {
        let mut piece = [0; PIECE * 3 + 16];
        let bytes = self.source()?.fill_buf()?;
        let bytes = &bytes[..bytes.len().min(PIECE)];
        let last = bytes.is_empty();
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(bytes, &mut piece, last);
        self.source()?.consume(read);
        // A decoder that was told of the end must not be asked again.
        self.ended = last && result == DecoderResult::InputEmpty;
        let mut rest = &piece[..written];
        while !rest.is_empty() {
            let (good, tail) = rest.split_at(fine(rest));
            self.ready.extend_from_slice(good);
            let character = tail
                .utf8_chunks()
                .next()
                .and_then(|c| c.valid().chars().next());
            if let Some(character) = character {
                self.replace();
                rest = &tail[character.len_utf8()..];
            } else {
                break;
            }
        }
        if let DecoderResult::Malformed(..) = result {
            self.replace();
        }
        Ok(())
    }

    fn replace(&mut self) {
        self.ready.extend_from_slice(REPLACEMENT);
        self.replaced += 1;
    }

    /// Reads the next character, which is broken, not allowed, or not whole in the source's buffer.
    fn mend(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4];
        let mut length = 0;
        loop {
            let next = self.source()?.fill_buf()?.first().copied();
            let Some(next) = next else {
                self.replace();
                return Ok(());
            };
            bytes[length] = next;
            let so_far = &bytes[..=length];
            match std::str::from_utf8(so_far) {
                Ok(_) => {
                    let allowed = fine(so_far) == so_far.len();
                    self.source()?.consume(1);
                    if allowed {
                        self.ready.extend_from_slice(&bytes[..=length]);
                    } else {
                        self.replace();
                    }
                    return Ok(());
                }
                Err(error) if error.error_len().is_none() && length < 3 => {
                    self.source()?.consume(1);
                    length += 1;
                }
                Err(error) => {
                    if error.error_len() == Some(length + 1) {
                        self.source()?.consume(1);
                    }
                    self.replace();
                    return Ok(());
                }
            }
        }
    }
}

impl<R: BufRead> BufRead for Text<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.taken == self.ready.len() && self.fine == 0 && !self.ended {
            self.more()?;
        }
        if self.fine > 0 {
            let fine = self.fine;
            let bytes = self.source()?.fill_buf()?;
            return Ok(&bytes[..fine.min(bytes.len())]);
        }
        Ok(&self.ready[self.taken..])
    }

    fn consume(&mut self, amount: usize) {
        if self.fine > 0 {
            let amount = amount.min(self.fine);
            self.fine -= amount;
            if let Some(source) = &mut self.source {
                source.consume(amount);
            }
        } else {
            self.taken = (self.taken + amount).min(self.ready.len());
        }
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(buf.len());
        buf[..n].copy_from_slice(&bytes[..n]);
        self.consume(n);
        Ok(n)
    }
}

/// The encoding of a document that begins so, and the length of its byte-order mark in bytes.
fn encoding_of(head: &[u8], kind: Kind) -> io::Result<(usize, &'static Encoding)> {
    if let Some((encoding, length)) = Encoding::for_bom(head) {
        return Ok((length, encoding));
    }
    if kind == Kind::Plain {
        return Ok((0, UTF_8));
    }
    match head {
        [b'<', 0, ..] => return Ok((0, UTF_16LE)),
        [0, b'<', ..] => return Ok((0, UTF_16BE)),
        _ => {}
    }
    let Some(label) = declared(head) else {
        return Ok((0, UTF_8));
    };
    // Every text of ASCII is one of UTF-8, and what declares ASCII and has more is mostly UTF-8.
    if ["us-ascii", "ascii"].contains(&label.to_ascii_lowercase().as_str()) {
        return Ok((0, UTF_8));
    }
    let encoding = Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let message = format!("its encoding '{label}' is not known");
        io::Error::new(io::ErrorKind::InvalidData, message)
    })?;
    // A declaration that can be read byte by byte is in no encoding of two bytes a character.
    let wide = encoding == UTF_16LE || encoding == UTF_16BE;
    Ok((0, if wide { UTF_8 } else { encoding }))
}

/// The encoding that an XML declaration names.
fn declared(head: &[u8]) -> Option<String> {
    let head = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|pair| pair == b"?>")?;
    let declaration = String::from_utf8_lossy(&head[..end]);
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (label, _) = rest[1..].split_once(quote)?;
    Some(label.trim().to_owned()).filter(|label| !label.is_empty())
}

/// The length of the start of `bytes` that is whole characters of UTF-8, all of which XML can hold.
fn fine(bytes: &[u8]) -> usize {
    let valid = match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    };
    let bytes = &bytes[..control(&bytes[..valid]).unwrap_or(valid)];
    memchr::memmem::find_iter(bytes, b"\xef\xbf")
        .find(|at| matches!(bytes.get(at + 2), Some(0xbe | 0xbf)))
        .unwrap_or(bytes.len())
}

/// The position of the first control character that XML cannot hold.
fn control(bytes: &[u8]) -> Option<usize> {
    let bad = |b: &u8| (*b < 0x20) & (*b != b'\t') & (*b != b'\n') & (*b != b'\r');
    // Block by block without branches, which is done for many bytes at once.
    let any = |block: &[u8]| block.iter().fold(false, |seen, b| seen | bad(b));
    let block = bytes.chunks(128).position(any)?;
    let from = block * 128;
    bytes[from..].iter().position(bad).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The text and how much of it was replaced, read through buffers of every small size.
    fn read(kind: Kind, bytes: &[u8]) -> (String, u64) {
        let results = [1, 2, 3, 7, 8192].map(|size| {
            let mut text = Text::new(BufReader::with_capacity(size, bytes), kind);
            let mut out = String::new();
            text.read_to_string(&mut out).unwrap();
            (out, text.replaced())
        });
        assert!(
            results.iter().all(|result| *result == results[0]),
            "{results:?}"
        );
        let [first, ..] = results;
        first
    }

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn declared_encodings_and_byte_order_marks_are_obeyed() {
        let utf8 = "<?xml version='1.0'?><a>Grüße €</a>";
        let with_mark = [b"\xef\xbb\xbf".as_slice(), utf8.as_bytes()].concat();
        for bytes in [
            utf8.as_bytes().to_vec(),
            with_mark,
            wide(utf8, u16::to_le_bytes),
            wide(utf8, u16::to_be_bytes),
            wide(&format!("\u{feff}{utf8}"), u16::to_le_bytes),
            wide(&format!("\u{feff}{utf8}"), u16::to_be_bytes),
        ] {
            assert_eq!(read(Kind::Xml, &bytes), (utf8.to_owned(), 0), "{bytes:?}");
        }
        for (label, bytes, text) in [
            ("ISO-8859-1", b"Gr\xfc\xdfe".as_slice(), "Grüße"),
            ("windows-1252", b"\x80 \x93x\x94", "€ “x”"),
            ("ISO-8859-15", b"\xa4", "€"),
            ("Shift_JIS", b"\x93\xfa\x96\x7b", "日本"),
            ("us-ascii", "ü".as_bytes(), "ü"),
            ("UTF-16", "ü".as_bytes(), "ü"),
        ] {
            let head = format!("<?xml version=\"1.0\" encoding = '{label}' ?>");
            let bytes = [head.as_bytes(), bytes].concat();
            assert_eq!(read(Kind::Xml, &bytes), (format!("{head}{text}"), 0));
        }
        let mut unknown = Text::xml(b"<?xml version='1.0' encoding='klingon'?><a/>".as_slice());
        let error = unknown.read_to_string(&mut String::new()).unwrap_err();
        assert!(error.to_string().contains("klingon"), "{error}");
    }

    #[test]
    fn a_byte_order_mark_of_a_plain_file_is_dropped() {
        assert_eq!(
            read(Kind::Plain, b"\xef\xbb\xbf--- \xc3\xbc"),
            ("--- ü".to_owned(), 0)
        );
        let text = wide("\u{feff}a,b", u16::to_le_bytes);
        assert_eq!(read(Kind::Plain, &text), ("a,b".to_owned(), 0));
        assert_eq!(read(Kind::Plain, b""), (String::new(), 0));
    }

    #[test]
    fn what_is_no_text_is_replaced_and_counted() {
        for (bytes, text, count) in [
            (b"a\xffb".as_slice(), "a\u{fffd}b", 1),
            (b"J\xf6rg", "J\u{fffd}rg", 1),
            (b"\xe2\x82", "\u{fffd}", 1),
            (b"\xe2\x82x", "\u{fffd}x", 1),
            (b"\xc0\x80", "\u{fffd}\u{fffd}", 2),
            (b"a\x00b\x1b\t\n", "a\u{fffd}b\u{fffd}\t\n", 2),
            (
                b"\xef\xbf\xbe\xef\xbf\xbd\xef\xbf\xbf",
                "\u{fffd}\u{fffd}\u{fffd}",
                2,
            ),
            ("𝄞é€".as_bytes(), "𝄞é€", 0),
        ] {
            assert_eq!(
                read(Kind::Plain, bytes),
                (text.to_owned(), count),
                "{bytes:?}"
            );
        }
        let lone = wide("<a>\u{1}", u16::to_le_bytes);
        let broken = [lone.as_slice(), &[0x00, 0xd8, b'x', 0, b'y']].concat();
        assert_eq!(
            read(Kind::Xml, &broken),
            ("<a>\u{fffd}\u{fffd}x\u{fffd}".to_owned(), 3)
        );
    }

    #[test]
    fn long_documents_come_through_whole() {
        let long = "Grüße € \u{1d11e} ".repeat(9000);
        assert_eq!(read(Kind::Plain, long.as_bytes()), (long.clone(), 0));
        let document = format!("<?xml version='1.0'?>{long}");
        let bytes = wide(&document, u16::to_be_bytes);
        assert_eq!(read(Kind::Xml, &bytes), (document, 0));
    }
}
