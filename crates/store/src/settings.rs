//! Server-wide facts by key. Secrets in them are sealed.

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
        let value = row.map(|row| row.get(0)).transpose()?;
        value
            .map(|value| self.inner.secrets.opened_json(value))
            .transpose()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_set(&self, key: &str, value: &Value) -> Result<()> {
        let value = self.inner.secrets.sealed_json(value)?;
        let statement = sql("INSERT INTO settings (key, value) VALUES ($1, jsonb($2)) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(&value);
        self.execute(statement).await.map(drop)
    }

    /// Sets the value of a key; answers the one before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_replace(&self, key: &str, value: &Value) -> Result<Option<Value>> {
        let before = self.setting_get(key).await?;
        self.setting_set(key, value).await?;
        Ok(before)
    }

    /// The value of a key, which becomes `value` if it has none: every process sees the same one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setting_get_or_set(&self, key: &str, value: &Value) -> Result<Value> {
        let statement = sql(
            "INSERT INTO settings (key, value) VALUES ($1, jsonb($2)) ON CONFLICT (key) DO NOTHING",
        );
        let value = self.inner.secrets.sealed_json(value)?;
        self.execute(statement.bind(key).bind(&value)).await?;
        let stored = self
            .write_all(sql("SELECT json(value) FROM settings WHERE key = $1").bind(key))
            .await?;
        let row = stored.first();
        let row = row.ok_or_else(|| StoreError::missing("setting", key))?;
        self.inner.secrets.opened_json(row.get(0)?)
    }
}
