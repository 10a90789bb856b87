//! Some fields of a unit as JSON text.

use std::borrow::Cow;

use serde::Deserialize;

use crate::unit::RepoUnit;

/// A unit of a repository of which only some fields are known, and no parts: what is asked of very many units at once.
pub type Outline = RepoUnit<Fields>;

/// Some fields of a unit, unread: a type reads each as what it needs, and no tree of values is made of it, which would take ten
/// times the memory.
#[derive(Debug, Clone)]
pub struct Fields {
    names: &'static [&'static str],
    text: String,
}

impl Fields {
    /// The fields called `names`. `text` has a line of JSON for each, which is empty where the unit does not have it; JSON text has
    /// no raw line feed.
    #[must_use]
    pub fn new(names: &'static [&'static str], text: String) -> Self {
        Self { names, text }
    }

    /// The JSON text of a field; `None` where the unit does not have it, or it was not asked for.
    #[must_use]
    pub fn json(&self, field: &str) -> Option<&str> {
        let place = self.names.iter().position(|asked| *asked == field)?;
        let line = self.text.split('\n').nth(place)?;
        Some(line).filter(|line| !line.is_empty())
    }

    /// A field; `None` where the unit does not have it, or has something else there.
    #[must_use]
    pub fn get<'a, T: Deserialize<'a>>(&'a self, field: &str) -> Option<T> {
        serde_json::from_str(self.json(field)?).ok()
    }

    /// A text; empty where the unit does not have it, or has something else there.
    #[must_use]
    pub fn text(&self, field: &str) -> Cow<'_, str> {
        let json = self.json(field).unwrap_or("");
        let inside = json
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match inside {
            Some(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
            _ => self.get(field).map_or(Cow::Borrowed(""), Cow::Owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_what_they_are_asked_for() {
        let names = &["list", "missing", "name", "none", "plain"];
        let fields = Fields::new(names, "[1,2]\n\n\"a\\nb\"\nnull\n\"ü c\"".to_owned());
        assert_eq!(fields.get::<String>("name").as_deref(), Some("a\nb"));
        assert_eq!(fields.get::<Vec<u8>>("list"), Some(vec![1, 2]));
        assert_eq!(fields.get::<String>("list"), None);
        assert_eq!(fields.json("none"), Some("null"));
        assert_eq!(fields.json("missing"), None);
        assert_eq!(fields.json("other"), None);
        let texts = ["name", "plain", "list", "none", "missing", "other"];
        let texts = texts.map(|field| fields.text(field));
        assert_eq!(texts, ["a\nb", "ü c", "", "", "", ""]);
    }
}
