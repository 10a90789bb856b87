//! Facts that the text of a note tells.

use std::io::{BufRead, BufReader};

use pith_content::UnitRules;
use pith_content::publish::ReadSeek;
use pith_core::Document;
use pith_core::digest::Hashed;
use serde_json::{Value, json};

use super::along::SEES;

/// The most notes that a note names.
const MOST_SEEN: usize = 100;

/// The rules of notes.
#[derive(Debug)]
pub(super) struct NoteRules;

impl UnitRules for NoteRules {
    fn inspect(&self, file: &mut dyn ReadSeek, hashed: &Hashed) -> Result<Document, String> {
        let (mut lines, mut sees) = (0_u64, Vec::new());
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(|error| error.to_string())?;
            if line.contains(&0) {
                return Err("a note is a text, and this is none".to_owned());
            }
            lines += 1;
            let seen = str::from_utf8(&line).ok();
            let seen = seen.and_then(|line| line.strip_prefix("see "));
            sees.extend(seen.filter(|_| sees.len() < MOST_SEEN).map(Value::from));
        }
        let digests = hashed
            .all()
            .map(|(algorithm, hex)| (algorithm.name(), Value::from(hex)));
        let digests: serde_json::Map<String, Value> =
            digests.map(|(name, hex)| (name.to_owned(), hex)).collect();
        Ok(Document::from_iter([
            ("lines".to_owned(), json!(lines)),
            ("digests".to_owned(), Value::Object(digests)),
            (SEES.to_owned(), Value::Array(sees)),
        ]))
    }
}
