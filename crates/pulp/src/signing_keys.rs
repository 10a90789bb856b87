//! The keys that sign what is published: documents, and the calls that change them. Pulp had none of this: its keys were those of
//! a GnuPG program on the server.

use pith_content::Config;
use pith_content::signing::KeyChoice;
use pith_core::clock::{iso, parse_iso};
use pith_core::error::PulpError;
use pith_core::{Document, Timestamp};
use pith_engine::signing::means;
use pith_engine::{Error, acting};
use pith_sign::{KeyKind, NewKey, SignError, SigningKey};
use pith_store::{KeyRecord, Store};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::Pulp;

/// The longest name of a key.
const LONGEST_NAME: usize = 100;
/// The digits of a fingerprint.
const FINGERPRINT: usize = 40;
/// The most distributors that a refusal names.
const MOST_NAMED: usize = 5;

/// A key as the API shows it: nothing of its secret part.
#[must_use]
pub fn document(key: &KeyRecord) -> Value {
    json!({
        "_href": format!("/pulp/api/v2/pith/signing_keys/{}/", key.fingerprint),
        "name": key.name,
        "fingerprint": key.fingerprint,
        "user_id": key.user_id,
        "algorithm": key.algorithm,
        "public_key": key.public,
        "default": key.is_default,
        "can_sign": key.has_secret && key.retired.is_none(),
        "created": iso(key.created),
        "expires": key.expires.map(iso),
        "retired": key.retired.map(iso),
    })
}

/// Letters, digits, `-`, `_` and `.`, and nothing that could be a fingerprint or an operation.
fn is_key_name(name: &str) -> bool {
    let is_named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let is_fingerprint = name.len() == FINGERPRINT && name.bytes().all(|b| b.is_ascii_hexdigit());
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_named)
        && !is_fingerprint
        && !matches!(name, "actions" | "." | "..")
}

/// The name that a request gives a new key.
fn name_of(body: &Document) -> Result<String, PulpError> {
    match body.get("name") {
        None | Some(Value::Null) => Err(PulpError::missing_value(&["name"])),
        Some(Value::String(name)) if is_key_name(name) => Ok(name.clone()),
        Some(_) => Err(PulpError::invalid_value(&["name"])),
    }
}

/// A text of a request; `None` when it is not given.
fn text<'a>(body: &'a Document, key: &str) -> Result<Option<&'a str>, PulpError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(PulpError::invalid_value(&[key])),
    }
}

fn secret(body: &Document, key: &str) -> Result<Option<SecretString>, PulpError> {
    Ok(text(body, key)?.map(|text| text.to_owned().into()))
}

/// Refuses what a request must not say, so that no misspelt key is passed over.
fn only(body: &Document, known: &[&str]) -> Result<(), PulpError> {
    let unknown = body.keys().map(String::as_str);
    let unknown: Vec<&str> = unknown.filter(|key| !known.contains(key)).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(PulpError::unsupported_value(&unknown)),
    }
}

/// The end that a request wants for a key.
fn end_of(body: &Document) -> Result<Option<Timestamp>, PulpError> {
    let end = text(body, "expires")?.map(|text| {
        let end = parse_iso(text);
        end.ok_or_else(|| PulpError::invalid_value(&["expires"]))
    });
    end.transpose()
}

fn flag(body: &Document, key: &str) -> Result<bool, PulpError> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(PulpError::invalid_value(&[key])),
    }
}

/// 409: what uses a key stands against it.
fn in_use(text: impl Into<String>) -> Error {
    let refused = PulpError::data(text);
    PulpError {
        status: 409,
        ..refused
    }
    .into()
}

fn refused(error: SignError) -> Error {
    match error {
        SignError::Failed(_) | SignError::Read(_) => Error::fault(error),
        error => PulpError::data(format!("the key cannot be used: {error}")).into(),
    }
}

/// A key that is to sign, with all that is kept of it.
struct Prepared {
    record: KeyRecord,
    secret: SecretString,
    /// Is true when nobody has its secret part but this server.
    is_made: bool,
}

impl Prepared {
    fn of(key: &SigningKey, name: String, now: Timestamp) -> Result<Self, SignError> {
        let about = key.about();
        let record = KeyRecord {
            fingerprint: about.fingerprint.clone(),
            name,
            user_id: about.user_id.clone(),
            algorithm: about.algorithm.clone(),
            public: key.public()?,
            has_secret: true,
            is_default: false,
            created: now,
            expires: about.expires,
            retired: None,
        };
        let secret = key.kept()?;
        let is_made = false;
        Ok(Self {
            record,
            secret,
            is_made,
        })
    }
}

impl Pulp {
    /// Every key that signs or did, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_key_documents(&self) -> Result<Vec<Value>, Error> {
        let keys = self.engine.store.signing_keys_list().await?;
        Ok(keys.iter().map(document).collect())
    }

    /// One key, by its name or fingerprint.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn signing_key_require(&self, named: &str) -> Result<KeyRecord, Error> {
        require(&self.engine.store, named).await
    }

    /// Makes a key. `body` is the request.
    ///
    /// # Errors
    /// 400 for what cannot be, 409 for a name that is taken.
    pub async fn signing_key_create(&self, body: &Document) -> Result<Value, Error> {
        only(
            body,
            &["name", "user_id", "algorithm", "expires", "default"],
        )?;
        let name = name_of(body)?;
        let user_id = text(body, "user_id")?;
        let user_id = user_id.ok_or_else(|| PulpError::missing_value(&["user_id"]))?;
        let (kind, end) = (kind_of(body)?, end_of(body)?);
        let key = self.made(name, user_id.to_owned(), kind, end).await?;
        self.add(key, flag(body, "default")?).await
    }

    /// Reads a secret key that another program exported. `body` is the request.
    ///
    /// # Errors
    /// 400 for what is no key that signs, 409 for a name or a key that is there.
    pub async fn signing_key_import(&self, body: &Document) -> Result<Value, Error> {
        only(body, &["name", "key", "passphrase", "default"])?;
        let name = name_of(body)?;
        let key = self.imported(name, body).await?;
        self.add(key, flag(body, "default")?).await
    }

    /// Puts a new key in the place of one: of the same name, made like it, or read from the request `body`. The public part of the old
    /// one stays. A key that is read and is the same takes its own place: with another validity, or a secret part that was lost.
    ///
    /// # Errors
    /// 404 for the key; 409 when it was retired, or when a distributor names it by its fingerprint; then as
    /// [`Pulp::signing_key_create`] and [`Pulp::signing_key_import`], whose settings do not go together.
    pub async fn signing_key_rotate(&self, named: &str, body: &Document) -> Result<Value, Error> {
        let is_read = body.contains_key("key");
        match is_read {
            true => only(body, &["key", "passphrase"])?,
            false => only(body, &["algorithm", "user_id", "expires"])?,
        }
        let old = self.signing_key_require(named).await?;
        let mut key = if is_read {
            self.imported(old.name.clone(), body).await?
        } else {
            let user_id = text(body, "user_id")?.unwrap_or(&old.user_id).to_owned();
            // An imported key may be of a kind that is not made here.
            let like = old.algorithm.parse().unwrap_or(KeyKind::Rsa4096);
            let kind = match body.contains_key("algorithm") {
                true => kind_of(body)?,
                false => like,
            };
            self.made(old.name.clone(), user_id, kind, end_of(body)?)
                .await?
        };
        let tx = self.distributors_change().await?;
        let old = require(&tx, &old.fingerprint).await?;
        if old.retired.is_some() {
            return Err(in_use("the key signs no more, for it was rotated before"));
        }
        key.record.is_default = old.is_default;
        if key.record.fingerprint == old.fingerprint {
            key.record.created = old.created;
            tx.signing_key_renew(&key.record, &key.secret).await?;
            tx.commit().await?;
            return Ok(document(&key.record));
        }
        let choices = choices(self, &tx).await?;
        let by_fingerprint = |(choice, _): &&(KeyChoice, String)| {
            let named = choice.named.as_deref();
            named.is_some_and(|named| named != old.name && old.is_named(named))
        };
        let pinned = choices.iter().filter(by_fingerprint).map(|(_, who)| who);
        if let Some(named) = listed(pinned) {
            let name = &old.name;
            return Err(in_use(format!(
                "{named} would go on naming the old key by its fingerprint: name it '{name}' there, and rotate it then"
            )));
        }
        let now = self.engine.clock.now();
        tx.signing_key_retire(&old.fingerprint, now).await?;
        tx.signing_key_create(&key.record, &key.secret).await?;
        tx.commit().await?;
        tracing::info!(
            key.record.name,
            old = old.fingerprint,
            new = key.record.fingerprint,
            "a signing key was rotated"
        );
        Ok(document(&key.record))
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// 404 for the key, 409 while a distributor signs with it.
    pub async fn signing_key_delete(&self, named: &str) -> Result<(), Error> {
        let tx = self.distributors_change().await?;
        let key = require(&tx, named).await?;
        let choices = choices(self, &tx).await?;
        let using = choices.iter().filter(|(choice, _)| means(choice, &key));
        if let Some(named) = listed(using.map(|(_, who)| who)) {
            return Err(in_use(format!("{named} signs with it: change that first")));
        }
        tx.signing_key_delete(&key.fingerprint).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The whole key, armored, for whoever may have it. `body` is the request: with a passphrase the secret part is protected by it.
    ///
    /// # Errors
    /// 409 when its secret part is not here.
    pub async fn signing_key_export(
        &self,
        key: &KeyRecord,
        body: &Document,
    ) -> Result<SecretString, Error> {
        only(body, &["passphrase"])?;
        let passphrase = secret(body, "passphrase")?;
        let kept = self
            .engine
            .store
            .signing_key_secret(&key.fingerprint)
            .await?;
        let kept = kept.ok_or_else(|| in_use("its secret part is not here any more"))?;
        tracing::warn!(
            key.name,
            key.fingerprint,
            "the secret part of a signing key was exported"
        );
        let export = move || SigningKey::from_kept(&kept)?.export(passphrase.as_ref());
        self.with_keys(export).await
    }

    /// Makes a key that is not saved yet.
    async fn made(
        &self,
        name: String,
        user_id: String,
        kind: KeyKind,
        expires: Option<Timestamp>,
    ) -> Result<Prepared, Error> {
        let now = self.engine.clock.now();
        let make = move || {
            let wanted = NewKey {
                user_id: &user_id,
                kind,
                expires,
            };
            let key = SigningKey::make(&wanted, now)?;
            let made = Prepared::of(&key, name, now)?;
            Ok(Prepared {
                is_made: true,
                ..made
            })
        };
        self.with_keys(make).await
    }

    /// Reads a key that is not saved yet.
    async fn imported(&self, name: String, body: &Document) -> Result<Prepared, Error> {
        let armored = secret(body, "key")?;
        let armored = armored.ok_or_else(|| PulpError::missing_value(&["key"]))?;
        let passphrase = secret(body, "passphrase")?;
        let now = self.engine.clock.now();
        let import = move || {
            let key = SigningKey::import(&armored, passphrase.as_ref(), now)?;
            Prepared::of(&key, name, now)
        };
        self.with_keys(import).await
    }

    /// Saves a key; the first one is the default, unless somebody has it elsewhere who is no super-user.
    async fn add(&self, mut key: Prepared, is_default: bool) -> Result<Value, Error> {
        let tx = self.distributors_change().await?;
        let known = tx.signing_keys_list().await?;
        if let Some(same) = known
            .iter()
            .find(|known| known.fingerprint == key.record.fingerprint)
        {
            let name = &same.name;
            return Err(in_use(format!("the key is here already, as '{name}'")));
        }
        let is_first = known.iter().all(|known| known.retired.is_some());
        let is_ours = key.is_made || !acting::is_discreet();
        key.record.is_default = is_default || (is_first && is_ours);
        tx.signing_key_create(&key.record, &key.secret).await?;
        tx.commit().await?;
        Ok(document(&key.record))
    }

    /// Does hard work with keys, on a thread of its own, by turns of who asks.
    async fn with_keys<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, SignError> + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.issuing.turn(&acting::caller()).await?;
        let done = tokio::task::spawn_blocking(move || {
            // Until it is done, even when nobody waits for it any more.
            let _turn = turn;
            work()
        });
        done.await.map_err(Error::fault)?.map_err(refused)
    }
}

fn kind_of(body: &Document) -> Result<KeyKind, Error> {
    let kind = text(body, "algorithm")?.map_or(Ok(KeyKind::default()), str::parse);
    kind.map_err(refused)
}

async fn require(store: &Store, named: &str) -> Result<KeyRecord, Error> {
    let found = store.signing_key_find(Some(named)).await?;
    found.ok_or_else(|| PulpError::missing_resource(&[("signing_key", named)]).into())
}

/// The keys that the stored settings of distributors choose, with whose settings they are.
async fn choices(pulp: &Pulp, store: &Store) -> Result<Vec<(KeyChoice, String)>, Error> {
    let registry = &pulp.engine.registry;
    let mut found = Vec::new();
    for plugin in registry.distributors() {
        let type_id = plugin.descriptor().id;
        // One after the other: their settings may be long.
        for path in store.distributors_elsewhere(type_id, "").await? {
            let distributor = store.distributor_get(&path.repo_id, &path.id).await?;
            let config = distributor.map(|distributor| Config::new(distributor.config));
            let choice = config.and_then(|config| plugin.signing_key(&config));
            let who = format!("{} of repository {}", path.id, path.repo_id);
            found.extend(choice.map(|choice| (choice, who)));
        }
    }
    for group in store.group_list().await? {
        for distributor in store.group_distributor_list(&group.id).await? {
            let plugin = registry.group_distributor(&distributor.type_id);
            let config = Config::new(distributor.config.as_object().cloned().unwrap_or_default());
            let choice = plugin.and_then(|plugin| plugin.signing_key(&config));
            let who = format!("{} of group {}", distributor.id, group.id);
            found.extend(choice.map(|choice| (choice, who)));
        }
    }
    Ok(found)
}

/// The first of these, for a sentence; `None` when there are none.
fn listed<'a>(who: impl Iterator<Item = &'a String>) -> Option<String> {
    let who: Vec<&str> = who.map(String::as_str).collect();
    let shown = who
        .iter()
        .take(MOST_NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    match who.len() {
        0 => None,
        all if all > MOST_NAMED => Some(format!("{shown} and {} others", all - MOST_NAMED)),
        _ => Some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths_no_fingerprints_and_no_operations() {
        assert!(is_key_name("zoo-2026.a_B"));
        for bad in [
            "",
            "a/b",
            "a b",
            "ü",
            "actions",
            ".",
            "..",
            &"a".repeat(101),
            &"AB".repeat(20),
        ] {
            assert!(!is_key_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_refusal_names_a_few() {
        let who: Vec<String> = (0..7).map(|n| format!("d{n}")).collect();
        assert_eq!(listed(who[..0].iter()), None);
        assert_eq!(listed(who[..2].iter()).as_deref(), Some("d0, d1"));
        assert_eq!(
            listed(who.iter()).as_deref(),
            Some("d0, d1, d2, d3, d4 and 2 others")
        );
    }
}
