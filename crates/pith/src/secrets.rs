//! The place of the key with which secrets are sealed in the database: a file that its owner alone can read, never the database
//! itself. Several processes on one database need the same one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use pith_pulp::sealing::Sealing;
use pith_store::{Store, StoreError};
use pith_trust::SealingKey;
use secrecy::ExposeSecret;

use crate::options::ServerOptions;
use crate::private::{read, replace};

/// The file of the key, unless the options name another.
pub(crate) fn key_file(options: &ServerOptions) -> PathBuf {
    let kept = || options.data.join("secrets.key");
    options.secrets_key.clone().unwrap_or_else(kept)
}

/// Has the store seal its secrets, with a new key when it never did. One that is lost is never replaced by itself: what it
/// sealed would be lost with it.
pub(crate) async fn seal(store: &Store, options: &ServerOptions) -> anyhow::Result<()> {
    let path = key_file(options);
    let known = store.secrets_key().await;
    let is_sealed = known
        .context("cannot ask the database for its key")?
        .is_some();
    let forget = options.accept_lost_secrets;
    let key = match path.exists() {
        true => SealingKey::from_text(&read(&path)?)
            .with_context(|| format!("cannot use {}", path.display()))?,
        false if is_sealed && !forget => anyhow::bail!("{}", lost(&path)),
        false => made(&path)?,
    };
    match store.secrets_use(Arc::new(Sealing(key)), forget).await {
        Err(StoreError::Sealed(_)) => anyhow::bail!("{}", lost(&path)),
        used => used.context("cannot seal the secrets in the database"),
    }
}

fn made(path: &Path) -> anyhow::Result<SealingKey> {
    let key = SealingKey::generate().context("cannot make a key for secrets")?;
    let text = format!("{}\n", key.text().expose_secret());
    replace(path, text.as_bytes(), 0o600)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

fn lost(path: &Path) -> String {
    format!(
        "the passwords and keys in the database are sealed with a key that {} is not: put that file there again (each process on \
         one database needs the same one), or name it with --secrets-key; if it is lost for good, start once with \
         --accept-lost-secrets, which forgets them",
        path.display()
    )
}
