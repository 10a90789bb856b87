//! `PULP_MANIFEST`: CSV without a header, `name,sha256,size` (pulp2/iso#manifest).

use std::cell::Cell;
use std::io::{self, BufRead, Read, Write};
use std::rc::Rc;

use pith_content::text::Text;
use pith_core::{RelativePath, Sha256};

/// The manifest's name, which no file beside it may have.
pub const NAME: &str = "PULP_MANIFEST";

/// Tells whether a path is the manifest's, or one below it: no file can be there.
#[must_use]
pub fn takes(path: &str) -> bool {
    let rest = path.strip_prefix(NAME);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file's path relative to the manifest, in the fewest words.
    pub name: RelativePath,
    /// The path as it stands, where that is something else.
    pub given: Option<String>,
    /// Its digest.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// The reason why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A line that has not three columns, or is not CSV.
    #[error("line {line} is not of the form name,sha256,size: {reason}")]
    Form {
        /// The line, from one.
        line: u64,
        /// The fault.
        reason: String,
    },
    /// A name that must not become a path.
    #[error("line {line}: {source}")]
    Name {
        /// The line, from one.
        line: u64,
        /// The fault in it.
        source: pith_core::path::UnsafePath,
    },
    /// The manifest lists its own name.
    #[error(
        "line {line}: an ISO may not be named PULP_MANIFEST, as it conflicts with the name of the manifest during publishing"
    )]
    OwnName {
        /// The line, from one.
        line: u64,
    },
}

/// Most bytes of one line, which is in memory whole.
const MAX_LINE: usize = 16 << 10;

/// Ends with an error when too much is read for one line.
struct Bounded<R> {
    inner: R,
    /// Bytes since the last line ended, and those that were read ahead before.
    since: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.since.get() > MAX_LINE {
            let text =
                format!("it is longer than {MAX_LINE} bytes, which no line of a manifest is");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let count = self.inner.read(buf)?;
        self.since.set(self.since.get() + count);
        Ok(count)
    }
}

/// Reads lines one by one; stops at the first error. A byte-order mark, blank lines and comments are passed over.
pub fn read(from: impl BufRead) -> impl Iterator<Item = Result<Line, ManifestError>> {
    let since = Rc::new(Cell::new(0));
    let bounded = Bounded {
        inner: Text::plain(from),
        since: Rc::clone(&since),
    };
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bounded);
    let mut failed = false;
    // Names may begin as comments do: it takes the columns of a file to be one.
    let passed = |record: &csv::StringRecord| {
        let text = record[0].trim();
        (text.is_empty() && record.len() == 1) || (text.starts_with('#') && record.len() != 3)
    };
    let records = reader
        .into_records()
        .inspect(move |_| since.set(0))
        .filter(move |record| !record.as_ref().is_ok_and(passed));
    records.map_while(move |record| {
        if failed {
            return None;
        }
        let line = parse(record);
        failed = line.is_err();
        Some(line)
    })
}

fn parse(record: Result<csv::StringRecord, csv::Error>) -> Result<Line, ManifestError> {
    let record = record.map_err(|error| ManifestError::Form {
        line: error.position().map_or(0, csv::Position::line),
        reason: error.to_string(),
    })?;
    let line = record.position().map_or(0, csv::Position::line);
    let form = |reason: String| ManifestError::Form { line, reason };
    if record.len() != 3 {
        return Err(form(format!("it has {} columns", record.len())));
    }
    // Blanks belong to a name, unless the line has them after its commas: then they are there for the eye.
    let spaced = record[1].starts_with([' ', '\t']);
    let name = if spaced { record[0].trim() } else { &record[0] };
    if name.contains(char::REPLACEMENT_CHARACTER) {
        return Err(form("its name is no text of UTF-8".to_owned()));
    }
    let given = name;
    let name =
        RelativePath::cleaned(name).map_err(|source| ManifestError::Name { line, source })?;
    let given = (name.as_str() != given).then(|| given.to_owned());
    if takes(name.as_str()) {
        return Err(ManifestError::OwnName { line });
    }
    let value = |at: usize| record[at].trim().trim_matches('"').to_ascii_lowercase();
    let sha256 = value(1).parse().map_err(|error| form(format!("{error}")))?;
    let size = value(2)
        .parse()
        .map_err(|_| form(format!("'{}' is not a size", &record[2])))?;
    Ok(Line {
        name,
        given,
        sha256,
        size,
    })
}

/// Writes a line with its CRLF, quoted only where that is needed.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    let name = line.name.as_str();
    let quoted = name
        .contains([',', '"', '\r', '\n'])
        .then(|| format!("\"{}\"", name.replace('"', "\"\"")));
    let name = quoted.as_deref().unwrap_or(name);
    write!(out, "{name},{},{}\r\n", line.sha256, line.size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SHA: &str = "94f7fe923212286855dea858edac1b4a292301045af0ddb275544e5251a50b3c";

    fn lines(text: &str) -> Result<Vec<Line>, ManifestError> {
        read(text.as_bytes()).collect()
    }

    #[test]
    fn both_line_ends_and_quotes_are_read() {
        let read = lines(&format!(
            "a.iso,{SHA},5\r\n\"b, c.iso\",{SHA},6\nd/e.iso,{SHA},7\n"
        ))
        .unwrap();
        let names: Vec<&str> = read.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["a.iso", "b, c.iso", "d/e.iso"]);
        assert_eq!(read[2].size, 7);
        assert!(lines("").unwrap().is_empty());
    }

    #[test]
    fn marks_blanks_and_case_are_no_fault() {
        let upper = SHA.to_ascii_uppercase();
        let text = format!(
            "\u{feff}a.iso,{upper},5\r\n\r\n   \r\n\"b, c.iso\" , {SHA} , 6 \r\nd e.iso, \"{SHA}\",\t7\r\n d.iso,{SHA},8"
        );
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [text.as_bytes(), &wide] {
            let read: Vec<Line> = read(bytes).collect::<Result<_, _>>().unwrap();
            let names: Vec<&str> = read.iter().map(|line| line.name.as_str()).collect();
            assert_eq!(names, ["a.iso", "b, c.iso", "d e.iso", " d.iso"]);
            let sizes: Vec<u64> = read.iter().map(|line| line.size).collect();
            assert_eq!(sizes, [5, 6, 7, 8]);
            assert!(read.iter().all(|line| line.sha256.to_string() == SHA));
        }
        let broken = [b"J\xf6rg.iso,".as_slice(), SHA.as_bytes(), b",5"].concat();
        assert!(read(broken.as_slice()).next().unwrap().is_err());
    }

    #[test]
    fn comments_are_passed_over_and_names_are_read_in_the_fewest_words() {
        let text = format!(
            "# files, sorted\n./a.iso,{SHA},5\r\n#\nd//e/./f.iso,{SHA},6\n#g.iso,{SHA},7\nx/../h.iso,{SHA}, 8 "
        );
        let lines = lines(&text).unwrap();
        let names: Vec<_> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["a.iso", "d/e/f.iso", "#g.iso", "h.iso"]);
        let given: Vec<_> = lines.iter().map(|line| line.given.as_deref()).collect();
        let wanted = [
            Some("./a.iso"),
            Some("d//e/./f.iso"),
            None,
            Some("x/../h.iso"),
        ];
        assert_eq!(given, wanted);
    }

    #[test]
    fn a_bad_line_is_an_error_that_names_it() {
        for bad in [
            format!("a,{SHA}"),
            format!("a,{SHA},1,2"),
            format!("a,{SHA},x"),
            format!("a,{SHA},-1"),
            "a,abc,1".to_owned(),
            format!("../a,{SHA},1"),
            format!("/a,{SHA},1"),
            format!("PULP_MANIFEST,{SHA},1"),
            "<html>".to_owned(),
        ] {
            let error = lines(&format!("ok,{SHA},1\n{bad}\n")).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }

    #[test]
    fn a_line_without_end_is_an_error_and_many_lines_are_none() {
        let long = "x".repeat(1 << 20);
        for bad in [
            format!("{long},{SHA},1\n"),
            format!("\"{}\",{SHA},1\n", "y\n".repeat(1 << 19)),
        ] {
            let error = lines(&format!("ok,{SHA},1\n{bad}")).unwrap_err();
            assert!(error.to_string().contains("longer than"), "{error}");
        }
        let many: String = (0..20_000).map(|n| format!("{n},{SHA},1\n")).collect();
        assert_eq!(lines(&many).unwrap().len(), 20_000);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(names in proptest::collection::vec("[a-z ,\"'é.]{1,20}", 0..20)) {
            let wanted: Vec<Line> = names
                .iter()
                .filter_map(|name| RelativePath::new(name.clone()).ok())
                .map(|name| Line { name, given: None, sha256: SHA.parse().unwrap(), size: 3 })
                .collect();
            let mut bytes = Vec::new();
            for line in &wanted {
                write(&mut bytes, line).unwrap();
            }
            let read: Vec<Line> = read(bytes.as_slice()).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(read, wanted);
        }

        #[test]
        fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(bytes.as_slice()).count();
        }
    }
}
