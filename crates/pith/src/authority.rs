//! Where the certificate authority is kept (docs/decisions/0004).
//!
//! With one process, in a file of the data folder that its owner alone can read; with several, in their database, so that
//! each takes the certificates that any of them has made. Who has an authority of their own names its files instead.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use pith_engine::Engine;
use pith_trust::Authority;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::options::ServerOptions;

/// The setting that holds the authority in a database of several processes.
const SETTING: &str = "certificate_authority";

/// The authority's certificate, for clients to trust.
pub(crate) fn certificate_file(data: &Path) -> PathBuf {
    data.join("ca.crt")
}

fn kept_file(data: &Path) -> PathBuf {
    data.join("authority.pem")
}

/// The authority: the one named by the options, the one that is kept, or a new one. Its certificate is written where
/// clients' owners find it.
pub(crate) async fn open(engine: &Engine, options: &ServerOptions) -> anyhow::Result<Authority> {
    let data = &options.data;
    let authority = match (&options.authority_cert, &options.authority_key) {
        (Some(certificate), Some(key)) => given(certificate, key)?,
        _ => match engine.store.engine() {
            pith_store::Engine::Sqlite => in_folder(engine, data)?,
            pith_store::Engine::Postgres => in_database(engine).await?,
        },
    };
    let path = certificate_file(data);
    let pem = authority.certificate_pem();
    if std::fs::read_to_string(&path).ok().as_deref() != Some(pem) {
        replace(&path, pem.as_bytes(), 0o600)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(authority)
}

fn given(certificate: &Path, key: &Path) -> anyhow::Result<Authority> {
    let certificate = read(certificate)?;
    Authority::from_pem(certificate.expose_secret(), &read(key)?)
        .context("cannot use --authority-cert and --authority-key")
}

/// The text of a file that may hold a key.
pub(crate) fn read(path: &Path) -> anyhow::Result<SecretString> {
    std::fs::read_to_string(path)
        .map(SecretString::from)
        .with_context(|| format!("cannot read {}", path.display()))
}

fn new(engine: &Engine) -> anyhow::Result<Authority> {
    Authority::generate(engine.clock.now()).context("cannot make the certificate authority")
}

fn in_folder(engine: &Engine, data: &Path) -> anyhow::Result<Authority> {
    let path = kept_file(data);
    if path.exists() {
        // One file with both, so that there is never a certificate without its key.
        let both = read(&path)?;
        return Authority::from_pem(both.expose_secret(), &both)
            .with_context(|| format!("cannot use {}", path.display()));
    }
    let authority = new(engine)?;
    let mut both = authority.certificate_pem().to_owned();
    both.push_str(authority.key_pem().expose_secret());
    replace(&path, both.as_bytes(), 0o600)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(authority)
}

async fn in_database(engine: &Engine) -> anyhow::Result<Authority> {
    let failed = "cannot keep the certificate authority in the database";
    let known = engine.store.setting_get(SETTING).await.context(failed)?;
    let kept = match known {
        Some(kept) => kept,
        None => {
            let made = new(engine)?;
            let made = json!({
                "certificate": made.certificate_pem(),
                "key": made.key_pem().expose_secret(),
            });
            // Another process may have been faster; then its authority is everybody's.
            let kept = engine.store.setting_get_or_set(SETTING, &made).await;
            kept.context(failed)?
        }
    };
    let text = |key: &str| kept[key].as_str().unwrap_or_default().to_owned();
    Authority::from_pem(&text("certificate"), &text("key").into())
        .with_context(|| format!("the setting '{SETTING}' of the database is of no use"))
}

/// Writes a file that appears whole or not at all.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's own file, not content"
)]
pub(crate) fn replace(path: &Path, text: &[u8], mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let _ = std::fs::remove_file(&beside);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        // tidy: allow(rename): the authority is the server's own file, not content
        std::fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_kept_file_is_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = kept_file(folder.path());
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
