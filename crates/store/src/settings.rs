//! Server-wide facts by key.

use serde_json::Value;

use crate::dialect::sql;
use crate::{Result, Store, StoreError};

impl Store {
    /// The value of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_get(&self, key: &str) -> Result<Option<Value>> {
        let row = self
            .optional(sql("SELECT json(value) FROM settings WHERE key = $1").bind(key))
            .await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn setting_set(&self, key: &str, value: &Value) -> Result<()> {
        let statement = sql("INSERT INTO settings (key, value) VALUES ($1, jsonb($2)) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value);
        self.execute(statement).await.map(drop)
    }

    /// The value of a key, which becomes `value` if it has none: every process sees the same one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_get_or_set(&self, key: &str, value: &Value) -> Result<Value> {
        let statement = sql(
            "INSERT INTO settings (key, value) VALUES ($1, jsonb($2)) ON CONFLICT (key) DO NOTHING",
        );
        self.execute(statement.bind(key).bind(value)).await?;
        let stored = self
            .write_all(sql("SELECT json(value) FROM settings WHERE key = $1").bind(key))
            .await?;
        stored.first().map_or_else(
            || Err(StoreError::missing("setting", key)),
            |row| row.get(0),
        )
    }
}
