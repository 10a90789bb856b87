//! Units that options describe, rather than the name of a file.

use serde_json::{Map, Value};

use super::OptionWords;

/// An upload of a unit that options describe: `… uploads <word>`.
#[derive(Debug)]
pub struct UploadWords {
    /// The command.
    pub word: &'static str,
    /// Other names of the command.
    pub aliases: &'static [&'static str],
    /// One line of help.
    pub about: &'static str,
    /// The type id of the unit.
    pub unit_type: &'static str,
    /// The use of the file that the command takes; none when it takes none.
    pub file: Option<FileUse>,
    /// Options, which `describe` finds under their names.
    pub options: &'static [OptionWords],
    /// Makes key and metadata of what was given.
    pub describe: fn(&Given) -> Described,
}

/// The facts that the server is told of a file beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileUse {
    /// Nothing: it reads all there is to know.
    Read,
    /// Its checksum, to verify it.
    Verified,
}

/// Key and metadata of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The unit key.
    pub key: Value,
    /// The other fields.
    pub metadata: Value,
}

/// The options of a command line by their names, as JSON. Lists, pairs and switches that were not given are empty, empty
/// and false; other options are absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    repo_id: String,
    values: Map<String, Value>,
}

impl Given {
    /// The options of an upload to `repo_id`.
    #[must_use]
    pub fn new(repo_id: String, values: Map<String, Value>) -> Self {
        Self { repo_id, values }
    }

    /// The repository that gets the unit.
    #[must_use]
    pub fn repo_id(&self) -> &str {
        &self.repo_id
    }

    /// The value of an option; null for one that was not given.
    #[must_use]
    pub fn value(&self, option: &str) -> Value {
        self.values.get(option).cloned().unwrap_or(Value::Null)
    }

    /// The values of an option that takes several; none for one that was not given.
    #[must_use]
    pub fn list(&self, option: &str) -> &[Value] {
        let list = self.values.get(option).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }
}
