//! The keys that sign what is published: which of them a configuration means, and signing with it.

use std::io::Read;
use std::sync::Arc;

use pith_content::signing::{KeyChoice, Signer};
use pith_content::{ContentError, Problem, Problems};
use pith_core::Clock;
use pith_core::clock::iso;
use pith_sign::SigningKey;
use pith_store::{KeyRecord, Store};

use crate::error::Error;
use crate::{Engine, acting};

/// The code of the refusal of a key.
const NO_KEY: &str = "PTH0004";

/// Tells whether a configuration that chooses `choice` means this key.
#[must_use]
pub fn means(choice: &KeyChoice, key: &KeyRecord) -> bool {
    match &choice.named {
        Some(named) => key.is_named(named),
        None => key.is_default,
    }
}

impl Engine {
    /// Makes sure that a configuration can sign as it says, and that whoever gives it may sign with the key that it names: keys
    /// beside the default one are for super-users to give out. `before` is the choice of the configuration in whose place it
    /// comes, which somebody was allowed.
    ///
    /// # Errors
    /// PTH0004.
    pub async fn require_signing_key(
        &self,
        store: &Store,
        choice: Option<&KeyChoice>,
        before: Option<&KeyChoice>,
    ) -> Result<(), Error> {
        let Some(choice) = choice else {
            return Ok(());
        };
        if choice.named.is_some() && Some(choice) != before && acting::is_discreet() {
            let default = store.signing_key_find(None).await?;
            if !default.is_some_and(|default| means(choice, &default)) {
                let text = "only super-users may have something signed with another key than the default one";
                return Err(refused(choice, text.to_owned()));
            }
        }
        self.signing_key(store, choice).await.map(drop)
    }

    /// The key that a configuration means, which must be able to sign.
    pub(crate) async fn signing_key(
        &self,
        store: &Store,
        choice: &KeyChoice,
    ) -> Result<KeyRecord, Error> {
        let found = store.signing_key_find(choice.named.as_deref()).await?;
        let Some(key) = found else {
            let text = match &choice.named {
                Some(named) => format!(
                    "there is no signing key '{named}': `pith key list` has those that there are, `pith key create` makes one"
                ),
                None => {
                    "there is no default signing key: make one with `pith key create`, import one with `pith key import`, or name \
                     another one"
                        .to_owned()
                }
            };
            return Err(refused(choice, text));
        };
        let name = &key.name;
        if key.retired.is_some() {
            let text = format!(
                "the signing key {} signs no more, for '{name}' was rotated: name it '{name}'",
                key.fingerprint
            );
            return Err(refused(choice, text));
        }
        if !key.has_secret {
            let text = format!(
                "the secret part of the signing key '{name}' was lost: rotate it with `pith key rotate {name}`"
            );
            return Err(refused(choice, text));
        }
        match key.expires {
            Some(end) if end <= self.clock.now() => {
                let end = iso(end);
                let text = format!(
                    "the signing key '{name}' expired on {end}: rotate it with `pith key rotate {name}`"
                );
                Err(refused(choice, text))
            }
            _ => Ok(key),
        }
    }

    /// The key of a record, to sign with.
    pub(crate) async fn signer(
        &self,
        store: &Store,
        key: &KeyRecord,
    ) -> Result<Arc<dyn Signer>, Error> {
        let secret = store.signing_key_secret(&key.fingerprint).await?;
        let secret = secret.ok_or_else(|| {
            Error::fault(format!(
                "the signing key '{}' was rotated or deleted meanwhile: publish again",
                key.name
            ))
        })?;
        let key = pith_content::blocking::run(move || SigningKey::from_kept(&secret)).await?;
        let key = key.map_err(Error::fault)?;
        Ok(Arc::new(Held {
            public: key.public().map_err(Error::fault)?,
            key,
            clock: Arc::clone(&self.clock),
        }))
    }
}

fn refused(choice: &KeyChoice, text: String) -> Error {
    Problems::from(Problem::coded(NO_KEY, choice.setting, text)).into()
}

/// A key during a publish.
struct Held {
    key: SigningKey,
    public: String,
    clock: Arc<dyn Clock>,
}

impl Signer for Held {
    fn public_key(&self) -> &str {
        &self.public
    }

    fn detached(&self, document: &mut dyn Read) -> Result<String, ContentError> {
        let signed = self.key.detached(document, self.clock.now());
        signed.map_err(ContentError::other)
    }

    fn clear(&self, text: &str) -> Result<String, ContentError> {
        let signed = self.key.clear(text, self.clock.now());
        signed.map_err(ContentError::other)
    }
}
