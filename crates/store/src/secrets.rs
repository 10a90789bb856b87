//! Secrets in the database: sealed, so that whoever reads the file, a backup or a replica has none of them.
//!
//! Passwords, tokens and keys stand in settings of importers and distributors, in overrides and in the arguments of tasks. In
//! each document the value of such a key alone is sealed: all else stays as it is, for people and for queries.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use pith_core::Document;
use pith_core::secrets::{holds_secret, names_secret};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{Result, Store, StoreError};

/// The beginning of a sealed value.
const MARK: &str = "pith-sealed:1:";
/// The setting that says with which key the database is sealed.
const SETTING: &str = "secrets_key";
/// The kinds of documents that are sealed, in the order in which they were added: a database notes up to which it is done.
const SEALED: i64 = 2;

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
}
