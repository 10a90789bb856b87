//! Entries of `provides`, `requires` and `recommends` as they stand in documents.

use std::borrow::Cow;
use std::fmt;

use pith_content::outline::Fields;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An entry.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct DependencyRef<'a> {
    /// The name of a package, of something in one, or a condition on several.
    #[serde(borrow)]
    pub(super) name: Text<'a>,
    /// The relation to the version.
    #[serde(borrow)]
    pub(super) flags: Text<'a>,
    /// Epoch.
    #[serde(borrow)]
    pub(super) epoch: Text<'a>,
    /// Version.
    #[serde(borrow)]
    pub(super) version: Text<'a>,
    /// Release.
    #[serde(borrow)]
    pub(super) release: Text<'a>,
}

/// The entries of a field; none when it is no list of them.
pub(super) fn entries<'a>(unit: &'a Fields, field: &str) -> Vec<DependencyRef<'a>> {
    unit.get(field).unwrap_or_default()
}

/// A text; empty where something else stands.
#[derive(Debug, Default, Clone)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(text.to_owned().into()))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Text<'de>, E> {
        Ok(Text::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Text<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::default())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_read_whatever_stands_in_their_fields() {
        let requires = json!([
            {"name": "a\u{e9}\n", "flags": "GE", "epoch": null, "version": 1, "release": ["x"], "more": {"x": 1}},
            {"flags": null},
        ]);
        let fields = &["requires", "provides"];
        let unit = Fields::new(fields, format!("{requires}\n\"none\""));
        let found = entries(&unit, "requires");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].name.as_str(), "a\u{e9}\n");
        assert_eq!(found[0].flags.as_str(), "GE");
        assert_eq!(found[0].version.as_str(), "");
        assert_eq!(found[0].release.as_str(), "");
        assert_eq!(found[1].name.as_str(), "");
        assert!(entries(&unit, "provides").is_empty());
        assert!(entries(&unit, "recommends").is_empty());
    }
}
