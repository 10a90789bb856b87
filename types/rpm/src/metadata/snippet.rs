//! Snippets: one `<package>` element each, kept per unit and rendered at publish (pulp2/rpm-units#snippets).
//!
//! A snippet is a template in the form that Pulp shows in `repodata`: `{{ checksum }}`, `{{ checksumtype }}` and
//! `{{ pkgid }}` stand for values that depend on the publication; the brace pairs of that template language, where a
//! package has them in its own text, are written as `{% templatetag … %}`.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use memchr::{memchr, memchr2};

/// Largest snippet, in bytes, uncompressed: some 250,000 files.
pub const MAX_SNIPPET: usize = 24 << 20;
/// Largest snippet that older versions stored.
const MAX_STORED: usize = 64 << 20;
/// Level at which snippets are stored: a higher one costs more than it saves on texts this short.
const LEVEL: i32 = 1;
/// The size from which on snippets are packed, in bytes.
const WORTH: usize = 256;

const TAGS: [(&[u8; 2], &str); 6] = [
    (b"{%", "{% templatetag openblock %}"),
    (b"%}", "{% templatetag closeblock %}"),
    (b"{{", "{% templatetag openvariable %}"),
    (b"}}", "{% templatetag closevariable %}"),
    (b"{#", "{% templatetag opencomment %}"),
    (b"#}", "{% templatetag closecomment %}"),
];

/// Appends text of a package to a template, so that nothing in it is taken for a token.
pub fn push_literal(out: &mut Vec<u8>, text: &[u8]) {
    if memchr2(b'{', b'}', text).is_none() {
        out.extend_from_slice(text);
        return;
    }
    let mut rest = text;
    while let Some(pair) = rest.first_chunk::<2>() {
        if let Some((_, tag)) = TAGS.iter().find(|(token, _)| *token == pair) {
            out.extend_from_slice(tag.as_bytes());
            rest = &rest[2..];
        } else {
            out.push(rest[0]);
            rest = &rest[1..];
        }
    }
    out.extend_from_slice(rest);
}

/// Renders a template into `out`: the tokens become `checksum` and `checksum_type`, escapes become what they stand for,
/// everything else stays.
pub fn render(template: &[u8], checksum: &str, checksum_type: &str, out: &mut Vec<u8>) {
    let mut rest = template;
    while let Some(at) = memchr(b'{', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let (value, length) = token(rest, checksum, checksum_type);
        out.extend_from_slice(value);
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
}

/// The text of an element of a template as the package has it.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if memchr(b'{', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    render(text.as_bytes(), "", "", &mut out);
    String::from_utf8(out).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Returns what stands for the token at the start of `rest`, and how long the token is.
fn token<'a>(rest: &[u8], checksum: &'a str, checksum_type: &'a str) -> (&'a [u8], usize) {
    for (token, value) in [
        ("{{ pkgid }}", checksum),
        ("{{ checksum }}", checksum),
        ("{{ checksumtype }}", checksum_type),
    ] {
        if rest.starts_with(token.as_bytes()) {
            return (value.as_bytes(), token.len());
        }
    }
    for (literal, tag) in &TAGS {
        if rest.starts_with(tag.as_bytes()) {
            return (literal.as_slice(), tag.len());
        }
    }
    (b"{", 1)
}

/// Compresses many small texts with one context.
pub struct Packer(zstd::bulk::Compressor<'static>);

impl Packer {
    /// A packer.
    ///
    /// # Errors
    /// When zstd cannot be set up.
    pub fn new() -> io::Result<Self> {
        zstd::bulk::Compressor::new(LEVEL).map(Self)
    }

    /// The form in which `text` is stored.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn pack(&mut self, text: &[u8]) -> io::Result<Bytes> {
        if text.len() < WORTH {
            return Ok(Bytes::copy_from_slice(text));
        }
        // A copy: the compressor's buffer is as large as the text, and hundreds of snippets wait to be saved.
        self.0
            .compress(text)
            .map(|packed| Bytes::copy_from_slice(&packed))
    }
}

/// Reads what [`Packer`] stored; a text that was not compressed comes back as it is.
#[derive(Default)]
pub struct Unpacker(Option<zstd::bulk::Decompressor<'static>>, Vec<u8>);

impl Unpacker {
    /// The text, valid until the next call.
    ///
    /// # Errors
    /// When the stored form is damaged or larger than a snippet can be.
    pub fn unpack<'a>(&'a mut self, stored: &'a [u8]) -> io::Result<&'a [u8]> {
        if !stored.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            return Ok(stored);
        }
        let size = zstd::bulk::Decompressor::upper_bound(stored).unwrap_or(MAX_STORED);
        if size > MAX_STORED {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a stored snippet is too large",
            ));
        }
        let decoder = match &mut self.0 {
            Some(decoder) => decoder,
            none => none.insert(zstd::bulk::Decompressor::new()?),
        };
        self.1.clear();
        self.1.reserve(size);
        decoder.decompress_to_buffer(stored, &mut self.1)?;
        Ok(&self.1)
    }
}

/// Largest buffer that a thread keeps between two calls of [`unpack`], in bytes.
const KEPT: usize = 256 << 10;

thread_local! {
    /// Making a decoder takes longer than unpacking a snippet does.
    static UNPACKER: RefCell<Unpacker> = RefCell::default();
}

/// One snippet of [`Packer`], for those who need only one.
///
/// # Errors
/// As [`Unpacker::unpack`].
pub fn unpack(stored: &[u8]) -> io::Result<Cow<'_, [u8]>> {
    UNPACKER.with_borrow_mut(|unpacker| {
        let text = unpacker.unpack(stored)?;
        if text.as_ptr() == stored.as_ptr() {
            return Ok(Cow::Borrowed(stored));
        }
        let text = text.to_vec();
        if unpacker.1.capacity() > KEPT {
            unpacker.1 = Vec::new();
        }
        Ok(Cow::Owned(text))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rendered(template: &[u8]) -> String {
        let mut out = Vec::new();
        render(template, "abc", "sha256", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tokens_are_replaced_and_other_braces_stay() {
        assert_eq!(
            rendered(b"<checksum type=\"{{ checksumtype }}\">{{ checksum }}</checksum>"),
            "<checksum type=\"sha256\">abc</checksum>"
        );
        assert_eq!(
            rendered(b"{{ pkgid }} {x} {{ other }} {"),
            "abc {x} {{ other }} {"
        );
    }

    #[test]
    fn a_package_cannot_smuggle_tokens_in() {
        let mut out = Vec::new();
        push_literal(&mut out, b"{{ checksum }} {% x %} {# y #}");
        assert!(
            String::from_utf8_lossy(&out).starts_with("{% templatetag openvariable %} checksum ")
        );
        assert_eq!(rendered(&out), "{{ checksum }} {% x %} {# y #}");
    }

    proptest! {
        #[test]
        fn any_text_survives_escaping_and_rendering(text in "[{}%# a-z]{0,60}") {
            let mut out = Vec::new();
            push_literal(&mut out, text.as_bytes());
            prop_assert_eq!(rendered(&out), text);
        }

        #[test]
        fn any_text_survives_packing(text in proptest::collection::vec(any::<u8>(), 0..2000)) {
            prop_assume!(!text.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
            let stored = Packer::new().unwrap().pack(&text).unwrap();
            let unpacked = unpack(&stored).unwrap();
            prop_assert_eq!(unpacked.as_ref(), text.as_slice());
        }
    }
}
