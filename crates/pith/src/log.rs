//! The log: lines on standard error, one an event. `docs/logging.md` says what stands in them.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// The environment variable that says which lines are written.
const FILTER: &str = "PITH_LOG";

/// Begins to write log lines: those that `PITH_LOG` names, else those of level `default` and above. A line that cannot be written is
/// lost, and nothing else with it.
pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_env(FILTER)
        .unwrap_or_else(|_| EnvFilter::new(format!("{default},sqlx=warn")));
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(move || Lines {
            to: std::io::stderr(),
            colours,
        })
        // Otherwise it is told on standard error, and failing there ends whoever wrote the line.
        .log_internal_errors(false)
        .try_init();
}

/// A writer of events that makes one line of each, whatever is in its texts: names and errors come from clients and from feeds.
struct Lines<W> {
    to: W,
    colours: bool,
}

impl<W: Write> Write for Lines<W> {
    /// Writes one event: the subscriber hands each over in one piece, with the end of its line.
    fn write(&mut self, event: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.to
            .write_all(one_line(&text, self.colours).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// The event with its control characters escaped, except for the end of the line, and for the beginnings of colours where there are
/// some: those in texts are escaped already.
fn one_line(event: &str, colours: bool) -> Cow<'_, str> {
    let (text, end) = match event.strip_suffix('\n') {
        Some(text) => (text, "\n"),
        None => (event, ""),
    };
    let is_harmful =
        |character: char| character.is_control() && !(colours && character == '\u{1b}');
    if !text.contains(is_harmful) {
        return Cow::Borrowed(event);
    }
    let mut line = String::with_capacity(event.len() + 16);
    for character in text.chars() {
        match is_harmful(character) {
            true => line.extend(character.escape_debug()),
            false => line.push(character),
        }
    }
    line.push_str(end);
    Cow::Owned(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        for (event, colours, line) in [
            ("a b\n", false, "a b\n"),
            ("a\nb\r\u{85}\n", false, "a\\nb\\r\\u{85}\n"),
            ("\u{1b}[2m\tb", true, "\u{1b}[2m\\tb"),
            ("\u{1b}[2m", false, "\\u{1b}[2m"),
            ("", false, ""),
        ] {
            assert_eq!(one_line(event, colours), line);
        }
        let mut written = Vec::new();
        let mut lines = Lines {
            to: &mut written,
            colours: false,
        };
        lines.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(written, b"one\\ntwo\n");
    }
}
