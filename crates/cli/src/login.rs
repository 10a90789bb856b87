//! The stored login: one file, readable by its owner alone.

use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::client::Proof;
use crate::error::Error;
use crate::private;

/// More bytes than a login file can hold.
const MOST_BYTES: u64 = 64 * 1024;

/// The login that `pith login` keeps.
#[derive(Debug, Clone)]
pub struct StoredLogin {
    /// Address of the server.
    pub url: String,
    /// User to act as.
    pub user: String,
    /// The proof that it is them: a certificate where the server gives one and TLS carries it, else the password.
    pub proof: Proof,
    /// File with the certificate authority of the server.
    pub ca_cert: Option<PathBuf>,
}

/// The shape on disk; the only place where password and key are plain text. It has one of them.
#[derive(Serialize, Deserialize)]
struct Stored {
    url: String,
    user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    /// A certificate and its key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca_cert: Option<PathBuf>,
}

/// `$XDG_CONFIG_HOME/pith/login.json`, or below `~/.config`; `None` when neither is known.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    Some(private::folder("XDG_CONFIG_HOME", ".config")?.join("login.json"))
}

/// Reads the stored login; `None` when nobody logged in.
///
/// # Errors
///
/// When the file cannot be read, is no login, or can be read by others.
pub(crate) fn read(path: &Path) -> Result<Option<StoredLogin>, Error> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::file(path, e)),
    };
    private(path, &metadata)?;
    let broken = || {
        Error::usage(
            format!("{} is not a stored login", path.display()),
            "run `pith login` again",
        )
    };
    if metadata.len() > MOST_BYTES {
        return Err(broken());
    }
    let bytes = std::fs::read(path).map_err(|e| Error::file(path, e))?;
    let stored: Stored = serde_json::from_slice(&bytes).map_err(|_| broken())?;
    let proof = match (stored.certificate, stored.password) {
        (Some(certificate), _) => Proof::Certificate(certificate.into()),
        (None, Some(password)) => Proof::Password(password.into()),
        (None, None) => return Err(broken()),
    };
    Ok(Some(StoredLogin {
        url: stored.url,
        user: stored.user,
        proof,
        ca_cert: stored.ca_cert,
    }))
}

#[cfg(unix)]
fn private(path: &Path, metadata: &std::fs::Metadata) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::usage(
        format!(
            "{} holds a password or a key and other people can read it",
            path.display()
        ),
        format!("chmod 600 {}, and change the password", path.display()),
    ))
}

#[cfg(not(unix))]
fn private(_: &Path, _: &std::fs::Metadata) -> Result<(), Error> {
    Ok(())
}

/// Stores the login with mode 0600. The file appears whole or not at all.
///
/// # Errors
///
/// When the folder or file cannot be written.
pub(crate) fn write(path: &Path, login: &StoredLogin) -> Result<(), Error> {
    let failed = |e| Error::file(path, e);
    let (password, certificate) = match &login.proof {
        Proof::Password(password) => (Some(password.expose_secret().to_owned()), None),
        Proof::Certificate(pem) => (None, Some(pem.expose_secret().to_owned())),
    };
    let stored = Stored {
        url: login.url.clone(),
        user: login.user.clone(),
        password,
        certificate,
        ca_cert: login.ca_cert.clone(),
    };
    let text = serde_json::to_vec_pretty(&stored).map_err(|e| failed(e.into()))?;
    private::replace(path, &text).map_err(failed)
}

/// Forgets the stored login; whether there was one.
///
/// # Errors
///
/// When the file cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<bool, Error> {
    private::remove(path).map_err(|e| Error::file(path, e))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn login() -> StoredLogin {
        StoredLogin {
            url: "https://pulp.example/".into(),
            user: "admin".into(),
            proof: Proof::Password("hunter2".into()),
            ca_cert: None,
        }
    }

    #[test]
    fn a_stored_login_comes_back_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pith/login.json");
        assert!(read(&path).unwrap().is_none());
        write(&path, &login()).unwrap();
        write(&path, &login()).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let back = read(&path).unwrap().unwrap();
        assert!(matches!(&back.proof, Proof::Password(p) if p.expose_secret() == "hunter2"));
        assert!(!format!("{back:?}").contains("hunter2"));
        assert_eq!(
            std::fs::read_dir(folder.path().join("pith"))
                .unwrap()
                .count(),
            1
        );
        assert!(remove(&path).unwrap());
        assert!(!remove(&path).unwrap());
    }

    #[test]
    fn a_login_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.json");
        write(&path, &login()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains("other people can read it"));
    }
}
