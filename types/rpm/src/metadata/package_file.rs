//! Splits primary, filelists and other documents into packages: each `<package>` is copied as a snippet while a
//! visitor reads what it needs of it. The copy is not the original text but what was understood of it: comments,
//! elements of foreign namespaces and declarations are left out, so that a snippet is safe to put anywhere.

use std::borrow::Cow;
use std::io::BufRead;

use pith_content::Bent;
use quick_xml::events::BytesStart;

use super::MetadataError;
use super::limits::Sum;
use super::odd::Odd;
use super::snippet::{MAX_SNIPPET, push_literal};
use super::xml::{Token, XmlReader, attribute, check_bytes, push_escaped};

/// Largest buffer that is kept from one package to the next, in bytes.
const KEPT: usize = 1 << 20;
/// Longest checksum that names a package: longer ones are those of no package.
pub(crate) const PKGID: usize = 128;
const RPM_NAMESPACE: &str = "http://linux.duke.edu/metadata/rpm";

/// The step that is taken with an element.
pub(crate) enum Action {
    /// It is copied.
    Copy,
    /// The visitor wrote the start tag; the content is copied.
    Written,
    /// The visitor wrote start tag and text; the end tag is copied.
    Owned,
    /// It is left out with all it contains.
    Drop,
}

/// Looks at the elements of a package. Levels: 1 is the package, 2 its children, and so on.
pub(crate) trait Visitor {
    /// Is true when [`Visitor::close`] wants the text of elements.
    const TEXT: bool;
    /// Most bytes of one package.
    const MOST: usize;

    /// An element starts.
    fn open(
        &mut self,
        level: usize,
        start: &BytesStart<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Action, MetadataError>;

    /// An element ends; `text` is what it contains after its last child.
    fn close(&mut self, level: usize, name: &[u8], text: &[u8]) -> Result<(), MetadataError>;
}

/// Reads packages one after the other.
pub(crate) struct Splitter<R> {
    xml: XmlReader<R>,
    text: Vec<u8>,
    /// The prefix that the document gives to the namespace of RPM, where that is not the usual one.
    prefix: Option<Vec<u8>>,
    packages: Sum,
}

/// State of one package while it is copied.
#[derive(Default)]
struct Copying {
    level: usize,
    dropped_at: Option<usize>,
    owned_at: Option<usize>,
}

impl Copying {
    fn text_is_copied(&self) -> bool {
        self.level > 0 && self.dropped_at.is_none() && self.owned_at != Some(self.level)
    }
}

impl<R: BufRead> Splitter<R> {
    /// Reads up to the root element, which must be `root` with the usual namespaces.
    pub(crate) fn open(input: R, root: &str) -> Result<Self, MetadataError> {
        let mut xml = XmlReader::new(input);
        let prefix = loop {
            match xml.next()? {
                Token::Start(start) | Token::Empty(start) => break checked_root(&start, root)?,
                Token::Eof => return Err(MetadataError::Empty),
                _ => {}
            }
        };
        Ok(Self {
            xml,
            text: Vec::new(),
            prefix,
            packages: Sum::packages(),
        })
    }

    /// The number of times that something became U+FFFD so far.
    pub(crate) fn replaced(&self) -> u64 {
        self.xml.replaced()
    }

    /// Copies the next package into `out`, which is cleared first. False after the last.
    pub(crate) fn next<V: Visitor>(
        &mut self,
        visitor: &mut V,
        out: &mut Vec<u8>,
    ) -> Result<bool, MetadataError> {
        out.clear();
        // What one large package took is not kept for all that follow.
        out.shrink_to(KEPT);
        self.text.shrink_to(KEPT);
        self.packages.add(1)?;
        let mut state = Copying::default();
        loop {
            let prefix = self.prefix.as_deref();
            match self.xml.next()? {
                Token::Start(start) => {
                    let start = usual_start(start, prefix);
                    self.text.clear();
                    state.level += 1;
                    begin(&mut state, &start, visitor, out, b">")?;
                }
                Token::Empty(start) => {
                    let start = usual_start(start, prefix);
                    self.text.clear();
                    state.level += 1;
                    let action = begin(&mut state, &start, visitor, out, b"/>")?;
                    let copied = !matches!(action, Action::Drop);
                    let name = start.name();
                    if matches!(action, Action::Written | Action::Owned) {
                        push_end(out, name.as_ref());
                    }
                    finish(&mut state, name.as_ref(), b"", visitor, copied)?;
                    if copied && state.level == 0 {
                        return close_package(out);
                    }
                }
                Token::End(name) => {
                    if state.level == 0 {
                        return Ok(false);
                    }
                    let name = usual_name(name, prefix);
                    let copied = state.dropped_at.is_none();
                    finish(&mut state, &name, &self.text, visitor, copied)?;
                    self.text.clear();
                    if copied {
                        push_end(out, &name);
                        if state.level == 0 {
                            return close_package(out);
                        }
                    }
                }
                Token::Text(raw) => {
                    if state.text_is_copied() {
                        push_literal(out, &raw);
                    }
                    if V::TEXT && state.level > 1 {
                        self.text.extend_from_slice(&raw);
                    }
                }
                Token::CData(raw) => {
                    if state.text_is_copied() {
                        let mut escaped = Vec::with_capacity(raw.len());
                        push_escaped(&mut escaped, std::str::from_utf8(&raw)?);
                        push_literal(out, &escaped);
                    }
                    if V::TEXT && state.level > 1 {
                        self.text.extend_from_slice(&raw);
                    }
                }
                Token::Reference(name, character) => {
                    if state.text_is_copied() {
                        out.push(b'&');
                        out.extend_from_slice(&name);
                        out.push(b';');
                    }
                    if V::TEXT && state.level > 1 {
                        let mut utf8 = [0; 4];
                        self.text
                            .extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                    }
                }
                Token::Nothing => {}
                Token::Eof => return Ok(false),
            }
            let size = out.len().max(self.text.len());
            if size > V::MOST {
                return Err(MetadataError::Limit {
                    what: "bytes of one package",
                    limit: V::MOST as u64,
                    found: size as u64,
                });
            }
        }
    }
}

fn push_end(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name);
    out.push(b'>');
}

fn close_package(out: &mut Vec<u8>) -> Result<bool, MetadataError> {
    out.push(b'\n');
    check_bytes(out)?;
    Ok(true)
}

/// Handles a start tag.
fn begin<V: Visitor>(
    state: &mut Copying,
    start: &BytesStart<'_>,
    visitor: &mut V,
    out: &mut Vec<u8>,
    tail: &[u8],
) -> Result<Action, MetadataError> {
    if state.dropped_at.is_some() {
        return Ok(Action::Drop);
    }
    let name = start.name();
    let name = name.as_ref();
    let foreign = name.contains(&b':') && !name.starts_with(b"rpm:");
    let action = if foreign || (state.level == 1 && name != b"package") {
        Action::Drop
    } else {
        visitor.open(state.level, start, out)?
    };
    match action {
        Action::Copy => push_start(out, start, tail)?,
        Action::Written => {}
        Action::Owned => state.owned_at = Some(state.level),
        Action::Drop => state.dropped_at = Some(state.level),
    }
    Ok(action)
}

/// Handles an end tag, or the end of an empty element.
fn finish<V: Visitor>(
    state: &mut Copying,
    name: &[u8],
    text: &[u8],
    visitor: &mut V,
    copied: bool,
) -> Result<(), MetadataError> {
    if copied {
        visitor.close(state.level, name, text)?;
    } else if state.dropped_at == Some(state.level) {
        state.dropped_at = None;
    }
    if state.owned_at == Some(state.level) {
        state.owned_at = None;
    }
    state.level -= 1;
    Ok(())
}

/// Writes a `<version>` whose epoch is missing or empty with the epoch 0, which it means: yum stumbles over one without, and
/// dnf over one with blanks.
pub(crate) fn version(start: &BytesStart<'_>, out: &mut Vec<u8>) -> Result<Action, MetadataError> {
    let given = attribute(start, b"epoch")?.unwrap_or_default();
    let epoch = match given.trim() {
        "" => "0",
        epoch if epoch == given => return Ok(Action::Copy),
        epoch => epoch,
    };
    out.extend_from_slice(b"<version");
    push_attribute(out, "epoch", epoch);
    for key in ["ver", "rel"] {
        if let Some(value) = attribute(start, key.as_bytes())? {
            push_attribute(out, key, &value);
        }
    }
    out.push(b'>');
    Ok(Action::Written)
}

/// A package of filelists or other about which nothing is said: its name, epoch, version, release and architecture.
#[must_use]
pub fn without_entries([name, epoch, version, release, arch]: [&str; 5]) -> Vec<u8> {
    let mut out = b"<package pkgid=\"{{ pkgid }}\"".to_vec();
    push_attribute(&mut out, "name", name);
    push_attribute(&mut out, "arch", arch);
    out.extend_from_slice(b"><version");
    for (key, value) in [("epoch", epoch), ("ver", version), ("rel", release)] {
        push_attribute(&mut out, key, value);
    }
    out.extend_from_slice(b"/></package>\n");
    out
}

/// Writes an attribute of a template.
fn push_attribute(out: &mut Vec<u8>, key: &str, value: &str) {
    out.push(b' ');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"=\"");
    let mut escaped = Vec::new();
    push_escaped(&mut escaped, value);
    push_literal(out, &escaped);
    out.push(b'"');
}

/// Copies a start tag without namespace declarations.
fn push_start(out: &mut Vec<u8>, start: &BytesStart<'_>, tail: &[u8]) -> Result<(), MetadataError> {
    out.push(b'<');
    let plain = !start.attributes_raw().contains(&b':');
    if plain && memchr::memmem::find(start.attributes_raw(), b"xmlns").is_none() {
        let raw: &[u8] = start;
        push_literal(out, raw.trim_ascii_end());
    } else {
        out.extend_from_slice(start.name().as_ref());
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute?;
            let key = attribute.key.as_ref();
            let foreign = key.contains(&b':') && !key.starts_with(b"xml:");
            if foreign || key == b"xmlns" {
                continue;
            }
            out.push(b' ');
            out.extend_from_slice(key);
            out.extend_from_slice(b"=\"");
            let value = attribute.value.as_ref();
            let quoted = memchr::memchr(b'"', value).is_some();
            if quoted {
                let text = std::str::from_utf8(value)?.replace('"', "&quot;");
                push_literal(out, text.as_bytes());
            } else {
                push_literal(out, value);
            }
            out.push(b'"');
        }
    }
    out.extend_from_slice(tail);
    Ok(())
}

/// Checks the root element; answers the prefix of the RPM namespace where that is not `rpm`.
fn checked_root(start: &BytesStart<'_>, root: &str) -> Result<Option<Vec<u8>>, MetadataError> {
    let name = start.name();
    if name.as_ref() != root.as_bytes() {
        let found = String::from_utf8_lossy(name.as_ref());
        return Err(MetadataError::foreign(&found, root));
    }
    let mut prefix = None;
    for attribute in start.attributes() {
        let attribute = attribute?;
        let key = attribute.key.as_ref();
        if attribute.value.as_ref() != RPM_NAMESPACE.as_bytes() || key == b"xmlns:rpm" {
            continue;
        }
        let other = key.strip_prefix(b"xmlns:").ok_or_else(|| {
            MetadataError::structure("it gives the names of the rpm namespace no prefix")
        })?;
        prefix = Some([other, b":"].concat());
    }
    Ok(prefix)
}

/// A name with the usual prefix instead of `prefix`.
fn usual_name<'a>(name: Cow<'a, [u8]>, prefix: Option<&[u8]>) -> Cow<'a, [u8]> {
    match prefix.and_then(|prefix| name.strip_prefix(prefix)) {
        Some(local) => Cow::Owned([b"rpm:".as_slice(), local].concat()),
        None => name,
    }
}

/// A tag whose name has the usual prefix instead of `prefix`.
fn usual_start<'a>(start: BytesStart<'a>, prefix: Option<&[u8]>) -> BytesStart<'a> {
    let Some(local) = prefix.and_then(|prefix| start.strip_prefix(prefix)) else {
        return start;
    };
    let length = b"rpm:".len() + local.len() - start.attributes_raw().len();
    let tag = format!("rpm:{}", String::from_utf8_lossy(local));
    BytesStart::from_content(tag, length)
}

/// Reads filelists and other: only the package's identity matters.
#[derive(Default)]
pub(crate) struct IdVisitor {
    /// The checksum that names the package, in lower case.
    pub(crate) pkgid: String,
    name: String,
    /// Facts that the package does not say of itself.
    missing: Vec<&'static str>,
}

impl Visitor for IdVisitor {
    const TEXT: bool = false;
    const MOST: usize = MAX_SNIPPET;

    fn open(
        &mut self,
        level: usize,
        start: &BytesStart<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Action, MetadataError> {
        match (level, start.name().as_ref()) {
            (1, _) => {}
            (2, b"version") => return version(start, out),
            _ => return Ok(Action::Copy),
        }
        self.pkgid = attribute(start, b"pkgid")?
            .ok_or_else(|| MetadataError::structure("a package has no pkgid"))?
            .trim()
            .to_ascii_lowercase();
        if let Some((end, _)) = self.pkgid.char_indices().nth(PKGID) {
            self.pkgid.truncate(end);
        }
        self.missing.clear();
        out.extend_from_slice(b"<package pkgid=\"{{ pkgid }}\"");
        for key in ["name", "arch"] {
            let given = attribute(start, key.as_bytes())?;
            if given.is_none() {
                self.missing.push(key);
            }
            let given = given.unwrap_or_default();
            push_attribute(out, key, &given);
            if key == "name" {
                self.name = given;
            }
        }
        out.push(b'>');
        Ok(Action::Written)
    }

    fn close(&mut self, _: usize, _: &[u8], _: &[u8]) -> Result<(), MetadataError> {
        Ok(())
    }
}

/// A filelists or other document, package by package.
pub struct IdStream<R> {
    splitter: Splitter<R>,
    visitor: IdVisitor,
    odd: Odd,
}

impl<R: BufRead> IdStream<R> {
    /// Opens a document whose root is `root`: `filelists` or `otherdata`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(input: R, root: &str) -> Result<Self, MetadataError> {
        Ok(Self {
            splitter: Splitter::open(input, root)?,
            visitor: IdVisitor::default(),
            odd: Odd::default(),
        })
    }

    /// Notes what is odd in `bent`.
    #[must_use]
    pub fn noting(mut self, bent: &Bent) -> Self {
        self.odd = Odd::new(bent);
        self
    }

    /// Puts the next package's snippet into `snippet` and returns its pkgid; `None` after the last.
    ///
    /// # Errors
    /// When the document is broken.
    pub fn next(&mut self, snippet: &mut Vec<u8>) -> Result<Option<&str>, MetadataError> {
        if !self.splitter.next(&mut self.visitor, snippet)? {
            return Ok(None);
        }
        let visitor = &self.visitor;
        let name = if visitor.name.is_empty() {
            &visitor.pkgid
        } else {
            &visitor.name
        };
        self.odd.bytes(self.splitter.replaced(), name);
        for key in &visitor.missing {
            self.odd
                .missing(&format!("package {name} of filelists or other: {key}"));
        }
        Ok(Some(&visitor.pkgid))
    }
}
