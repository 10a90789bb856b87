//! The person's own small files, which nobody else may read: the login, and how far uploads came.

use std::io::Write;
use std::path::{Path, PathBuf};

/// `pith` below the folder of an XDG variable, else below `$HOME` and `below`; `None` when neither is known.
#[must_use]
pub(crate) fn folder(variable: &str, below: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below)))?;
    Some(folder.join("pith"))
}

/// Puts a file with mode 0600 in place of whatever is there. It appears whole or not at all.
///
/// # Errors
///
/// When the folder or file cannot be written.
#[expect(
    clippy::disallowed_methods,
    reason = "the person's own file, not the server's data"
)]
pub(crate) fn replace(path: &Path, text: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let beside = path.with_extension(format!("json.{}", std::process::id()));
    // tidy: allow(rename): the person's own file, not the server's data
    let written = write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        // The part that was written may hold a secret.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn write(path: &Path, text: &[u8]) -> std::io::Result<()> {
    // A leftover of a crashed process of the same id would have its own mode.
    remove(path)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Removes a file; whether there was one.
///
/// # Errors
///
/// When it cannot be removed.
pub(crate) fn remove(path: &Path) -> std::io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}
