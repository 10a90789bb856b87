//! Options that every client command understands, and where the connection comes from.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::address::parse_url;
use crate::client::{Client, Credentials, Trust};
use crate::error::Error;
use crate::login::{self, StoredLogin};

/// The server that is asked when nothing says another.
pub const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// Options of every client command. Flags win over environment variables, and those over the stored login.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection and output")]
pub struct Globals {
    /// Address of the server [default: the stored login's, else http://127.0.0.1:8080]
    #[arg(
        long,
        global = true,
        env = "PITH_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<String>,
    /// User to act as
    #[arg(
        long,
        short = 'u',
        visible_alias = "username",
        global = true,
        env = "PITH_USER",
        hide_env_values = true,
        value_name = "LOGIN"
    )]
    pub user: Option<String>,
    /// Password; other people can see it in the list of processes, so prefer `pith login` or the variable
    #[arg(
        long,
        short = 'p',
        global = true,
        env = "PITH_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    pub password: Option<SecretString>,
    /// File with the certificate authority of the server, in PEM form
    #[arg(
        long,
        global = true,
        env = "PITH_CA_CERT",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub ca_cert: Option<PathBuf>,
    /// Send the password even where it can be read or the server cannot be verified
    #[arg(long, global = true)]
    pub insecure: bool,
    /// Print the API's documents as JSON and nothing else
    #[arg(long, global = true)]
    pub json: bool,
    /// Print without colours (so does the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

impl Globals {
    /// The address that is given; an empty one, as of a variable that a script left empty, is none.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.url.as_deref().filter(|url| !url.is_empty())
    }

    /// The user that is given; an empty one is none.
    pub(crate) fn login(&self) -> Option<&str> {
        self.user.as_deref().filter(|user| !user.is_empty())
    }

    /// The password that is given; an empty one is none, for nobody can have it.
    pub(crate) fn secret(&self) -> Option<&SecretString> {
        let given = self.password.as_ref();
        given.filter(|password| !password.expose_secret().is_empty())
    }

    /// The address to talk to, from flags, variables or `stored`.
    ///
    /// # Errors
    ///
    /// When it is no HTTP address.
    pub fn base_url(&self, stored: Option<&StoredLogin>) -> Result<Url, Error> {
        match (self.server(), stored) {
            (Some(text), _) => parse_url(text),
            (None, Some(login)) => parse_url(&login.url),
            (None, None) => parse_url(DEFAULT_URL),
        }
    }

    /// A client for the server and user that flags, variables and the login file say. `ask` gets a question for
    /// the password of a user that has none yet, and gives `None` when nobody can answer.
    ///
    /// # Errors
    ///
    /// When something in them cannot be used, or the password would travel in the clear.
    pub fn client(
        &self,
        login_file: Option<&Path>,
        ask: &mut dyn FnMut(&str) -> Option<SecretString>,
    ) -> Result<Client, Error> {
        let stored = login_file.map(login::read).transpose()?.flatten();
        let url = self.base_url(stored.as_ref())?;
        let credentials = self.credentials(&url, stored.as_ref(), ask)?;
        let ca_file = self
            .ca_cert
            .clone()
            .or_else(|| stored.as_ref().and_then(|login| login.ca_cert.clone()));
        Client::new(url, credentials, &self.trust(ca_file.as_deref())?)
    }

    /// Returns how far the server is trusted, with the certificate authority of `ca_file`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn trust(&self, ca_file: Option<&Path>) -> Result<Trust, Error> {
        let ca_pem = ca_file
            .map(|path| std::fs::read(path).map_err(|e| Error::file(path, e)))
            .transpose()?;
        Ok(Trust {
            ca_pem,
            insecure: self.insecure,
        })
    }

    /// The stored password or certificate, for the server and the user that it was stored for alone.
    fn credentials(
        &self,
        url: &Url,
        stored: Option<&StoredLogin>,
        ask: &mut dyn FnMut(&str) -> Option<SecretString>,
    ) -> Result<Option<Credentials>, Error> {
        let stored = stored
            .filter(|login| parse_url(&login.url).is_ok_and(|at| at.origin() == url.origin()));
        let found = match (self.login(), self.secret(), stored) {
            (Some(user), Some(password), _) => Credentials::password(user, password.clone()),
            (None, Some(password), Some(login)) => {
                Credentials::password(&login.user, password.clone())
            }
            (None, Some(_), None) => {
                return Err(Error::usage(
                    "a password without a user",
                    "add --user or PITH_USER",
                ));
            }
            (None, None, Some(login)) => stored_credentials(login),
            (Some(user), None, Some(login)) if user == login.user => stored_credentials(login),
            (Some(user), None, _) => {
                let password = ask(&format!("Password of {user}")).ok_or_else(|| {
                    Error::usage(
                        format!("no password for {user}, and nobody to ask"),
                        "set PITH_PASSWORD, or store it with `pith login`",
                    )
                })?;
                Credentials::password(user, password)
            }
            (None, None, None) => return Ok(None),
        };
        Ok(Some(found))
    }
}

fn stored_credentials(login: &StoredLogin) -> Credentials {
    Credentials {
        user: login.user.clone(),
        proof: login.proof.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(url: &str) -> StoredLogin {
        StoredLogin {
            url: url.into(),
            user: "admin".into(),
            proof: crate::client::Proof::Password("secret".into()),
            ca_cert: None,
        }
    }

    #[test]
    fn a_stored_password_never_goes_to_another_server() {
        let stored = login("https://one.example/");
        let globals = Globals::default();
        let same = Url::parse("https://one.example/x/").unwrap();
        let other = Url::parse("https://two.example/").unwrap();
        let found = globals
            .credentials(&same, Some(&stored), &mut |_| None)
            .unwrap()
            .unwrap();
        let crate::client::Proof::Password(password) = found.proof else {
            panic!("no password");
        };
        assert_eq!(password.expose_secret(), "secret");
        assert!(
            globals
                .credentials(&other, Some(&stored), &mut |_| None)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn a_stored_password_never_serves_another_user() {
        let stored = login("https://one.example/");
        let globals = Globals {
            user: Some("eve".into()),
            ..Globals::default()
        };
        let url = Url::parse("https://one.example/").unwrap();
        assert!(
            globals
                .credentials(&url, Some(&stored), &mut |_| None)
                .is_err()
        );
    }
}
