//! Secrets in the database: sealed, so that whoever reads the file, a backup or a replica has none of them.
//!
//! Passwords, tokens and keys stand in settings of importers and distributors, in overrides and in the arguments of tasks. In
//! each document the value of such a key alone is sealed: all else stays as it is, for people and for queries.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pith_core::Document;
use pith_core::secrets::{holds_secret, names_secret};
use pith_core::{ObjectId, TaskId};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::dialect::sql;
use crate::importers::lock_repository;
use crate::{Engine, Result, Store, StoreError};

/// The beginning of a sealed value.
const MARK: &str = "pith-sealed:1:";
/// The setting that says with which key the database is sealed.
const SETTING: &str = "secrets_key";
/// The kinds of documents that are sealed, in the order in which they were added: a database notes up to which it is done.
const SEALED: i64 = 2;
/// Tasks that are looked at at once.
const BATCH: u64 = 500;

/// Seals texts and opens them again.
pub trait Seal: Send + Sync {
    /// A name of the key, which says nothing of it.
    fn id(&self) -> String;

    /// The sealed text, for the setting `name` alone.
    ///
    /// # Errors
    /// When there is no randomness.
    fn seal(&self, name: &str, text: &str) -> std::result::Result<String, String>;

    /// The text that [`Seal::seal`] was given.
    ///
    /// # Errors
    /// When it was another key, another name, or another text.
    fn open(&self, name: &str, sealed: &str) -> std::result::Result<String, String>;
}

/// The key of a database, once somebody gave it.
#[derive(Clone, Default)]
pub(crate) struct Secrets(Arc<Key>);

#[derive(Default)]
struct Key {
    seal: OnceLock<Arc<dyn Seal>>,
    /// Is true while what cannot be opened is forgotten.
    forgets: AtomicBool,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// A document as it is stored.
    pub(crate) fn sealed(&self, document: &Document) -> Result<Document> {
        let Some(seal) = self.0.seal.get() else {
            return Ok(document.clone());
        };
        let seal = |name: &str, value: &Value| {
            let sealed = seal.seal(name, &value.to_string());
            let sealed = sealed.map_err(StoreError::Sealed)?;
            Ok(Value::String(format!("{MARK}{sealed}")))
        };
        changed(document, &|name, value| {
            let is_secret = names_secret(name) && !value.is_null() || holds_secret(name, value);
            is_secret.then(|| seal(name, value)).transpose()
        })
    }

    /// Any JSON as it is stored.
    pub(crate) fn sealed_json(&self, json: &Value) -> Result<Value> {
        match json {
            Value::Object(document) => self.sealed(document).map(Value::Object),
            other => Ok(other.clone()),
        }
    }

    /// A stored document as it was given.
    pub(crate) fn opened(&self, document: Document) -> Result<Document> {
        let mut any = false;
        look(&document, &mut |value| any |= value.starts_with(MARK));
        if !any {
            return Ok(document);
        }
        changed(&document, &|name, value| {
            let sealed = value.as_str().and_then(|text| text.strip_prefix(MARK));
            sealed.map(|sealed| self.open(name, sealed)).transpose()
        })
    }

    /// Stored JSON as it was given.
    pub(crate) fn opened_json(&self, json: Value) -> Result<Value> {
        match json {
            Value::Object(document) => self.opened(document).map(Value::Object),
            other => Ok(other),
        }
    }

    /// A text as it is stored. There is none without a key.
    pub(crate) fn sealed_text(&self, name: &str, text: &str) -> Result<String> {
        let missing = || StoreError::Sealed("its key was not given".to_owned());
        let seal = self.0.seal.get().ok_or_else(missing)?;
        seal.seal(name, text).map_err(StoreError::Sealed)
    }

    /// A stored text as it was given.
    pub(crate) fn opened_text(&self, name: &str, sealed: &str) -> Result<SecretString> {
        let missing = || StoreError::Sealed("its key was not given".to_owned());
        let seal = self.0.seal.get().ok_or_else(missing)?;
        let opened = seal.open(name, sealed).map_err(StoreError::Sealed)?;
        Ok(opened.into())
    }

    fn open(&self, name: &str, sealed: &str) -> Result<Value> {
        let missing = || StoreError::Sealed("its key was not given".to_owned());
        let seal = self.0.seal.get().ok_or_else(missing)?;
        match seal.open(name, sealed) {
            Ok(opened) => Ok(serde_json::from_str(&opened)?),
            Err(_) if self.0.forgets.load(Ordering::Relaxed) => {
                tracing::warn!(name, "a secret that cannot be opened is forgotten");
                Ok(Value::Null)
            }
            Err(why) => Err(StoreError::Sealed(why)),
        }
    }
}

/// The document with those values changed, at any depth, for which `change` gives another. What stands in a list has the name
/// of the list.
fn changed(
    document: &Document,
    change: &dyn Fn(&str, &Value) -> Result<Option<Value>>,
) -> Result<Document> {
    document
        .iter()
        .map(|(name, value)| Ok((name.clone(), changed_value(name, value, change)?)))
        .collect()
}

fn changed_value(
    name: &str,
    value: &Value,
    change: &dyn Fn(&str, &Value) -> Result<Option<Value>>,
) -> Result<Value> {
    if let Some(value) = change(name, value)? {
        return Ok(value);
    }
    Ok(match value {
        Value::Object(inner) => Value::Object(changed(inner, change)?),
        Value::Array(items) => items
            .iter()
            .map(|item| changed_value(name, item, change))
            .collect::<Result<_>>()?,
        other => other.clone(),
    })
}

/// Looks at every value in a document and in those below it.
fn each(document: &Document, see: &mut dyn FnMut(&str, &Value)) {
    for (name, value) in document {
        each_in(name, value, see);
    }
}

fn each_in(name: &str, value: &Value, see: &mut dyn FnMut(&str, &Value)) {
    see(name, value);
    match value {
        Value::Object(inner) => each(inner, see),
        Value::Array(items) => items.iter().for_each(|item| each_in(name, item, see)),
        _ => {}
    }
}

fn look(document: &Document, see: &mut dyn FnMut(&str)) {
    each(document, &mut |_, value| {
        if let Some(text) = value.as_str() {
            see(text);
        }
    });
}

impl Store {
    /// The name of the key with which the database is sealed; `None` as long as it is not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secrets_key(&self) -> Result<Option<String>> {
        let setting = self.setting_get(SETTING).await?;
        let id = setting.as_ref().and_then(|setting| setting["id"].as_str());
        Ok(id.map(str::to_owned))
    }

    /// Seals secrets with this key from now on, and what is there already. With `forget`, those that another key sealed are
    /// forgotten; without, nothing is changed when there is one.
    ///
    /// # Errors
    /// [`StoreError::Sealed`] when the database is sealed with another key.
    pub async fn secrets_use(&self, seal: Arc<dyn Seal>, forget: bool) -> Result<()> {
        let id = seal.id();
        let setting = json!({"id": id, "all": false});
        let mut known = self.setting_get_or_set(SETTING, &setting).await?;
        if known["id"] != *id {
            if !forget {
                return Err(StoreError::Sealed(
                    "it was sealed with another key".to_owned(),
                ));
            }
            self.setting_set(SETTING, &setting).await?;
            known = setting;
        }
        let secrets = &self.inner.secrets.0;
        if secrets.seal.set(seal).is_err() {
            return Err(StoreError::Sealed("a key was given before".to_owned()));
        }
        if known["all"] != SEALED {
            secrets.forgets.store(forget, Ordering::Relaxed);
            self.write_over(true).await?;
            self.seal_all().await?;
            if forget {
                self.signing_keys_forget().await?;
            }
            self.write_over(false).await?;
            secrets.forgets.store(false, Ordering::Relaxed);
            let done = json!({"id": id, "all": SEALED});
            self.setting_set(SETTING, &done).await?;
        }
        Ok(())
    }

    /// Has SQLite write over what it gives up, so that nothing of it stays in free pages of the file.
    async fn write_over(&self, on: bool) -> Result<()> {
        if self.engine() == Engine::Sqlite {
            let text = match on {
                true => "PRAGMA secure_delete = ON",
                false => "PRAGMA secure_delete = OFF",
            };
            self.write_all(sql(text)).await?;
        }
        Ok(())
    }

    /// Seals what was written before there was a key.
    async fn seal_all(&self) -> Result<()> {
        for importer in self.importer_list(None).await? {
            let mut tx = self.begin().await?;
            lock_repository(&mut tx.inner, &importer.repo_id).await?;
            let secrets = &self.inner.secrets;
            if let Some(importer) =
                crate::importers::get(&mut tx.inner, &importer.repo_id, secrets).await?
            {
                let statement = sql(
                    "UPDATE importers SET config = jsonb($1), last_override = jsonb($2) WHERE repo_id = $3",
                );
                let sealed = importer
                    .last_override
                    .as_ref()
                    .map(|last| secrets.sealed(last));
                let statement = statement
                    .bind(&secrets.sealed(&importer.config)?)
                    .bind(&sealed.transpose()?)
                    .bind(&importer.repo_id);
                tx.inner.execute(statement).await?;
            }
            tx.commit().await?;
        }
        self.seal_distributors().await?;
        for row in self.all(sql("SELECT oid FROM schedules")).await? {
            let oid: ObjectId = row.get(0)?;
            self.schedule_change(&oid, |_| ()).await?;
        }
        self.seal_tasks().await
    }

    async fn seal_distributors(&self) -> Result<()> {
        for distributor in self.distributor_list(None).await? {
            let (repo, id) = (&distributor.repo_id, &distributor.id);
            let mut tx = self.begin().await?;
            lock_repository(&mut tx.inner, repo).await?;
            let read = sql(
                "SELECT json(config), json(last_override) FROM distributors \
                 WHERE repo_id = $1 AND id = $2",
            );
            if let Some(row) = tx.inner.optional(read.bind(repo).bind(id)).await? {
                let secrets = &self.inner.secrets;
                let again = |document| secrets.sealed(&secrets.opened(document)?);
                let last: Option<Document> = row.get(1)?;
                let statement = sql(
                    "UPDATE distributors SET config = jsonb($1), last_override = jsonb($2) \
                     WHERE repo_id = $3 AND id = $4",
                )
                .bind(&again(row.get(0)?)?)
                .bind(&last.map(again).transpose()?)
                .bind(repo)
                .bind(id);
                tx.inner.execute(statement).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    async fn seal_tasks(&self) -> Result<()> {
        let mut after = -1i64;
        loop {
            let statement =
                sql("SELECT seq, id, json(args) FROM tasks WHERE seq > $1 ORDER BY seq LIMIT $2");
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let rows = self.all(statement.bind(after).bind(limit)).await?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.get(0)?;
            let mut tx = self.begin().await?;
            for row in &rows {
                let (id, args): (TaskId, Value) = (row.get(1)?, row.get(2)?);
                let sealed = self.inner.secrets.opened_json(args.clone())?;
                let sealed = self.inner.secrets.sealed_json(&sealed)?;
                if sealed != args {
                    let statement = sql("UPDATE tasks SET args = jsonb($1) WHERE id = $2");
                    tx.inner.execute(statement.bind(&sealed).bind(id)).await?;
                }
            }
            tx.commit().await?;
        }
    }
}
