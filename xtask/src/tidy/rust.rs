//! Rust source as the rules read it: code without comments, strings and tests, every line in its place.

use std::ops::Range;

/// One Rust file, taken apart.
#[derive(Debug)]
pub(crate) struct RustSource {
    /// Without comments, tests and the insides of strings; all of them are blanks, so that lines stay where they are.
    pub(crate) code: String,
    /// The text inside the quotes of each string literal outside tests, with its line (from 1).
    pub(crate) strings: Vec<(usize, String)>,
    /// Lines that are not part of an inline test module.
    pub(crate) lines_outside_tests: usize,
    /// Lines whose comment waves a rule: `// tidy: allow(rule): reason`.
    waived: Vec<(usize, String)>,
}

impl RustSource {
    pub(crate) fn new(text: &str) -> Self {
        let parts = lex(text);
        let mut code = text.as_bytes().to_vec();
        for part in &parts {
            blank(&mut code, &part.range);
        }
        let tests = test_modules(&code);
        for range in &tests {
            blank(&mut code, range);
        }
        let line_at = |at: usize| {
            1 + text.as_bytes()[..at]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count()
        };
        let in_tests = |at: usize| tests.iter().any(|range| range.contains(&at));
        let strings = parts
            .iter()
            .filter(|part| part.kind == Kind::Text && !in_tests(part.range.start))
            .map(|part| {
                (
                    line_at(part.range.start),
                    text[part.range.clone()].to_owned(),
                )
            })
            .collect();
        let test_lines: usize = tests
            .iter()
            .map(|range| line_at(range.end) - line_at(range.start) + 1)
            .sum();
        let waived = text
            .lines()
            .enumerate()
            .filter_map(|(index, line)| {
                let (_, rest) = line.split_once("// tidy: allow(")?;
                Some((index + 1, rest.split_once(')')?.0.to_owned()))
            })
            .collect();
        Self {
            // Blanked ranges start and end at ASCII, so what remains is still UTF-8.
            code: String::from_utf8_lossy(&code).into_owned(),
            strings,
            lines_outside_tests: text.lines().count().saturating_sub(test_lines),
            waived,
        }
    }

    /// Tells whether `line` (from 1), or the one above it, waves `rule`.
    pub(crate) fn waives(&self, rule: &str, line: usize) -> bool {
        self.waived
            .iter()
            .any(|(at, name)| name == rule && (*at == line || *at + 1 == line))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comment,
    /// The inside of a string literal.
    Text,
}

#[derive(Debug)]
struct Part {
    kind: Kind,
    range: Range<usize>,
}

/// Finds comments and string literals. Good enough for formatted code that compiles.
fn lex(text: &str) -> Vec<Part> {
    let bytes = text.as_bytes();
    let mut parts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (kind, range) = if rest.starts_with(b"//") {
            (Kind::Comment, at..line_end(bytes, at))
        } else if rest.starts_with(b"/*") {
            (Kind::Comment, at..block_comment_end(bytes, at))
        } else if let Some(inside) = raw_string(bytes, at) {
            (Kind::Text, inside)
        } else if rest[0] == b'"' {
            (Kind::Text, at + 1..string_end(bytes, at + 1))
        } else {
            at += char_literal(rest).unwrap_or(1);
            continue;
        };
        // Past the closing quote of a string (and a harmless byte or two after a raw one).
        at = range.end + usize::from(kind == Kind::Text);
        parts.push(Part { kind, range });
    }
    parts
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|&byte| byte == b'\n')
        .map_or(bytes.len(), |length| from + length)
}

fn block_comment_end(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0usize;
    let mut at = from;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The end of the inside of a string whose inside starts at `from`.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// The inside of a raw string that starts at `at`, if one does (`r"`, `r#"`, also after `b`).
fn raw_string(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let word_before = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    if bytes[at] != b'r' || (word_before && bytes[at - 1] != b'b') {
        return None;
    }
    let hashes = bytes[at + 1..]
        .iter()
        .take_while(|&&byte| byte == b'#')
        .count();
    let start = at + 1 + hashes;
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let inside = start + 1;
    let length = bytes[inside..]
        .windows(close.len())
        .position(|window| window == close)?;
    Some(inside..inside + length)
}

/// The length of a character literal at the start of `rest`; `None` for a lifetime or anything else.
fn char_literal(rest: &[u8]) -> Option<usize> {
    if rest[0] != b'\'' {
        return None;
    }
    if rest.get(1) == Some(&b'\\') {
        let close = rest[3..].iter().position(|&byte| byte == b'\'')?;
        return Some(close + 4);
    }
    // One character of up to four bytes, then the quote; a lifetime has none that close.
    (2..=5)
        .find(|&at| rest.get(at) == Some(&b'\''))
        .and_then(|at| {
            let one_character = at == 2 || rest[1] >= 0x80;
            one_character.then_some(at + 1)
        })
}

/// The inline modules behind `#[cfg(test)]`.
fn test_modules(code: &[u8]) -> Vec<Range<usize>> {
    const MARK: &[u8] = b"#[cfg(test)]";
    let mut ranges = Vec::new();
    let mut at = 0;
    while let Some(found) = code[at..]
        .windows(MARK.len())
        .position(|window| window == MARK)
    {
        let start = at + found;
        at = start + MARK.len();
        let end = item_end(code, at);
        if let Some(end) = end {
            ranges.push(start..end);
            at = end;
        }
    }
    ranges
}

/// The end of the item at `from`: its closing brace; `None` for one without a body (`mod tests;`, `use …;`).
fn item_end(code: &[u8], from: usize) -> Option<usize> {
    let open = from
        + code[from..]
            .iter()
            .position(|&byte| matches!(byte, b'{' | b';'))?;
    if code[open] == b';' {
        return None;
    }
    let mut depth = 0usize;
    for (index, byte) in code[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return Some(open + index + 1);
        }
    }
    None
}

fn blank(bytes: &mut [u8], range: &Range<usize>) {
    for byte in &mut bytes[range.clone()] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_hidden_and_lines_stay() {
        let source = RustSource::new(
            "let a = \"x // y \\\" z\"; // gone\n/* a /* b */ c */ let b = r#\"q \"r\" s\"#;\nlet c = '\"';\n",
        );
        assert_eq!(source.code.lines().count(), 3);
        assert!(!source.code.contains("gone") && !source.code.contains('x'));
        assert!(source.code.contains("let b") && source.code.contains("let c"));
        let inside: Vec<&str> = source
            .strings
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        assert_eq!(inside, ["x // y \\\" z", "q \"r\" s"]);
    }

    #[test]
    fn lifetimes_and_characters_are_told_apart() {
        let source = RustSource::new(
            "fn a<'a>(b: &'a str) -> char { '\\'' } const Q: &str = \"in\";\nlet é = 'é';",
        );
        assert!(source.code.contains("&'a str"));
        assert_eq!(source.strings, [(1, "in".to_owned())]);
    }

    #[test]
    fn inline_tests_are_neither_code_nor_counted() {
        let source = RustSource::new(
            "fn real() {}\n#[cfg(test)]\nmod tests {\n    fn fake() { \"}\"; }\n}\nfn after() {}\n",
        );
        assert!(source.code.contains("real") && source.code.contains("after"));
        assert!(!source.code.contains("fake"));
        assert!(source.strings.is_empty());
        assert_eq!(source.lines_outside_tests, 2);
    }

    #[test]
    fn a_waiver_covers_its_line_and_the_next() {
        let source =
            RustSource::new("// tidy: allow(print): usage text\nprintln!();\nprintln!();\n");
        assert!(source.waives("print", 2));
        assert!(!source.waives("print", 3));
        assert!(!source.waives("sql", 2));
    }
}
