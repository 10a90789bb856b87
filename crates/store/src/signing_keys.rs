//! Keys that sign what is published. All of what is changed here is changed under [`Store::distributors_lock`]: settings of
//! distributors name keys.

use pith_core::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::dialect::{Sql, sql};
use crate::secrets::Secrets;
use crate::value::Row;
use crate::{Result, Store, StoreError};

/// The name of what is missing or there already, for errors.
const WHAT: &str = "signing key";

/// All that is kept of a signing key but its secret part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The fingerprint.
    pub fingerprint: String,
    /// The name; one that was retired shares it with the one that came in its place.
    pub name: String,
    /// The name that clients show.
    pub user_id: String,
    /// The algorithm, such as `ed25519`.
    pub algorithm: String,
    /// The public part, armored.
    pub public: String,
    /// Is true when its secret part is here.
    pub has_secret: bool,
    /// Is true for the key of distributors that name none.
    pub is_default: bool,
    /// The time at which it came.
    pub created: Timestamp,
    /// The end of its validity.
    pub expires: Option<Timestamp>,
    /// The time since which another one signs in its place.
    pub retired: Option<Timestamp>,
}

impl KeyRecord {
    /// Tells whether settings that name a key in this way mean this one: by its fingerprint, or by its name while it signs.
    #[must_use]
    pub fn is_named(&self, named: &str) -> bool {
        fingerprint(named) == self.fingerprint || (self.retired.is_none() && named == self.name)
    }
}

/// A fingerprint as it is kept, however it is written: programs show it in small letters, and with blanks between its digits.
fn fingerprint(written: &str) -> String {
    let digits = written.chars().filter(|digit| !digit.is_ascii_whitespace());
    digits.map(|digit| digit.to_ascii_uppercase()).collect()
}

/// The columns of a [`KeyRecord`], in the order of `record`.
const COLUMNS: &str = "fingerprint, name, user_id, algorithm, public, secret IS NOT NULL, is_default, created, expires, retired";

fn record(row: &Row) -> Result<KeyRecord> {
    Ok(KeyRecord {
        fingerprint: row.get(0)?,
        name: row.get(1)?,
        user_id: row.get(2)?,
        algorithm: row.get(3)?,
        public: row.get(4)?,
        has_secret: row.get(5)?,
        is_default: row.get(6)?,
        created: row.get(7)?,
        expires: row.get(8)?,
        retired: row.get(9)?,
    })
}

/// The name under which the secret part of a key is sealed: it opens for that key alone.
fn purpose(fingerprint: &str) -> String {
    format!("signing_keys/{fingerprint}")
}

impl Store {
    /// Every key, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys_list(&self) -> Result<Vec<KeyRecord>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM signing_keys ORDER BY seq");
        let rows = self.all(query.build()).await?;
        rows.iter().map(record).collect()
    }

    /// The key that signs under a name, the key of a fingerprint, or the default one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_key_find(&self, named: Option<&str>) -> Result<Option<KeyRecord>> {
        let mut query = Sql::new(self.backend(), "SELECT ");
        query.push(COLUMNS).push(" FROM signing_keys WHERE ");
        match named {
            Some(named) => query
                .push("fingerprint = ")
                .bind(fingerprint(named))
                .push(" OR (retired IS NULL AND name = ")
                .bind(named)
                .push(")"),
            None => query.push("retired IS NULL AND is_default"),
        };
        let row = self.optional(query.build()).await?;
        row.as_ref().map(record).transpose()
    }

    /// The secret part of a key; `None` when it is not here.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when it cannot be opened.
    pub async fn signing_key_secret(&self, fingerprint: &str) -> Result<Option<SecretString>> {
        let statement = sql("SELECT secret FROM signing_keys WHERE fingerprint = $1");
        let row = self.optional(statement.bind(fingerprint)).await?;
        let sealed: Option<String> = row.map_or(Ok(None), |row| row.get(0))?;
        let opened = sealed.map(|sealed| {
            let secrets = &self.inner.secrets;
            secrets.opened_text(&purpose(fingerprint), &sealed)
        });
        opened.transpose()
    }

    /// Saves a new key with its secret part. When it is to be the default, the one that was is no more.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when its name or fingerprint is taken; [`StoreError::Sealed`] without a key to seal it with.
    pub async fn signing_key_create(&self, key: &KeyRecord, secret: &SecretString) -> Result<()> {
        let secrets: &Secrets = &self.inner.secrets;
        let sealed = secrets.sealed_text(&purpose(&key.fingerprint), secret.expose_secret())?;
        let mut tx = self.begin().await?;
        if key.is_default {
            let others = sql("UPDATE signing_keys SET is_default = FALSE WHERE is_default");
            tx.inner.execute(others).await?;
        }
        let statement = sql(
            "INSERT INTO signing_keys (fingerprint, name, user_id, algorithm, public, secret, is_default, created, expires) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&key.fingerprint)
        .bind(&key.name)
        .bind(&key.user_id)
        .bind(&key.algorithm)
        .bind(&key.public)
        .bind(&sealed)
        .bind(key.is_default)
        .bind(key.created)
        .bind(key.expires);
        let created = tx.inner.execute(statement).await;
        created.map_err(|error| error.or_duplicate(WHAT, &key.name))?;
        tx.commit().await
    }

    /// Saves a key again that is there, as it is now: with another validity or user id, or with a secret part that was lost.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none that signs; [`StoreError::Sealed`] without a key to seal it with.
    pub async fn signing_key_renew(&self, key: &KeyRecord, secret: &SecretString) -> Result<()> {
        let secrets: &Secrets = &self.inner.secrets;
        let sealed = secrets.sealed_text(&purpose(&key.fingerprint), secret.expose_secret())?;
        let statement = sql(
            "UPDATE signing_keys SET user_id = $1, algorithm = $2, public = $3, secret = $4, expires = $5 \
             WHERE fingerprint = $6 AND retired IS NULL",
        )
        .bind(&key.user_id)
        .bind(&key.algorithm)
        .bind(&key.public)
        .bind(&sealed)
        .bind(key.expires)
        .bind(&key.fingerprint);
        self.change_key(statement, &key.fingerprint).await
    }

    /// Retires a key: its public part stays, its secret part is forgotten.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none that signs.
    pub async fn signing_key_retire(&self, fingerprint: &str, now: Timestamp) -> Result<()> {
        let statement = sql(
            "UPDATE signing_keys SET secret = NULL, is_default = FALSE, retired = $1 \
             WHERE fingerprint = $2 AND retired IS NULL",
        );
        self.change_key(statement.bind(now).bind(fingerprint), fingerprint)
            .await
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn signing_key_delete(&self, fingerprint: &str) -> Result<()> {
        let statement = sql("DELETE FROM signing_keys WHERE fingerprint = $1");
        self.change_key(statement.bind(fingerprint), fingerprint)
            .await
    }

    async fn change_key(&self, statement: crate::dialect::Stmt, fingerprint: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        match tx.inner.execute(statement).await? {
            0 => Err(StoreError::missing(WHAT, fingerprint)),
            _ => tx.commit().await,
        }
    }

    /// Forgets the secret parts that a lost key sealed; the keys sign no more.
    pub(crate) async fn signing_keys_forget(&self) -> Result<()> {
        for key in self.signing_keys_list().await? {
            let fingerprint = &key.fingerprint;
            if self.signing_key_secret(fingerprint).await.is_err() {
                tracing::warn!(
                    key.name,
                    fingerprint,
                    "the secret part of a signing key cannot be opened and is forgotten"
                );
                let statement = sql("UPDATE signing_keys SET secret = NULL WHERE fingerprint = $1");
                self.change_key(statement.bind(fingerprint), fingerprint)
                    .await?;
            }
        }
        Ok(())
    }
}
