//! The one place that writes to the terminal: results, tables, remarks and errors.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex};

use comfy_table::{ContentArrangement, Table};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::error::Error;
use crate::families::Families;
use crate::text::clean;

/// The form in which results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables and sentences.
    Text,
    /// The API's documents, and nothing else on the standard output.
    Json,
}

/// The form in which progress is shown, on the standard error stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressForm {
    /// Live bars.
    Bars,
    /// A line for each change of a step.
    Lines,
    /// Nothing.
    Silent,
}

/// The output of a command: results go to `out`, progress, notes and errors to `err`.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// The form of results.
    pub format: Format,
    /// The form of progress.
    pub progress: ProgressForm,
    /// Is true when escape sequences for colours may be written to `err`.
    pub color: bool,
    /// The zone that times are shown in.
    pub zone: TimeZone,
    /// Is true when tables fit the width of the terminal; elsewhere each row is one line.
    pub fit: bool,
    /// The families that it has words of.
    pub families: &'static Families,
}

impl std::fmt::Debug for Ui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ui")
            .field("format", &self.format)
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl Ui {
    /// The process's own streams: bars on a terminal, lines in a pipe, silence with `--json`.
    #[must_use]
    pub fn of_process(json: bool, no_color: bool, families: &'static Families) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let no_color = no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            out: Box::new(std::io::stdout()),
            err: Box::new(std::io::stderr()),
            format: if json { Format::Json } else { Format::Text },
            progress: match (json, terminal) {
                (true, _) => ProgressForm::Silent,
                (false, true) => ProgressForm::Bars,
                (false, false) => ProgressForm::Lines,
            },
            color: terminal && !no_color,
            zone: TimeZone::system(),
            fit: std::io::stdout().is_terminal(),
            families,
        }
    }

    /// Writes into two buffers, with plain lines and UTC: for tests and for programs that show the text themselves.
    #[must_use]
    pub fn captured(format: Format, families: &'static Families) -> (Self, Captured) {
        let captured = Captured::default();
        let ui = Self {
            out: Box::new(captured.out.clone()),
            err: Box::new(captured.err.clone()),
            format,
            progress: match format {
                Format::Text => ProgressForm::Lines,
                Format::Json => ProgressForm::Silent,
            },
            color: false,
            zone: TimeZone::UTC,
            fit: false,
            families,
        };
        (ui, captured)
    }

    /// Tells whether results are JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// A line of the result, in text mode; nothing with `--json`.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        if self.is_json() {
            return Ok(());
        }
        writeln!(self.out, "{text}").map_err(Error::Output)
    }

    /// A document of the result, as indented JSON, whatever the format.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn document(&mut self, value: &Value) -> Result<(), Error> {
        writeln!(self.out, "{value:#}").map_err(Error::Output)
    }

    /// A result that is a document with `--json` and a line otherwise.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn either(&mut self, value: &Value, line: &str) -> Result<(), Error> {
        if self.is_json() {
            self.document(value)
        } else {
            self.line(line)
        }
    }

    /// A table under `header`; a sentence when there is no row.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn table(
        &mut self,
        header: &[&str],
        rows: Vec<Vec<String>>,
        none: &str,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return self.line(none);
        }
        self.line(&table(header, rows, self.fit))
    }

    /// A list that was found: the array with `--json`, else a table with a row for each, made by `row`.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn rows(
        &mut self,
        found: &Value,
        header: &[&str],
        row: impl Fn(&Value) -> Vec<String>,
        none: &str,
    ) -> Result<(), Error> {
        if self.is_json() {
            return self.document(found);
        }
        let rows = found.as_array().into_iter().flatten().map(row);
        self.table(header, rows.collect(), none)
    }

    /// A remark for the person, on the standard error stream; nothing with `--json`.
    pub fn note(&mut self, text: &str) {
        if !self.is_json() {
            // A remark that cannot be shown is no reason to stop the work.
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// An error and what to do about it.
    pub fn failure(&mut self, error: &Error) {
        let _ = if self.is_json() {
            writeln!(self.err, "{:#}", error.to_json())
        } else {
            let (red, bold, plain) = if self.color {
                ("\u{1b}[1;31m", "\u{1b}[1m", "\u{1b}[0m")
            } else {
                ("", "", "")
            };
            writeln!(
                self.err,
                "{red}error:{plain} {error}\n{bold}hint:{plain} {}",
                error.hint()
            )
        };
    }
}

/// The output of a captured [`Ui`].
#[derive(Debug, Default, Clone)]
pub struct Captured {
    out: Buffer,
    err: Buffer,
}

impl Captured {
    /// The results.
    #[must_use]
    pub fn out(&self) -> String {
        self.out.text()
    }

    /// Progress, notes and errors.
    #[must_use]
    pub fn err(&self) -> String {
        self.err.text()
    }
}

#[derive(Debug, Default, Clone)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        let bytes = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut held = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn table(header: &[&str], rows: Vec<Vec<String>>, fit: bool) -> String {
    let mut table = Table::new();
    if !fit {
        table.force_no_tty();
    }
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.iter().map(|h| h.to_uppercase()));
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_cannot_be_broken_by_what_a_cell_holds() {
        let text = table(&["id"], vec![vec!["a\nb\u{1b}[2J".into()]], false);
        assert_eq!(text, "ID\na b\u{fffd}[2J");
    }

    #[test]
    fn json_mode_writes_no_lines() {
        let (mut ui, captured) = Ui::captured(Format::Json, crate::families::samples::families());
        ui.line("text").unwrap();
        ui.note("remark");
        ui.document(&json!({"a": 1})).unwrap();
        assert_eq!(captured.out(), "{\n  \"a\": 1\n}\n");
        assert_eq!(captured.err(), "");
    }
}
