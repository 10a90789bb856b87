//! Writing XML: escaping, and documents with indentation.

use std::io::{self, Write};

/// Appends `text` with `&`, `<`, `>` and `"` escaped; characters that XML cannot hold are dropped.
pub(crate) fn push_escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' => b"&gt;",
            b'"' => b"&quot;",
            // U+FFFE and U+FFFF, which no XML document can hold.
            0xef if matches!(bytes[at..], [_, 0xbf, 0xbe | 0xbf, ..]) => "\u{fffd}".as_bytes(),
            b'\t' | b'\n' | b'\r' | 0x20.. => continue,
            _ => b"",
        };
        out.extend_from_slice(&bytes[from..at]);
        out.extend_from_slice(replacement);
        from = at + if *byte == 0xef { 3 } else { 1 };
    }
    out.extend_from_slice(&bytes[from..]);
}

/// Writes indented XML, the way comps and updateinfo are written: two blanks a level.
pub(crate) struct XmlWriter<W> {
    out: W,
    buffer: Vec<u8>,
    open: Vec<&'static str>,
}

impl<W: Write> XmlWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(4096),
            open: Vec::new(),
        }
    }

    /// Writes a line as it is.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        self.out.write_all(line.as_bytes())?;
        self.out.write_all(b"\n")
    }

    fn begin(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.buffer.clear();
        self.buffer.resize(self.open.len() * 2, b' ');
        self.buffer.push(b'<');
        self.buffer.extend_from_slice(name.as_bytes());
        for (key, value) in attributes {
            self.buffer.push(b' ');
            self.buffer.extend_from_slice(key.as_bytes());
            self.buffer.extend_from_slice(b"=\"");
            push_escaped(&mut self.buffer, value);
            self.buffer.push(b'"');
        }
    }

    /// Opens an element.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        attributes: &[(&str, &str)],
    ) -> io::Result<()> {
        self.begin(name, attributes);
        self.buffer.extend_from_slice(b">\n");
        self.open.push(name);
        self.out.write_all(&self.buffer)
    }

    /// Closes the innermost element.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        let Some(name) = self.open.pop() else {
            return Ok(());
        };
        self.buffer.clear();
        self.buffer.resize(self.open.len() * 2, b' ');
        self.buffer.extend_from_slice(b"</");
        self.buffer.extend_from_slice(name.as_bytes());
        self.buffer.extend_from_slice(b">\n");
        self.out.write_all(&self.buffer)
    }

    /// Writes an element with a text; an empty one as `<x />`.
    pub(crate) fn leaf(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> io::Result<()> {
        self.begin(name, attributes);
        if text.is_empty() {
            self.buffer.extend_from_slice(b" />\n");
        } else {
            self.buffer.push(b'>');
            push_escaped(&mut self.buffer, text);
            self.buffer.extend_from_slice(b"</");
            self.buffer.extend_from_slice(name.as_bytes());
            self.buffer.extend_from_slice(b">\n");
        }
        self.out.write_all(&self.buffer)
    }
}
