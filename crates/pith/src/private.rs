//! Everything on the disk is for the server alone: password hashes, keys, secrets of importers, content that is guarded.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use rustix::fs::Mode;
use secrecy::SecretString;

/// The names that pith gives in its data folder. What else lies there is not its own.
const OWN: [&str; 9] = [
    "authority.pem",
    "ballast",
    "blobs",
    "cache",
    "pith.db",
    "pith.db-shm",
    "pith.db-wal",
    "pith.db.lock",
    "secrets.key",
];
/// The first bytes of an SQLite database (<https://www.sqlite.org/fileformat.html>, 1.3.1).
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Rights of the group and of others.
const OTHERS: u32 = 0o077;

/// Sees to it that this process makes files from now on that only its own user may read.
pub(crate) fn by_default() {
    rustix::process::umask(Mode::from_raw_mode(OTHERS));
}

/// Makes the data folder where there is none, and closes it to everybody else where there is one, with what pith keeps in it.
/// A file system that knows no rights is warned of.
///
/// # Errors
/// When the folder cannot be made.
pub(crate) fn data_folder(data: &Path) -> anyhow::Result<()> {
    make(data)?;
    let own = OWN.iter().try_for_each(|name| close(&data.join(name)));
    warn(data, own.and_then(|()| close_one(data)));
    Ok(())
}

/// Makes the folder of a database where there is none, and closes the files of the database. The folder may be a common one,
/// and the file is looked at first: it may be anything that somebody named by mistake.
///
/// # Errors
/// When the folder cannot be made, or the file is no SQLite database.
pub(crate) fn database(file: &Path) -> anyhow::Result<()> {
    if let Some(folder) = file.parent() {
        make(folder)?;
    }
    if !is_database(file).with_context(|| format!("cannot read {}", file.display()))? {
        anyhow::bail!(
            "{} is no SQLite database; give another --database",
            file.display()
        );
    }
    let closed = ["", "-shm", "-wal", ".lock"].iter().try_for_each(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        match fs::symlink_metadata(&name) {
            Ok(found) if found.is_file() => close_one(Path::new(&name)),
            _ => Ok(()),
        }
    });
    warn(file, closed);
    Ok(())
}

/// Tells whether a file is an SQLite database, or none yet.
fn is_database(file: &Path) -> io::Result<bool> {
    let found = match fs::metadata(file) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    if !found.is_file() {
        return Ok(false);
    }
    let mut head = Vec::new();
    fs::File::open(file)?
        .take(MAGIC.len() as u64)
        .read_to_end(&mut head)?;
    Ok(head.is_empty() || head == MAGIC)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| {
            let folder = folder.display();
            format!("cannot make the data folder {folder}; give another --data")
        })
}

fn warn(path: &Path, closed: io::Result<()>) {
    if let Err(error) = closed {
        tracing::warn!(
            path = %path.display(), %error,
            "others on this machine may be able to read what pith keeps here: take their rights away"
        );
    }
}

/// Closes a file, or a folder with all that is in it. A folder that is closed was closed after what is in it.
fn close(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if found.permissions().mode() & OTHERS == 0 || found.is_symlink() {
        return Ok(());
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            close(&entry?.path())?;
        }
    }
    close_one(path)
}

fn close_one(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & 0o7700))
}

/// The text of a file that may hold a key.
pub(crate) fn read(path: &Path) -> anyhow::Result<SecretString> {
    fs::read_to_string(path)
        .map(SecretString::from)
        .with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file that appears whole or not at all.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's own file, not content"
)]
pub(crate) fn replace(path: &Path, text: &[u8], mode: u32) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text)?;
        file.sync_all()?;
        // tidy: allow(rename): the authority is the server's own file, not content
        fs::rename(&beside, path)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_that_was_open_is_closed_with_what_is_piths_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let deep = data.join("blobs/ab");
        fs::create_dir_all(&deep).unwrap();
        for (path, rights) in [
            (data.clone(), 0o755),
            (data.join("blobs"), 0o755),
            (deep.clone(), 0o755),
        ] {
            fs::set_permissions(path, Permissions::from_mode(rights)).unwrap();
        }
        for name in ["pith.db", "blobs/ab/cd", "other"] {
            let path = data.join(name);
            fs::write(&path, b"x").unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        }
        data_folder(&data).unwrap();
        assert_eq!(
            [mode(&data), mode(&data.join("blobs")), mode(&deep)],
            [0o700; 3]
        );
        assert_eq!(mode(&data.join("pith.db")), 0o600);
        assert_eq!(mode(&deep.join("cd")), 0o600);
        assert_eq!(mode(&data.join("other")), 0o644);
        database(&data.join("new.db")).unwrap();
        for wrong in [data.join("other"), data.clone(), folder.path().to_owned()] {
            let before = mode(&wrong);
            database(&wrong).unwrap_err();
            assert_eq!(mode(&wrong), before);
        }
        data_folder(&folder.path().join("new/data")).unwrap();
        assert_eq!(mode(&folder.path().join("new/data")), 0o700);
    }

    #[test]
    fn a_kept_file_is_for_its_owner_alone_and_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        replace(&path, b"one", 0o600).unwrap();
        replace(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
