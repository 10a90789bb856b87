//! The place where the certificate authority is kept (docs/decisions/0004), and how another one takes its place.
//!
//! With one process, in a file of the data folder that its owner alone can read; with several, in their database, so that
//! each takes the certificates that any of them has made. Who has an authority of their own names its files instead.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use pith_core::{Clock, SystemClock};
use pith_store::Store;
use pith_trust::Authority;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::database;
use crate::names::names;
use crate::options::ServerOptions;
use crate::private::{read, replace};

/// The setting that holds the authority in a database of several processes.
const SETTING: &str = "certificate_authority";
/// The names of the key in that setting: as it is sealed, and as earlier versions kept it.
const KEYS: [&str; 2] = ["authority_client_key", "key"];

/// A change of the authority.
#[derive(Debug, Subcommand)]
pub(crate) enum AuthorityCommand {
    /// Make a new authority in the place of the server's own; servers use it from their next start
    Rotate(Rotate),
}

/// Options of `pith authority rotate`.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Take nothing any more that the old authority signed: its key is in wrong hands, or may be
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// The authority's certificate, for clients to trust.
pub(crate) fn certificate_file(data: &Path) -> PathBuf {
    data.join("ca.crt")
}

fn kept_file(data: &Path) -> PathBuf {
    data.join("authority.pem")
}

/// The authority: the one named by the options, the one that is kept, or a new one. Its certificate is written where
/// clients' owners find it. A server's certificate that it makes for these names counts.
pub(crate) async fn open(
    store: &Store,
    options: &ServerOptions,
    names: &[String],
) -> anyhow::Result<Authority> {
    let authority = match given(options)? {
        Some(given) => given,
        None => kept(store, options, names).await?,
    };
    show(options, &authority)?;
    Ok(authority)
}

/// Runs `pith authority`.
pub(crate) async fn run(command: &AuthorityCommand) -> anyhow::Result<()> {
    let AuthorityCommand::Rotate(rotate) = command;
    let options = &rotate.server;
    anyhow::ensure!(
        options.authority_cert.is_none(),
        "--authority-cert and --authority-key name an authority that pith does not keep: replace those files"
    );
    let keeper = Keeper::open(options).await?;
    let names = names(options);
    let made = new(&names)?;
    let next = match keeper.get().await? {
        Some(former) if !rotate.revoke => made.after(&former)?,
        Some(_) | None => made,
    };
    keeper.set(&next).await?;
    show(options, &next)?;
    let text = format!(
        "a new authority counts from the next start of each server; clients that verify them need {}\n{}",
        certificate_file(&options.data).display(),
        if rotate.revoke {
            "certificates that the old one signed are refused from then on: everybody has to log in again"
        } else {
            "certificates that the old one signed count until they expire; --revoke ends them"
        }
    );
    writeln!(std::io::stdout(), "{text}").context("cannot print")
}

/// Writes the certificate for clients to trust.
fn show(options: &ServerOptions, authority: &Authority) -> anyhow::Result<()> {
    let path = certificate_file(&options.data);
    let pem = authority.certificate_pem();
    if std::fs::read_to_string(&path).ok().as_deref() != Some(pem) {
        replace(&path, pem.as_bytes(), 0o600)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The authority that the options name.
fn given(options: &ServerOptions) -> anyhow::Result<Option<Authority>> {
    let (Some(certificate), Some(key)) = (&options.authority_cert, &options.authority_key) else {
        return Ok(None);
    };
    let certificate = read(certificate)?;
    let authority = Authority::from_pem(certificate.expose_secret(), &read(key)?);
    authority
        .context("cannot use --authority-cert and --authority-key")
        .map(Some)
}

fn new(names: &[String]) -> anyhow::Result<Authority> {
    Authority::generate(names, SystemClock.now()).context("cannot make the certificate authority")
}

/// The authority that is kept, or a new one, for servers of these names.
async fn kept(
    store: &Store,
    options: &ServerOptions,
    names: &[String],
) -> anyhow::Result<Authority> {
    let keeper = Keeper::of(store.clone(), options);
    let mut authority = match keeper.get().await? {
        Some(kept) => kept,
        None => keeper.get_or_set(new(names)?).await?,
    };
    // Another process may add its names at the same time, and be overwritten.
    while !authority.permits(names)? {
        let extended = authority.extended(names)?;
        anyhow::ensure!(
            extended.permits(names)?,
            "no certificate authority can be made for the names {names:?}: see --tls-names"
        );
        keeper.set(&extended).await?;
        let again = keeper.get().await?;
        authority = again.context("the certificate authority is gone")?;
        tracing::warn!(
            ?names,
            "the authority is for servers of these names too now: clients that verify this one need its new ca.crt"
        );
    }
    Ok(authority)
}

/// The place where the server's own authority is kept.
enum Keeper {
    /// A file with the certificates and the key, so that there is never the one without the other.
    File(PathBuf),
    /// The database of several processes.
    Database(Store),
}

impl Keeper {
    fn of(store: Store, options: &ServerOptions) -> Self {
        match store.backend() {
            pith_store::Backend::Sqlite => Self::File(kept_file(&options.data)),
            pith_store::Backend::Postgres => Self::Database(store),
        }
    }

    /// The place for these options, while no server need run.
    async fn open(options: &ServerOptions) -> anyhow::Result<Self> {
        if options.database_folder().is_some() {
            return Ok(Self::File(kept_file(&options.data)));
        }
        Ok(Self::Database(database::open(options).await?))
    }

    async fn get(&self) -> anyhow::Result<Option<Authority>> {
        match self {
            Self::File(path) if !path.exists() => Ok(None),
            Self::File(path) => {
                let both = read(path)?;
                let authority = Authority::kept(both.expose_secret(), &both);
                authority
                    .with_context(|| format!("cannot use {}", path.display()))
                    .map(Some)
            }
            Self::Database(store) => {
                let Some(kept) = store.setting_get(SETTING).await.context(FAILED)? else {
                    return Ok(None);
                };
                let authority = from_setting(&kept)?;
                if kept.get(KEYS[1]).is_some() {
                    // An earlier version did not seal it.
                    self.set(&authority).await?;
                }
                Ok(Some(authority))
            }
        }
    }

    async fn set(&self, authority: &Authority) -> anyhow::Result<()> {
        match self {
            Self::File(path) => {
                let mut both = authority.certificate_pem().to_owned();
                both.push_str(authority.key_pem().expose_secret());
                replace(path, both.as_bytes(), 0o600)
                    .with_context(|| format!("cannot write {}", path.display()))
            }
            Self::Database(store) => {
                let setting = to_setting(authority);
                let set = store.setting_set(SETTING, &setting).await;
                set.context(FAILED)
            }
        }
    }

    /// Keeps an authority, unless another process was faster: then its authority is everybody's.
    async fn get_or_set(&self, made: Authority) -> anyhow::Result<Authority> {
        match self {
            Self::File(_) => {
                self.set(&made).await?;
                Ok(made)
            }
            Self::Database(store) => {
                let setting = to_setting(&made);
                let kept = store.setting_get_or_set(SETTING, &setting).await;
                from_setting(&kept.context(FAILED)?)
            }
        }
    }
}

const FAILED: &str = "cannot keep the certificate authority in the database";

fn to_setting(authority: &Authority) -> Value {
    json!({
        "certificate": authority.certificate_pem(),
        KEYS[0]: authority.key_pem().expose_secret(),
    })
}

fn from_setting(setting: &Value) -> anyhow::Result<Authority> {
    let text = |key: &str| setting[key].as_str().map(str::to_owned);
    let key = KEYS.into_iter().find_map(text).unwrap_or_default();
    Authority::kept(&text("certificate").unwrap_or_default(), &key.into())
        .with_context(|| format!("the setting '{SETTING}' of the database is of no use"))
}
