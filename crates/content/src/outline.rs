//! Some fields of a unit as JSON text.

use pith_core::UnitId;
use serde::Deserialize;

/// Some fields of a unit, unread: a type reads each as what it needs, and no tree of values is made of it, which would take ten
/// times the memory.
#[derive(Debug, Clone)]
pub struct Outline {
    /// The unit.
    pub id: UnitId,
    fields: &'static [&'static str],
    text: String,
}

impl Outline {
    /// The `fields` of a unit. `text` has a line of JSON for each, which is empty where the unit does not have it; JSON text has no
    /// raw line feed.
    #[must_use]
    pub fn new(id: UnitId, fields: &'static [&'static str], text: String) -> Self {
        Self { id, fields, text }
    }

    /// The JSON text of a field; `None` where the unit does not have it, or it was not asked for.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        let place = self.fields.iter().position(|asked| *asked == field)?;
        let line = self.text.split('\n').nth(place)?;
        Some(line).filter(|line| !line.is_empty())
    }

    /// A field; `None` where the unit does not have it, or has something else there.
    #[must_use]
    pub fn get<'a, T: Deserialize<'a>>(&'a self, field: &str) -> Option<T> {
        serde_json::from_str(self.text(field)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_what_they_are_asked_for() {
        let fields = &["list", "missing", "name", "none"];
        let text = "[1,2]\n\n\"a\\nb\"\nnull".to_owned();
        let outline = Outline::new(UnitId::new(), fields, text);
        assert_eq!(outline.get::<String>("name").as_deref(), Some("a\nb"));
        assert_eq!(outline.get::<Vec<u8>>("list"), Some(vec![1, 2]));
        assert_eq!(outline.get::<String>("list"), None);
        assert_eq!(outline.text("none"), Some("null"));
        assert_eq!(outline.text("missing"), None);
        assert_eq!(outline.text("other"), None);
    }
}
