//! The configuration a plugin works with: call override over stored configuration, with typed reading.

use pith_core::Document;
use serde_json::Value;

/// An effective configuration. Keys whose value is null count as absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    merged: Document,
    overridden: Document,
}

impl Config {
    /// A stored configuration without an override.
    #[must_use]
    pub fn new(stored: Document) -> Self {
        Self::with_override(stored, Document::new())
    }

    /// `overriding` wins over `stored`, key by key (pulp2/sync-and-publish#configuration).
    #[must_use]
    pub fn with_override(stored: Document, overriding: Document) -> Self {
        let mut merged = stored;
        for (key, value) in &overriding {
            merged.insert(key.clone(), value.clone());
        }
        merged.retain(|_, value| !value.is_null());
        Self {
            merged,
            overridden: overriding,
        }
    }

    /// The value of `key`; `None` when absent or null.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.merged.get(key)
    }

    /// The text of `key`, when it is a text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The truth of `key`: a boolean, or its text form in any case. `None` when absent or something else.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// The whole number of `key`, also from a text of digits.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The number of `key`, also from text.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok().filter(|n: &f64| n.is_finite()),
            _ => None,
        }
    }

    /// The texts of `key`; a text alone is a list of one, and anything else is empty. Members that are not texts are
    /// passed over.
    #[must_use]
    pub fn list(&self, key: &str) -> Vec<&str> {
        match self.get(key) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The whole effective configuration.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.merged
    }

    /// Returns what this call overrides.
    #[must_use]
    pub fn overridden(&self) -> &Document {
        &self.overridden
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: Value) -> Document {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_override_wins_and_null_means_absent() {
        let config = Config::with_override(
            document(
                json!({"feed": "http://a/", "validate": "True", "max_downloads": "7", "proxy_host": null}),
            ),
            document(json!({"feed": "http://b/", "validate": null})),
        );
        assert_eq!(config.text("feed"), Some("http://b/"));
        assert_eq!(config.flag("validate"), None);
        assert_eq!(config.integer("max_downloads"), Some(7));
        assert!(config.get("proxy_host").is_none());
        let config = Config::new(document(
            json!({"one": "a", "two": ["a", 5, "b"], "none": 5}),
        ));
        assert_eq!(config.list("one"), ["a"]);
        assert_eq!(config.list("two"), ["a", "b"]);
        assert!(config.list("none").is_empty());
    }
}
