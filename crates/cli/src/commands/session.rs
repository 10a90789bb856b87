//! `pith login`, `logout` and `status`.

use std::io::{IsTerminal, Read, Write};

use clap::Args;
use secrecy::SecretString;
use serde_json::Value;

use super::running::CommandSession;
use super::{CommandContext, Prompt};
use crate::client::{Client, Credentials, Proof, Trust};
use crate::error::Error;
use crate::globals::Globals;
use crate::login::{self, StoredLogin};
use crate::text::{cell, clean, time};

/// Longest password.
const MOST_PASSWORD_BYTES: u64 = 4096;

/// `pith login`
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// Address of the server, in place of --url
    #[arg(value_name = "URL")]
    server: Option<String>,
    /// Read the password from the standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Asks on the process's terminal.
#[derive(Debug)]
pub(super) struct Terminal;

impl Prompt for Terminal {
    fn line(&mut self, question: &str) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let mut err = std::io::stderr();
        write!(err, "{question}: ")
            .and_then(|()| err.flush())
            .ok()?;
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok()?;
        let line = line.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    fn secret(&mut self, question: &str) -> Option<SecretString> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        rpassword::prompt_password(format!("{question}: "))
            .ok()
            .map(Into::into)
    }
}

/// Checks the credentials against the server and stores them.
pub(super) async fn login(
    args: &LoginArgs,
    globals: &Globals,
    context: &mut CommandContext,
) -> Result<(), Error> {
    let Some(file) = context.login_file.clone() else {
        return Err(Error::usage(
            "there is no folder for the login",
            "set HOME or XDG_CONFIG_HOME to an absolute path",
        ));
    };
    let mut globals = globals.clone();
    if args.server.is_some() {
        globals.url.clone_from(&args.server);
    }
    let stored = login::read(&file).ok().flatten();
    let url = globals.base_url(stored.as_ref())?;
    let nobody =
        |what: &str, hint: &str| Error::usage(format!("no {what}, and nobody to ask"), hint);
    let user = match globals.login() {
        Some(user) => user.to_owned(),
        None => context
            .prompt
            .line("User")
            .ok_or_else(|| nobody("user", "give --user"))?,
    };
    let password = match (globals.secret(), args.password_stdin) {
        (_, true) => password_from(std::io::stdin().lock())?,
        (Some(password), false) => password.clone(),
        (None, false) => context
            .prompt
            .secret("Password")
            .ok_or_else(|| nobody("password", "give --password-stdin or set PITH_PASSWORD"))?,
    };
    let credentials = Credentials::password(&user, password.clone());
    let trust = globals.trust(globals.ca_cert.as_deref())?;
    let client = Client::new(url.clone(), Some(credentials), &trust)?;
    verify(&client, &user).await?;
    let proof = match certificate(&client, &user, &trust).await {
        Some(pem) => Proof::Certificate(pem),
        None => Proof::Password(password),
    };
    let ca_cert = globals
        .ca_cert
        .as_ref()
        .map(std::path::absolute)
        .transpose();
    let stored = StoredLogin {
        url: url.to_string(),
        user,
        proof,
        ca_cert: ca_cert.map_err(|e| Error::file("the certificate authority", e))?,
    };
    login::write(&file, &stored)?;
    let kept = match &stored.proof {
        Proof::Certificate(_) => "a certificate is",
        Proof::Password(_) => "the password is",
    };
    let line = format!(
        "logged in to {} as {}; {kept} stored in {}",
        url,
        clean(&stored.user),
        file.display()
    );
    let document = serde_json::json!({ "url": stored.url, "user": stored.user });
    context.ui.either(&document, &line)
}

pub(super) fn password_from(input: impl Read) -> Result<SecretString, Error> {
    let mut text = String::new();
    input
        .take(MOST_PASSWORD_BYTES)
        .read_to_string(&mut text)
        .map_err(|e| Error::file("standard input", e))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Error::usage(
            "the standard input holds no password",
            "pipe it into the same command",
        ));
    }
    Ok(password.into())
}

/// A login certificate with its key, so that no password need be stored. `None` where it would be of no use: without TLS,
/// or when the server gives none, or when what stands in front of it does not pass it on.
async fn certificate(client: &Client, user: &str, trust: &Trust) -> Option<SecretString> {
    if client.base().scheme() != "https" {
        return None;
    }
    let answer = client
        .post(&["actions", "login"], &serde_json::json!({}))
        .await
        .ok()?;
    let part = |key: &str| answer[key].as_str().map(str::trim);
    let pem = SecretString::from(format!("{}\n{}\n", part("certificate")?, part("key")?));
    let credentials = Credentials {
        user: user.to_owned(),
        proof: Proof::Certificate(pem.clone()),
    };
    let with_it = Client::new(client.base().clone(), Some(credentials), trust).ok()?;
    verify(&with_it, user).await.ok().map(|()| pem)
}

/// Asks for the user's own document. A user who may not read it, or whom the server keeps elsewhere, still counts as known. Only
/// Pulp's own "missing" counts as unknown: a web server without such an address has not checked any password.
async fn verify(client: &Client, user: &str) -> Result<(), Error> {
    match client.get(&["users", user], &[]).await {
        Err(Error::Answer(answer)) if answer.detail.code == "PLP0009" => Ok(()),
        Err(Error::Answer(answer)) if answer.detail.code == "PLP0026" => Ok(()),
        Err(error) if error.is_status(403) => Ok(()),
        other => other.map(drop),
    }
}

/// Forgets the login.
pub(super) fn logout(context: &mut CommandContext) -> Result<(), Error> {
    let was_there = match &context.login_file {
        Some(file) => login::remove(file)?,
        None => false,
    };
    let line = if was_there {
        "logged out"
    } else {
        "nobody was logged in"
    };
    context
        .ui
        .either(&serde_json::json!({ "removed": was_there }), line)
}

/// Shows the server's status document.
pub(super) async fn status(session: &mut CommandSession<'_>) -> Result<(), Error> {
    let status = session.client.get(&["status"], &[]).await?;
    if session.ui.is_json() {
        return session.ui.document(&status);
    }
    let state = |value: &Value| {
        if value["connected"] == true {
            "connected"
        } else {
            "NOT connected"
        }
    };
    let base = session.client.base().to_string();
    let user = session.client.user().map_or("nobody".to_owned(), clean);
    let ui = &mut *session.ui;
    ui.line(&format!("server     {base}"))?;
    ui.line(&format!("user       {user}"))?;
    ui.line(&format!(
        "version    {}",
        clean(&cell(&status["versions"]["platform_version"]))
    ))?;
    ui.line(&format!(
        "database   {}",
        state(&status["database_connection"])
    ))?;
    ui.line(&format!(
        "messaging  {}",
        state(&status["messaging_connection"])
    ))?;
    let workers = status["known_workers"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let rows = workers
        .iter()
        .map(|worker| {
            vec![
                cell(&worker["_id"]),
                time(&worker["last_heartbeat"], &ui.zone),
            ]
        })
        .collect();
    ui.line("")?;
    ui.table(
        &["worker", "last sign of life"],
        rows,
        "no worker is known: tasks will wait",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn a_password_from_a_pipe_loses_only_its_line_end() {
        assert_eq!(
            password_from(&b" pass word \r\n"[..])
                .unwrap()
                .expose_secret(),
            " pass word "
        );
        assert!(password_from(&b"\n"[..]).is_err());
    }
}
