//! The first administrator: made at the first start, with a password nobody else knows.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use pith_engine::Engine;
use pith_pulp::auth;
use secrecy::{ExposeSecret, SecretString};

/// The administrator's login.
pub(crate) use pith_pulp::auth::FIRST_ADMIN as LOGIN;

/// The file in which the generated password is kept.
pub(crate) fn password_file(data: &Path) -> PathBuf {
    data.join("admin-password")
}

/// Makes the administrator when the database has none. The password comes from `PITH_ADMIN_PASSWORD`, or is made up,
/// printed once and kept in a file that only its owner can read.
pub(crate) async fn ensure(engine: &Engine, data: &Path) -> anyhow::Result<()> {
    let exists = engine
        .store
        .any_super_user()
        .await
        .context("cannot look for the administrator")?;
    if exists {
        // There may be no role yet: the database of a pith that had none.
        auth::ensure_first_admin(&engine.store, &*engine.clock, None)
            .await
            .context("cannot make the role of super-users")?;
        return Ok(());
    }
    let given = std::env::var("PITH_ADMIN_PASSWORD")
        .ok()
        .filter(|password| !password.is_empty());
    let made = given.is_none();
    let password = SecretString::from(given.unwrap_or_else(make_password));
    if made {
        // The file comes first: a password that is in force and written down nowhere would lock everybody out.
        write_password(&password_file(data), password.expose_secret())
            .with_context(|| format!("cannot write {}", password_file(data).display()))?;
    }
    auth::ensure_first_admin(
        &engine.store,
        &*engine.clock,
        Some(password.expose_secret().to_owned()),
    )
    .await
    .context("cannot create the administrator")?;
    if made {
        // Where nobody reads, it is in the file.
        let _ = writeln!(
            std::io::stderr(),
            "created the user '{LOGIN}' with the password {}\nit is kept in {}",
            password.expose_secret(),
            password_file(data).display()
        );
    }
    Ok(())
}

/// The administrator's password, when this process may know it: to talk to its own server.
pub(crate) fn known_password(data: &Path) -> Option<SecretString> {
    let given = std::env::var("PITH_ADMIN_PASSWORD")
        .ok()
        .filter(|password| !password.is_empty());
    let kept = || {
        std::fs::read_to_string(password_file(data))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    given.or_else(kept).map(SecretString::from)
}

/// 128 random bits in letters that cannot be taken for one another.
fn make_password() -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789-";
    let random = uuid::Uuid::new_v4()
        .into_bytes()
        .into_iter()
        .chain(uuid::Uuid::new_v4().into_bytes());
    random
        .map(|byte| char::from(LETTERS[usize::from(byte) % LETTERS.len()]))
        .collect()
}

fn write_password(path: &Path, password: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{password}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn made_passwords_are_long_and_differ() {
        assert_eq!(make_password().len(), 32);
        assert_ne!(make_password(), make_password());
    }

    #[test]
    fn the_password_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = password_file(folder.path());
        write_password(&path, "x").unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
