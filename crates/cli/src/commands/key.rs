//! `pith key …`: the keys that sign what is published.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::commands::listing::{Column, at, text};
use crate::commands::running::CommandSession;
use crate::commands::session::password_from;
use crate::error::Error;
use crate::options::read_small;
use crate::private;
use crate::text::clean;

/// `pith key …`
#[derive(Debug, Clone, Subcommand)]
pub enum KeyCommand {
    /// List the keys that sign, and those that did
    List,
    /// Show one key
    #[command(visible_alias = "details")]
    Show(KeyRef),
    /// Make a key
    Create(CreateArgs),
    /// Import a secret key that another program exported
    Import(ImportArgs),
    /// Write out the public part of a key, or all of it
    Export(ExportArgs),
    /// Have a new key sign in the place of one
    Rotate(RotateArgs),
    /// Delete a key that nothing signs with
    Delete(KeyRef),
}

/// One key.
#[derive(Debug, Clone, Args)]
pub struct KeyRef {
    /// Name or fingerprint of the key
    #[arg(value_name = "KEY")]
    key: String,
}

/// The name that a new key gets.
#[derive(Debug, Clone, Args)]
struct NameArgs {
    /// Name of the key on this server, as settings name it
    #[arg(value_name = "NAME")]
    name: String,
    /// Sign with it where the settings name no key; the first key is the default anyway
    #[arg(long)]
    default: bool,
}

/// The looks of a key that is made.
#[derive(Debug, Clone, Args)]
struct MadeArgs {
    /// Kind of the key: ed25519, or rsa4096 for clients that know nothing newer
    #[arg(long, value_name = "KIND")]
    algorithm: Option<String>,
    /// End of its validity, such as 2030-01-01T00:00:00Z (default: never)
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

/// The passphrase of a key in a file.
#[derive(Debug, Clone, Args)]
struct PassphraseArgs {
    /// Ask for the passphrase that protects the key
    #[arg(long, short = 'P')]
    prompt_passphrase: bool,
    /// Read the passphrase that protects the key from the standard input
    #[arg(long, conflicts_with = "prompt_passphrase")]
    passphrase_stdin: bool,
}

/// `… key create`
#[derive(Debug, Clone, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Name that clients show, such as `Zoo packages <zoo@example.org>`
    #[arg(long, value_name = "TEXT")]
    user_id: String,
    #[command(flatten)]
    made: MadeArgs,
}

/// `… key import`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    name: NameArgs,
    /// File of the key, as `gpg --armor --export-secret-keys` writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// `… key export`
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    key: KeyRef,
    /// File to write to (default: the standard output)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write out the secret part, too: whoever has it signs in this server's name. For super-users
    #[arg(long)]
    secret: bool,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// `… key rotate`
#[derive(Debug, Clone, Args)]
pub struct RotateArgs {
    #[command(flatten)]
    key: KeyRef,
    /// File of the new key (default: one is made that is like the old one)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["algorithm", "expires", "user_id"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Name that clients show (default: that of the old key)
    #[arg(long, value_name = "TEXT")]
    user_id: Option<String>,
    #[command(flatten)]
    made: MadeArgs,
}

const KEY: &[Column] = &[
    text("name", "/name"),
    text("fingerprint", "/fingerprint"),
    text("kind", "/algorithm"),
    text("user", "/user_id"),
    text("default", "/default"),
    at("expires", "/expires"),
    at("retired", "/retired"),
];

/// The path of the keys.
const KEYS: [&str; 2] = ["pith", "signing_keys"];

pub(super) async fn run(
    command: &KeyCommand,
    session: &mut CommandSession<'_>,
) -> Result<(), Error> {
    match command {
        KeyCommand::List => {
            let found = session.client.get(&KEYS, &[]).await?;
            session.list(&found, KEY, "no keys; `pith key create` makes one")
        }
        KeyCommand::Show(key) => {
            let document = session.client.get(&path(key), &[]).await?;
            session.show(&document, KEY)
        }
        KeyCommand::Create(args) => {
            let mut body = named(&args.name);
            body.insert("user_id".into(), json!(args.user_id));
            body.extend(made(&args.made));
            let document = session.client.post(&KEYS, &body.into()).await?;
            added(&document, session)
        }
        KeyCommand::Import(args) => {
            let mut body = named(&args.name);
            body.extend(read(&args.file, &args.passphrase, session)?);
            let path = ["pith", "signing_keys", "actions", "import"];
            let document = session.client.post(&path, &body.into()).await?;
            added(&document, session)
        }
        KeyCommand::Export(args) => export(args, session).await,
        KeyCommand::Rotate(args) => rotate(args, session).await,
        KeyCommand::Delete(key) => {
            let answer = session.client.delete(&path(key)).await?;
            let line = format!("deleted key {}", clean(&key.key));
            session.ui.either(&answer, &line)
        }
    }
}

fn path(key: &KeyRef) -> [&str; 3] {
    [KEYS[0], KEYS[1], &key.key]
}

fn named(args: &NameArgs) -> Map<String, Value> {
    let name = ("name".to_owned(), json!(args.name));
    Map::from_iter([name, ("default".to_owned(), json!(args.default))])
}

fn made(args: &MadeArgs) -> Map<String, Value> {
    let given = [("algorithm", &args.algorithm), ("expires", &args.expires)];
    let given = given.into_iter().filter_map(|(key, value)| {
        let value = value.as_ref()?;
        Some((key.to_owned(), json!(value)))
    });
    given.collect()
}

impl PassphraseArgs {
    /// Refuses a passphrase where there is nothing that it could protect.
    fn require_none(&self, hint: &str) -> Result<(), Error> {
        match self.prompt_passphrase || self.passphrase_stdin {
            true => Err(Error::usage(
                "there is nothing to protect with a passphrase",
                hint,
            )),
            false => Ok(()),
        }
    }
}

/// The passphrase that the person gives; `None` when the key has none.
fn passphrase(
    args: &PassphraseArgs,
    session: &mut CommandSession<'_>,
) -> Result<Option<SecretString>, Error> {
    if args.passphrase_stdin {
        return password_from(std::io::stdin().lock()).map(Some);
    }
    if !args.prompt_passphrase {
        return Ok(None);
    }
    let nobody = || {
        Error::usage(
            "nobody to ask for the passphrase",
            "give --passphrase-stdin",
        )
    };
    let given = session.prompt.secret("Passphrase of the key");
    given.ok_or_else(nobody).map(Some)
}

/// A key in a file, as the server takes it.
fn read(
    file: &Path,
    args: &PassphraseArgs,
    session: &mut CommandSession<'_>,
) -> Result<Map<String, Value>, Error> {
    let mut body = Map::from_iter([("key".to_owned(), json!(read_small(file)?))]);
    let passphrase = passphrase(args, session)?;
    let passphrase = passphrase.map(|given| json!(given.expose_secret()));
    body.extend(passphrase.map(|given| ("passphrase".to_owned(), given)));
    Ok(body)
}

fn added(document: &Value, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let name = clean(document["name"].as_str().unwrap_or_default());
    let fingerprint = clean(document["fingerprint"].as_str().unwrap_or_default());
    let line = format!(
        "added key {name} ({fingerprint}); `pith key export {name}` gives clients its public part"
    );
    session.ui.either(document, &line)
}

async fn export(args: &ExportArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let (document, key) = if args.secret {
        let [a, b, key] = path(&args.key);
        let mut body = Map::new();
        let given = passphrase(&args.passphrase, session)?;
        body.extend(given.map(|given| ("passphrase".to_owned(), json!(given.expose_secret()))));
        let path = [a, b, key, "actions", "export"];
        (
            session.client.post(&path, &body.into()).await?,
            "secret_key",
        )
    } else {
        args.passphrase
            .require_none("give --secret as well, or no passphrase")?;
        (
            session.client.get(&path(&args.key), &[]).await?,
            "public_key",
        )
    };
    let armored = document[key].as_str().unwrap_or_default();
    if let Some(file) = &args.output {
        let written = match args.secret {
            true => private::replace(file, armored.trim_end().as_bytes()),
            false => std::fs::write(file, armored),
        };
        written.map_err(|error| Error::file(file, error))?;
        let line = format!("wrote {}", file.display());
        return session.ui.either(&json!({ "file": file }), &line);
    }
    if session.ui.is_json() {
        return session.ui.document(&document);
    }
    armored
        .lines()
        .try_for_each(|line| session.ui.line(&clean(line)))
}

async fn rotate(args: &RotateArgs, session: &mut CommandSession<'_>) -> Result<(), Error> {
    let mut body = match &args.file {
        Some(file) => read(file, &args.passphrase, session)?,
        None => {
            args.passphrase
                .require_none("give --file as well, or no passphrase")?;
            made(&args.made)
        }
    };
    let user_id = args.user_id.as_ref();
    body.extend(user_id.map(|user_id| ("user_id".to_owned(), json!(user_id))));
    let [a, b, key] = path(&args.key);
    let path = [a, b, key, "actions", "rotate"];
    let document = session.client.post(&path, &body.into()).await?;
    let fingerprint = clean(document["fingerprint"].as_str().unwrap_or_default());
    let line = format!(
        "{} signs with {fingerprint} from the next publish on; give clients its public part before",
        clean(document["name"].as_str().unwrap_or_default())
    );
    session.ui.either(&document, &line)
}
