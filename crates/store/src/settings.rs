//! Server-wide facts by key.

use serde_json::Value;

use crate::{Result, Store};

impl Store {
    /// The value of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_get(&self, _key: &str) -> Result<Option<Value>> {
        unimplemented!()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_set(&self, _key: &str, _value: &Value) -> Result<()> {
        unimplemented!()
    }

    /// The value of a key, which becomes `value` if it has none: every process sees the same one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_get_or_set(&self, _key: &str, _value: &Value) -> Result<Value> {
        unimplemented!()
    }
}
