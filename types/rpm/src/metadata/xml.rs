//! A hardened pull reader over quick-xml, and a small tree for documents with small elements.
//!
//! No entity but the five of XML and character references is known; a document type may be declared, but must not
//! declare entities, and nothing that it refers to is fetched. One token and one tree are bounded in size whatever the
//! document says. What a document declares to be written in is obeyed; bytes that are no text and characters that XML
//! cannot hold become U+FFFD, so that what was read can be written.

use std::borrow::Cow;
use std::io::{self, BufRead};

use pith_content::text::Text;
use quick_xml::events::{BytesStart, Event};

use super::MetadataError;
use super::limits::{Room, attributes_of_tag};
pub(crate) use super::xml_writer::{XmlWriter, push_escaped};

/// Largest single token (a tag, a text) in bytes.
const MAX_TOKEN: usize = 8 << 20;
/// Deepest nesting of elements.
const MAX_DEPTH: usize = 32;

/// Refuses to feed more than [`MAX_TOKEN`] bytes into one token.
struct TokenCap<R> {
    inner: R,
    left: usize,
}

impl<R: BufRead> io::Read for TokenCap<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buf.len());
        buf[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for TokenCap<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a tag or text in it is larger than 8 MiB",
            ));
        }
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.left = self.left.saturating_sub(amount);
        self.inner.consume(amount);
    }
}

/// The next thing that the reader meets.
pub(crate) enum Token<'a> {
    /// `<a …>`.
    Start(BytesStart<'a>),
    /// `<a …/>`.
    Empty(BytesStart<'a>),
    /// `</a>`: the name.
    End(Cow<'a, [u8]>),
    /// Text as it stands in the document.
    Text(Cow<'a, [u8]>),
    /// CDATA: text without escapes.
    CData(Cow<'a, [u8]>),
    /// A reference such as `&lt;`: its name, and the character it stands for.
    Reference(Cow<'a, [u8]>, char),
    /// A comment or something else without meaning.
    Nothing,
    /// The end of the document.
    Eof,
}

/// U+FFFD: stands for what XML cannot hold.
const REPLACEMENT: char = '\u{fffd}';

/// A pull reader with the caps of this module.
pub(crate) struct XmlReader<R> {
    inner: quick_xml::Reader<TokenCap<Text<R>>>,
    buffer: Vec<u8>,
    depth: usize,
    /// References to characters that XML cannot hold.
    mended: u64,
}

impl<R: BufRead> XmlReader<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            inner: quick_xml::Reader::from_reader(TokenCap {
                inner: Text::xml(input),
                left: MAX_TOKEN,
            }),
            buffer: Vec::new(),
            depth: 0,
            mended: 0,
        }
    }

    /// The number of times that something became U+FFFD so far.
    pub(crate) fn replaced(&self) -> u64 {
        self.inner.get_ref().inner.replaced() + self.mended
    }

    /// The next token.
    pub(crate) fn next(&mut self) -> Result<Token<'_>, MetadataError> {
        self.buffer.clear();
        self.inner.get_mut().left = MAX_TOKEN;
        Ok(match self.inner.read_event_into(&mut self.buffer)? {
            Event::Start(start) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(MetadataError::Limit {
                        what: "nesting of elements",
                        limit: MAX_DEPTH as u64,
                        found: self.depth as u64,
                    });
                }
                Token::Start(checked(start, &mut self.mended)?)
            }
            Event::Empty(start) => Token::Empty(checked(start, &mut self.mended)?),
            Event::End(end) => {
                self.depth = self.depth.saturating_sub(1);
                Token::End(Cow::Owned(end.name().as_ref().to_vec()))
            }
            Event::Text(text) => Token::Text(text.into_inner()),
            Event::CData(text) => Token::CData(text.into_inner()),
            Event::GeneralRef(reference) => {
                let name = reference.into_inner();
                match resolve(&name)? {
                    REPLACEMENT => {
                        self.mended += 1;
                        Token::Text(Cow::Borrowed("\u{fffd}".as_bytes()))
                    }
                    character => Token::Reference(name, character),
                }
            }
            Event::DocType(text) => {
                if declares_entities(&text) {
                    return Err(MetadataError::Entities);
                }
                Token::Nothing
            }
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => Token::Nothing,
            Event::Eof if self.depth > 0 => {
                return Err(MetadataError::Xml("it ends too early".to_owned()));
            }
            Event::Eof => Token::Eof,
        })
    }
}

/// Tells whether a document type declares entities: in comments, processing instructions and quoted values the word means
/// nothing.
fn declares_entities(text: &[u8]) -> bool {
    let text = text.to_ascii_uppercase();
    let mut rest = text.as_slice();
    while let Some(first) = rest.first() {
        let end = match first {
            _ if rest.starts_with(b"<!--") => b"-->".as_slice(),
            _ if rest.starts_with(b"<?") => b"?>",
            b'"' => b"\"",
            b'\'' => b"'",
            _ if rest.starts_with(b"<!ENTITY") => return true,
            _ => {
                rest = &rest[1..];
                continue;
            }
        };
        // The opening itself is passed over before its end is looked for.
        let opening = if end.len() == 1 {
            1
        } else {
            end.len() + usize::from(rest[1] == b'!')
        };
        let inner = rest.get(opening..).unwrap_or_default();
        match memchr::memmem::find(inner, end) {
            Some(at) => rest = &inner[at + end.len()..],
            // What is never closed hides nothing.
            None => return memchr::memmem::find(inner, b"<!ENTITY").is_some(),
        }
    }
    false
}

/// Checks the attributes of a tag, which are copied into published documents: they must be well-formed too. References to
/// characters that XML cannot hold are replaced and counted.
fn checked<'a>(start: BytesStart<'a>, mended: &mut u64) -> Result<BytesStart<'a>, MetadataError> {
    // The reader takes whatever stands there for a name, quotes and references too; no client reads a document with such names.
    require_name(start.name().as_ref())?;
    let mut broken = false;
    let mut count = attributes_of_tag();
    for attribute in start.attributes() {
        count.add(1)?;
        let attribute = attribute?;
        require_name(attribute.key.as_ref())?;
        let value = attribute.value;
        if value.contains(&b'<') {
            return Err(MetadataError::Xml("'<' in an attribute".to_owned()));
        }
        let text = unescape(&value)?;
        broken |= value.contains(&b'&') && text.contains(REPLACEMENT);
    }
    if !broken {
        return Ok(start);
    }
    *mended += 1;
    let name = start.name().as_ref().len();
    let tag = without_broken_references(std::str::from_utf8(&start)?);
    Ok(BytesStart::from_content(tag, name))
}

/// Makes sure that something can be the name of an element or an attribute. Beyond ASCII everything can.
fn require_name(name: &[u8]) -> Result<(), MetadataError> {
    let starts = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..);
    let goes_on = |byte: u8| starts(byte) || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    match name.split_first() {
        Some((first, rest)) if starts(*first) && rest.iter().all(|byte| goes_on(*byte)) => Ok(()),
        _ => {
            let shown = String::from_utf8_lossy(name);
            let shown: String = shown.chars().take(40).collect();
            Err(MetadataError::Xml(format!("'{shown}' is no name")))
        }
    }
}

/// A tag whose references were resolved before, with U+FFFD in place of those to characters that XML cannot hold.
fn without_broken_references(tag: &str) -> String {
    let mut out = String::with_capacity(tag.len());
    let mut rest = tag;
    while let Some((before, tail)) = rest.split_once('&') {
        out.push_str(before);
        match tail.split_once(';') {
            Some((name, after)) if resolve(name.as_bytes()).is_ok_and(|c| c == REPLACEMENT) => {
                out.push(REPLACEMENT);
                rest = after;
            }
            _ => {
                out.push('&');
                rest = tail;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The character that `&name;` stands for; U+FFFD when it is one that XML cannot hold.
fn resolve(name: &[u8]) -> Result<char, MetadataError> {
    let character = match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    character.ok_or_else(|| {
        let name = String::from_utf8_lossy(&name[..name.len().min(40)]);
        MetadataError::Xml(format!("the entity '&{name};' is not allowed"))
    })
}

fn number(digits: &[u8], radix: u32) -> Option<char> {
    if digits.is_empty()
        || !digits
            .iter()
            .all(|digit| char::from(*digit).is_digit(radix))
    {
        return None;
    }
    let text = std::str::from_utf8(digits).ok()?;
    let number = u32::from_str_radix(text, radix).ok();
    let character = number.and_then(char::from_u32).filter(|c| is_xml_char(*c));
    Some(character.unwrap_or(REPLACEMENT))
}

fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Replaces the references in an attribute value. Tabs and line ends that stand in it as they are mean blanks.
pub(crate) fn unescape(value: &[u8]) -> Result<Cow<'_, str>, MetadataError> {
    let text = std::str::from_utf8(value)?;
    let blanks = memchr::memchr3(b'\t', b'\n', b'\r', value).is_some();
    if !blanks && memchr::memchr(b'&', value).is_none() {
        return Ok(Cow::Borrowed(text));
    }
    let blank = |text: &str| text.replace("\r\n", " ").replace(['\t', '\n', '\r'], " ");
    let text = if blanks {
        Cow::Owned(blank(text))
    } else {
        Cow::Borrowed(text)
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let end = tail
            .find(';')
            .ok_or_else(|| MetadataError::Xml("'&' without an entity".to_owned()))?;
        out.push(resolve(&tail.as_bytes()[..end])?);
        rest = &tail[end + 1..];
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The attribute `name` of a tag, with references replaced.
pub(crate) fn attribute(
    start: &BytesStart<'_>,
    name: &[u8],
) -> Result<Option<String>, MetadataError> {
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute?;
        if attribute.key.as_ref() == name {
            return Ok(Some(unescape(&attribute.value)?.into_owned()));
        }
    }
    Ok(None)
}

/// Tells whether `bytes` can stand in an XML document: UTF-8 without control characters.
pub(crate) fn check_bytes(bytes: &[u8]) -> Result<&str, MetadataError> {
    // Without an early end and without branches, so that many bytes are looked at together.
    let is_control = |b: u8| (b < 0x20) & (b != b'\t') & (b != b'\n') & (b != b'\r');
    if (bytes.iter()).fold(false, |found, byte| found | is_control(*byte)) {
        return Err(MetadataError::Xml(
            "it holds a control character".to_owned(),
        ));
    }
    Ok(std::str::from_utf8(bytes)?)
}

/// A small element read whole.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Element {
    /// The name as written, prefix and all.
    pub name: String,
    /// Attributes in the order of the document.
    pub attributes: Vec<(String, String)>,
    /// The text directly inside, all pieces joined.
    pub text: String,
    /// Elements directly inside.
    pub children: Vec<Element>,
}

impl Element {
    fn in_room(start: &BytesStart<'_>, room: &mut Room) -> Result<Self, MetadataError> {
        let element = Self::of(start)?;
        room.element(&element.name, &element.attributes)?;
        Ok(element)
    }

    fn of(start: &BytesStart<'_>) -> Result<Self, MetadataError> {
        let mut element = Self {
            name: check_bytes(start.name().as_ref())?.to_owned(),
            ..Self::default()
        };
        for attribute in start.attributes().with_checks(false) {
            let attribute = attribute?;
            check_bytes(&attribute.value)?;
            element.attributes.push((
                check_bytes(attribute.key.as_ref())?.to_owned(),
                unescape(&attribute.value)?.into_owned(),
            ));
        }
        Ok(element)
    }

    /// The attribute `name`.
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The first child called `name`.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|c| c.name == name)
    }

    /// Every child called `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The text of the first child called `name`, without blanks around it; `None` when absent or empty.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name)
            .map(|c| c.text.trim())
            .filter(|t| !t.is_empty())
    }
}

/// Reads a document child by child of its root element, so that only one child is in memory at a time.
pub(crate) struct Children<R> {
    xml: XmlReader<R>,
    /// The root element's tag.
    pub(crate) root: Element,
    /// The room of the last child, or of all of them.
    room: Room,
    is_one_tree: bool,
}

impl<R: BufRead> Children<R> {
    /// Reads up to the root element, which must be called `name`.
    pub(crate) fn open(input: R, name: &str) -> Result<Self, MetadataError> {
        let mut xml = XmlReader::new(input);
        loop {
            let root = match xml.next()? {
                Token::Start(start) | Token::Empty(start) => Element::of(&start)?,
                Token::Eof => return Err(MetadataError::Empty),
                _ => continue,
            };
            if root.name != name {
                return Err(MetadataError::foreign(&root.name, name));
            }
            return Ok(Self {
                xml,
                root,
                room: Room::default(),
                is_one_tree: false,
            });
        }
    }

    /// The number of times that something became U+FFFD so far.
    pub(crate) fn replaced(&self) -> u64 {
        self.xml.replaced()
    }

    /// The room that the last child took.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// The next child of the root element; `None` after the last.
    pub(crate) fn next_child(&mut self) -> Result<Option<Element>, MetadataError> {
        let mut stack: Vec<Element> = Vec::new();
        if !self.is_one_tree {
            self.room = Room::default();
        }
        let room = &mut self.room;
        loop {
            let mut done = None;
            match self.xml.next()? {
                Token::Start(start) => stack.push(Element::in_room(&start, room)?),
                Token::Empty(start) => done = Some(Element::in_room(&start, room)?),
                Token::End(_) => match stack.pop() {
                    Some(element) => done = Some(element),
                    None => return Ok(None),
                },
                Token::Text(text) | Token::CData(text) => {
                    if let Some(top) = stack.last_mut() {
                        room.text(text.len())?;
                        top.text.push_str(check_bytes(&text)?);
                    }
                }
                Token::Reference(_, character) => {
                    if let Some(top) = stack.last_mut() {
                        room.text(character.len_utf8())?;
                        top.text.push(character);
                    }
                }
                Token::Nothing => {}
                Token::Eof => return Ok(None),
            }
            if let Some(element) = done {
                match stack.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => return Ok(Some(element)),
                }
            }
        }
    }
}

/// Shows `see` the tag and the text of each child of a snippet's root element, which must be called `root`. Nothing is
/// copied that need not be: a listing reads thousands of snippets, which were checked when they came.
///
/// # Errors
/// [`MetadataError`] when it is not XML or its root is not called `root`; as `see`.
pub(crate) fn each_child(
    snippet: &[u8],
    root: &str,
    mut see: impl FnMut(&BytesStart<'_>, &str) -> Result<(), MetadataError>,
) -> Result<(), MetadataError> {
    let mut reader = quick_xml::Reader::from_reader(snippet);
    let mut depth = 0;
    let mut child: Option<BytesStart<'_>> = None;
    let mut text = String::new();
    loop {
        match reader.read_event()? {
            Event::Start(start) => {
                match depth {
                    0 => check_root(&start, root)?,
                    1 => {
                        text.clear();
                        child = Some(start);
                    }
                    _ => {}
                }
                depth += 1;
            }
            Event::Empty(start) => match depth {
                0 => return check_root(&start, root),
                1 => see(&start, "")?,
                _ => {}
            },
            Event::End(_) => {
                depth -= 1;
                if depth == 1
                    && let Some(child) = child.take()
                {
                    see(&child, &text)?;
                } else if depth == 0 {
                    return Ok(());
                }
            }
            Event::Text(piece) if depth == 2 => text.push_str(std::str::from_utf8(&piece)?),
            Event::CData(piece) if depth == 2 => text.push_str(std::str::from_utf8(&piece)?),
            Event::GeneralRef(name) if depth == 2 => text.push(resolve(&name)?),
            Event::Eof => return Err(MetadataError::Xml("it ends too early".to_owned())),
            _ => {}
        }
    }
}

fn check_root(start: &BytesStart<'_>, root: &str) -> Result<(), MetadataError> {
    if start.name().as_ref() == root.as_bytes() {
        return Ok(());
    }
    Err(MetadataError::structure(format!(
        "its root element is not <{root}>"
    )))
}

/// Reads a whole small document.
///
/// # Errors
/// [`MetadataError`] when it is not XML or its root is not called `name`.
pub(crate) fn tree(input: impl BufRead, name: &str) -> Result<Element, MetadataError> {
    let mut children = Children::open(input, name)?;
    children.is_one_tree = true;
    while let Some(child) = children.next_child()? {
        children.root.children.push(child);
    }
    Ok(children.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, MetadataError> {
        tree(text.as_bytes(), "a")
    }

    #[test]
    fn text_attributes_and_references_are_read() {
        let root = read("<?xml version='1.0'?><!DOCTYPE a PUBLIC 'x' 'y'><a k='1&amp;2'><b>x&lt;<![CDATA[<y>]]></b><b/></a>").unwrap();
        assert_eq!(root.attr("k"), Some("1&2"));
        assert_eq!(root.children[0].text, "x<<y>");
        assert_eq!(root.all("b").count(), 2);
    }

    #[test]
    fn entities_bombs_and_broken_documents_are_refused() {
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        for bad in [
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<!DOCTYPE a [<!ELEMENT a ANY><!ENTITY % x SYSTEM 'http://y/'>%x;]><a/>",
            "<a>&x;</a>",
            "<a b='&x;'/>",
            "<a b='1' b='2'/>",
            "<a b='<'/>",
            "<a>&#x;</a>",
            "<a b='&#1x;'/>",
            // References are replaced in attributes alone, though something is replaced in this tag.
            "<a><b&#0;&#0; c='&#0;'/></a>",
            "<!DOCTYPE a [<!-- <!-- --><!ENTITY x 'y'>]><a/>",
            "<!DOCTYPE a [<!--><!ENTITY x 'y'>-->]><a>&x;</a>",
            "<a><b></a>",
            "<a>",
            "",
            "<b/>",
            &deep,
        ] {
            assert!(read(bad).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn texts_elements_and_attributes_are_limited_as_sums() {
        let text = format!("{}<!-- -->", "x".repeat(1 << 20));
        let texts = format!("<b>{}</b>", text.repeat(17));
        let cdata = format!("<b>{}</b>", format!("<![CDATA[{text}]]>").repeat(17));
        let references = format!("<b>{}</b>", "&#x10FFFD;".repeat((4 << 20) + 1));
        let spread = format!(
            "<b k='{0}'><c>{0}</c></b>",
            "x".repeat(8 << 20)[1000..].to_owned()
        );
        let elements = "<b/>".repeat(150_001);
        let attributes: String = (0..1001).map(|n| format!(" a{n}=''")).collect();
        let attributes = format!("<b{attributes}/>");
        for bad in [&texts, &cdata, &references, &elements, &attributes] {
            let error = read(&format!("<a>{bad}</a>")).unwrap_err();
            assert!(matches!(error, MetadataError::Limit { .. }), "{error}");
            let said = error.to_string();
            assert!(
                said.contains("at most") && said.contains("or more were found"),
                "{said}"
            );
        }
        assert!(read(&format!("<a>{spread}</a>")).is_ok());
        // Of a document that is read child by child each child has all of it.
        let many = format!("<a>{}</a>", format!("<b>{}</b>", text.repeat(9)).repeat(3));
        let mut children = Children::open(many.as_bytes(), "a").unwrap();
        for _ in 0..3 {
            assert!(children.next_child().unwrap().is_some());
        }
    }

    #[test]
    fn names_that_no_client_reads_are_refused() {
        for tag in [
            "b pac'd=\"1\" c'd=\"2\"",
            "b \"c=\"1\"",
            "b <c=\"1\"",
            "b c&amp;d=\"1\"",
            "b 1=\"1\"",
            "b c/d=\"1\"",
            "b&amp;c",
            "b'c'",
            "1",
        ] {
            assert!(read(&format!("<a><{tag}/></a>")).is_err(), "{tag}");
        }
        for tag in ["b c:d=\"1\"", "é_1.2-3 _=\"1\"", "b \u{fffd}=\"1\""] {
            assert!(read(&format!("<a><{tag}/></a>")).is_ok(), "{tag}");
        }
    }

    #[test]
    fn a_document_type_without_entities_is_passed_over() {
        let root = read(
            "<!DOCTYPE a SYSTEM 'a.dtd' [ <!ELEMENT a (b)> <!ATTLIST a k CDATA '>'> <!-- x --> ]><a k='1'/>",
        );
        assert_eq!(root.unwrap().attr("k"), Some("1"));
        for passed in [
            "<!-- <!ENTITY x 'y'> -->",
            "<!-- it's > <!ENTITY -->",
            "<?x <!ENTITY ?>",
            "<!ATTLIST a k CDATA '<!ENTITY'>",
        ] {
            assert!(
                read(&format!("<!DOCTYPE a [ {passed} ]><a/>")).is_ok(),
                "{passed}"
            );
        }
        for refused in [
            "<!-- x --> <!entity x 'y'>",
            "<!-- ' --><!ENTITY x 'y'><!-- ' -->",
            "<!ATTLIST a k CDATA '<!--'><!ENTITY x 'y'>",
        ] {
            let text = format!("<!DOCTYPE a [ {refused} ]><a/>");
            assert!(
                matches!(read(&text), Err(MetadataError::Entities)),
                "{refused}"
            );
        }
    }

    #[test]
    fn what_xml_cannot_hold_is_replaced_and_counted() {
        let bytes = b"<a k='&#0;&lt;&#xFFFFFFFFFF;'><b>\x01&#2;\xff&#xfffe;</b></a>";
        let mut children = Children::open(bytes.as_slice(), "a").unwrap();
        assert_eq!(children.root.attr("k"), Some("\u{fffd}<\u{fffd}"));
        let child = children.next_child().unwrap().unwrap();
        assert_eq!(child.text, "\u{fffd}".repeat(4));
        assert_eq!(children.replaced(), 5);
        let mut written = Vec::new();
        push_escaped(&mut written, "x\u{1}\u{ffff}\u{fffd}\u{ff5e}");
        assert_eq!(written, "x\u{fffd}\u{fffd}\u{ff5e}".as_bytes());
    }

    #[test]
    fn a_written_document_reads_back() {
        let mut bytes = Vec::new();
        let mut xml = XmlWriter::new(&mut bytes);
        xml.start("a", &[("k", "\"<&>\"")]).unwrap();
        xml.leaf("b", &[], "x & y\u{1}").unwrap();
        xml.leaf("c", &[], "").unwrap();
        xml.end().unwrap();
        let root = tree(bytes.as_slice(), "a").unwrap();
        assert_eq!(root.attr("k"), Some("\"<&>\""));
        assert_eq!(root.text_of("b"), Some("x & y"));
        assert!(String::from_utf8(bytes).unwrap().contains("  <c />\n"));
    }
}
