//! Uploads that have begun, a small file each below the person's state folder, so that they can go on after an
//! interruption.

use std::path::PathBuf;

use serde_json::Value;

use crate::error::Error;
use crate::private;
use crate::upload::{BegunUpload, is_id};

/// Largest note of an upload.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// The folder of the notes; without one, nothing is remembered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Begun {
    folder: Option<PathBuf>,
}

/// `$XDG_STATE_HOME/pith`, or below `~/.local/state`; `None` when neither is known.
#[must_use]
pub(crate) fn state_folder() -> Option<PathBuf> {
    private::folder("XDG_STATE_HOME", ".local/state")
}

impl Begun {
    /// Notes below a state folder.
    pub(crate) fn below(state: Option<PathBuf>) -> Self {
        Self {
            folder: state.map(|folder| folder.join("uploads")),
        }
    }

    fn path(&self, id: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref().filter(|_| is_id(id))?;
        Some(folder.join(format!("{id}.json")))
    }

    /// Notes how far an upload came.
    ///
    /// # Errors
    ///
    /// When the note cannot be written.
    pub(crate) fn note(&self, upload: &BegunUpload) -> Result<(), Error> {
        let Some(path) = self.path(&upload.id) else {
            return Ok(());
        };
        let text = serde_json::to_vec(upload).map_err(|e| Error::file(&path, e.into()))?;
        private::replace(&path, &text).map_err(|e| Error::file(&path, e))
    }

    /// Forgets an upload; whether it was known.
    ///
    /// # Errors
    ///
    /// When the note cannot be removed.
    pub(crate) fn forget(&self, id: &str) -> Result<bool, Error> {
        match self.path(id) {
            None => Ok(false),
            Some(path) => private::remove(&path).map_err(|e| Error::file(&path, e)),
        }
    }

    /// The uploads to a server, by id. A note that cannot be read is none: its upload can still be cancelled.
    ///
    /// # Errors
    ///
    /// When the folder cannot be read.
    pub(crate) fn of_server(&self, server: &str) -> Result<Vec<BegunUpload>, Error> {
        let Some(folder) = &self.folder else {
            return Ok(Vec::new());
        };
        let failed = |e| Error::file(folder, e);
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(e)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let id = path.file_stem().and_then(|stem| stem.to_str());
            let whole = path.extension().is_some_and(|end| end == "json");
            if let Some(id) = id.filter(|_| whole)
                && let Some(upload) = self.read(id)
                && upload.server == server
            {
                found.push(upload);
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// The note of one upload.
    pub(crate) fn read(&self, id: &str) -> Option<BegunUpload> {
        let path = self.path(id)?;
        if std::fs::metadata(&path).ok()?.len() > MOST_BYTES {
            return None;
        }
        let value: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
        let upload: BegunUpload = serde_json::from_value(value).ok()?;
        (upload.id == id).then_some(upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::Plan;
    use serde_json::json;

    fn upload(id: &str, server: &str) -> BegunUpload {
        BegunUpload {
            server: server.into(),
            id: id.into(),
            repo_id: "demo".into(),
            plan: Plan::without_file("erratum", json!({"id": "E-1"}), json!({})),
            sent: 7,
            tasks: vec!["t1".into()],
        }
    }

    #[test]
    fn a_note_comes_back_to_its_own_server_only() {
        let state = tempfile::tempdir().unwrap();
        let begun = Begun::below(Some(state.path().into()));
        assert!(begun.of_server("http://one/").unwrap().is_empty());
        let one = upload("a-1", "http://one/");
        begun.note(&one).unwrap();
        begun.note(&upload("b-2", "http://two/")).unwrap();
        assert_eq!(begun.of_server("http://one/").unwrap(), [one]);
        assert!(begun.forget("a-1").unwrap());
        assert!(!begun.forget("a-1").unwrap());
        assert!(begun.of_server("http://one/").unwrap().is_empty());
    }

    #[test]
    fn a_broken_note_is_none() {
        let state = tempfile::tempdir().unwrap();
        let begun = Begun::below(Some(state.path().into()));
        begun.note(&upload("a-1", "s")).unwrap();
        std::fs::write(state.path().join("uploads/a-1.json"), "{").unwrap();
        std::fs::write(state.path().join("uploads/other.txt"), "x").unwrap();
        assert!(begun.of_server("s").unwrap().is_empty());
        assert!(begun.read("../a-1").is_none());
    }
}
