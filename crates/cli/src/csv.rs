//! Small tables that people write by hand: values with commas between them (RFC 4180).

use std::path::Path;

use crate::error::Error;

/// Largest table of a unit.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// Reads a file whose lines have a value for each of `columns`.
///
/// # Errors
///
/// When it cannot be read, or a line has another number of values.
pub(crate) fn read(path: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>, Error> {
    let failed = |e| Error::file(path, e);
    if std::fs::metadata(path).map_err(failed)?.len() > MOST_BYTES {
        return Err(Error::usage(
            format!("{} is too large for a table", path.display()),
            "no unit has so many lines; check the path",
        ));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    let rows = records(&text);
    let wanted = columns.len();
    let mut lines = rows.iter().enumerate();
    if let Some((number, line)) = lines.find(|(_, line)| line.len() != wanted) {
        return Err(Error::usage(
            format!(
                "line {} of {} has {} values, not {wanted}",
                number + 1,
                path.display(),
                line.len()
            ),
            format!("each line is {}", columns.join(",")),
        ));
    }
    Ok(rows)
}

/// The records of a text; empty lines are none. Quotes protect commas and line ends, `""` is a quote in quotes.
fn records(text: &str) -> Vec<Vec<String>> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut value = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                value.push('"');
            }
            '"' if quoted || value.is_empty() => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut value)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {}
            '\n' if !quoted => end(&mut records, &mut record, &mut value),
            c => value.push(c),
        }
    }
    end(&mut records, &mut record, &mut value);
    records
}

fn end(records: &mut Vec<Vec<String>>, record: &mut Vec<String>, value: &mut String) {
    if record.is_empty() && value.is_empty() {
        return;
    }
    record.push(std::mem::take(value));
    records.push(std::mem::take(record));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_protect_commas_and_line_ends() {
        assert_eq!(
            records("a,\"b,\"\"c\"\"\nd\",\r\n\nx"),
            [vec!["a", "b,\"c\"\nd", ""], vec!["x"]]
        );
    }

    #[test]
    fn a_line_with_another_number_of_values_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a,b\nc\n").unwrap();
        let error = read(&path, &["one", "two"]).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
        assert_eq!(error.hint(), "each line is one,two");
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(rows in proptest::collection::vec(
            proptest::collection::vec("[^\u{0}]{1,8}", 1..4), 0..5)) {
            let quote = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
            let text: String = rows
                .iter()
                .map(|row| row.iter().map(quote).collect::<Vec<_>>().join(",") + "\n")
                .collect();
            prop_assert_eq!(records(&text), rows);
        }
    }
}
