//! Sends a file to the server in segments, and remembers how far it came (pulp2/uploads#requests).

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pith_content::words::Words;
use pith_core::MultiHasher;
use pith_core::digest::Hashed;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::client::Client;
use crate::error::Error;
use crate::output::{ProgressForm, Ui};
use crate::text::{clean, size};

/// Bytes in one request, as Pulp's own clients send.
const SEGMENT: usize = 1024 * 1024;

/// Segments between two notes of how far it came: a lost note costs only what is sent again.
const NOTED_EVERY: u64 = 32;

/// A file as it was when its upload began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceFile {
    /// Absolute path.
    pub(crate) path: PathBuf,
    /// The last part of the path.
    pub(crate) name: String,
    /// Bytes.
    pub(crate) length: u64,
    /// Last change, in nanoseconds since 1970; 0 when the file system keeps none.
    pub(crate) modified: u64,
}

impl SourceFile {
    /// Looks at a file.
    ///
    /// # Errors
    ///
    /// When it is no ordinary file with a name in UTF-8.
    pub(crate) fn at(path: &Path) -> Result<Self, Error> {
        let failed = |e| Error::file(path, e);
        let metadata = std::fs::metadata(path).map_err(failed)?;
        let name = path.file_name().and_then(|name| name.to_str());
        let (true, Some(name)) = (metadata.is_file(), name) else {
            return Err(Error::usage(
                format!("{} is no file that can be sent", path.display()),
                "name ordinary files, with names in UTF-8",
            ));
        };
        let since = metadata.modified().ok().and_then(|at| {
            let since = at.duration_since(UNIX_EPOCH).ok()?;
            u64::try_from(since.as_nanos()).ok()
        });
        Ok(Self {
            path: std::path::absolute(path).map_err(failed)?,
            name: name.to_owned(),
            length: metadata.len(),
            modified: since.unwrap_or_default(),
        })
    }
}

/// The field of an import that holds the digest of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DigestUse {
    /// Nowhere: the server finds the key in the file.
    Nowhere,
    /// The key, beside name and size.
    Key,
    /// The metadata, so that the server verifies it.
    Metadata,
}

/// A unit that is to be uploaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Type id of the unit.
    pub(crate) unit_type: String,
    /// Its key, as far as it is known before the file is read.
    pub(crate) key: Value,
    /// Its other fields.
    pub(crate) metadata: Value,
    /// The place of the digest.
    pub(crate) digest: DigestUse,
    /// The file; none for units that are only metadata.
    pub(crate) file: Option<SourceFile>,
}

impl Plan {
    /// A unit that is only metadata.
    pub(crate) fn without_file(unit_type: &str, key: Value, metadata: Value) -> Self {
        Self {
            unit_type: unit_type.to_owned(),
            key,
            metadata,
            digest: DigestUse::Nowhere,
            file: None,
        }
    }

    /// A file as a unit of the type `word`, else of the type that its name tells.
    ///
    /// # Errors
    ///
    /// When it is no readable file, or its type is not known.
    pub(crate) fn of_file(words: &Words, path: &Path, word: Option<&str>) -> Result<Self, Error> {
        let file = SourceFile::at(path)?;
        let word = word.or_else(|| guess(words, &file.name));
        let Some(unit) = word.and_then(|word| words.unit(word)) else {
            let all: Vec<&str> = words.units.iter().map(|unit| unit.word).collect();
            return Err(Error::usage(
                format!("the type of {} is not known", path.display()),
                format!("give --type, one of {}", all.join(", ")),
            ));
        };
        let digest = if unit.key_from_file {
            DigestUse::Key
        } else {
            DigestUse::Nowhere
        };
        let key = match unit.name_field {
            Some(field) => json!({ field: file.name }),
            None => json!({}),
        };
        Ok(Self {
            digest,
            file: Some(file),
            ..Self::without_file(unit.id, key, json!({}))
        })
    }

    /// The ordinary files of a folder, by name: those of the type `word`, else those whose name tells their type.
    ///
    /// # Errors
    ///
    /// When the folder or a file cannot be read.
    pub(crate) fn of_folder(
        words: &Words,
        folder: &Path,
        word: Option<&str>,
    ) -> Result<Vec<Self>, Error> {
        let failed = |e| Error::file(folder, e);
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let known = word.is_some() || name.is_some_and(|name| guess(words, name).is_some());
            if known && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let plans = paths.iter().map(|path| Self::of_file(words, path, word));
        plans.collect()
    }

    /// Returns what people call it.
    pub(crate) fn name(&self) -> &str {
        self.file
            .as_ref()
            .map_or(&self.unit_type, |file| &file.name)
    }

    /// The body that asks for the import, once the bytes are sent.
    fn import_body(&self, upload_id: &str, sum: Option<&Hashed>) -> Value {
        let (mut key, mut metadata) = (self.key.clone(), self.metadata.clone());
        if let Some(sum) = sum {
            let checksum = sum.sha256.to_string();
            match self.digest {
                DigestUse::Nowhere => {}
                DigestUse::Key => {
                    key = json!({ "name": self.name(), "size": sum.size, "checksum": checksum });
                }
                DigestUse::Metadata => {
                    metadata = json!({ "checksum": checksum, "checksum_type": "sha256" });
                }
            }
        }
        json!({ "upload_id": upload_id, "unit_type_id": self.unit_type, "unit_key": key,
                "unit_metadata": metadata, "override_config": {} })
    }
}

/// The type of a file by its name: the only one of its family, or the one with the longest ending that fits.
fn guess(words: &Words, name: &str) -> Option<&'static str> {
    if let [only] = words.units {
        return Some(only.word);
    }
    let fits = |ending: &&&str| name.ends_with(**ending);
    words
        .units
        .iter()
        .filter_map(|unit| {
            let longest = unit.endings.iter().filter(fits).map(|end| end.len()).max();
            Some((longest?, unit.word))
        })
        .max()
        .map(|(_, word)| word)
}

/// An upload that has begun, and how far it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BegunUpload {
    /// Address of the server that keeps the bytes.
    pub server: String,
    /// Its id there.
    pub id: String,
    /// Id of the repository that gets the unit.
    pub repo_id: String,
    /// The things that are uploaded.
    pub plan: Plan,
    /// Bytes that the server has acknowledged.
    pub sent: u64,
    /// Tasks of the import; empty until it is asked for.
    pub tasks: Vec<String>,
}

impl BegunUpload {
    /// Asks the server for a new upload.
    ///
    /// # Errors
    ///
    /// When the server refuses or answers without a usable id.
    pub(crate) async fn begin(client: &Client, repo_id: &str, plan: Plan) -> Result<Self, Error> {
        let upload = client.post(&["content", "uploads"], &json!({})).await?;
        let id = upload["upload_id"].as_str().filter(|id| is_id(id));
        let Some(id) = id else {
            return Err(Error::Nonsense {
                request: "POST /pulp/api/v2/content/uploads/".into(),
                reason: "it has no upload_id".into(),
            });
        };
        Ok(Self {
            server: client.base().to_string(),
            id: id.to_owned(),
            repo_id: repo_id.to_owned(),
            plan,
            sent: 0,
            tasks: Vec::new(),
        })
    }

    /// Sends the bytes that the server does not have, one segment in memory at a time, and calls `note` now and
    /// then. Gives what the whole file adds up to; `None` without a file.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is another one now, or the server does not take it.
    pub(crate) async fn send(
        &mut self,
        client: &Client,
        ui: &mut Ui,
        note: impl Fn(&Self),
    ) -> Result<Option<Hashed>, Error> {
        let Some(file) = self.plan.file.clone() else {
            return Ok(None);
        };
        if SourceFile::at(&file.path)? != file {
            let section = ui.families.usual_section();
            return Err(Error::usage(
                format!("{} has changed since its upload began", file.path.display()),
                format!(
                    "cancel the upload with `pith {section} repo uploads cancel UPLOAD` and send the file again"
                ),
            ));
        }
        let failed = |e| Error::file(&file.path, e);
        let bar = bar(ui, &file);
        let mut source = File::open(&file.path).await.map_err(failed)?;
        let mut hasher = MultiHasher::new(&[]);
        let mut offset = 0_u64;
        loop {
            let mut segment = Vec::with_capacity(SEGMENT);
            let mut part = (&mut source).take(SEGMENT as u64);
            part.read_to_end(&mut segment).await.map_err(failed)?;
            let length = segment.len();
            // An empty file is sent as one empty segment, so that the upload has a file.
            if length == 0 && offset > 0 {
                break;
            }
            hasher.update(&segment);
            let end = offset + length as u64;
            if end > self.sent || end == 0 {
                let path = ["content", "uploads", &self.id, &offset.to_string()];
                client.put_bytes(&path, segment).await?;
                self.sent = end;
                if (end / SEGMENT as u64).is_multiple_of(NOTED_EVERY) {
                    note(self);
                }
            }
            offset = end;
            bar.set_position(offset);
            if length < SEGMENT {
                break;
            }
        }
        bar.finish();
        if ui.progress == ProgressForm::Lines {
            ui.note(&format!("sent {} ({})", clean(&file.name), size(offset)));
        }
        Ok(Some(hasher.finish()))
    }

    /// Asks for the import; the tasks stand in the upload then. Gives the call report.
    ///
    /// # Errors
    ///
    /// When the server refuses.
    pub(crate) async fn import(
        &mut self,
        client: &Client,
        sum: Option<&Hashed>,
    ) -> Result<Value, Error> {
        let body = self.plan.import_body(&self.id, sum);
        let path = ["repositories", &self.repo_id, "actions", "import_upload"];
        let report = client.post(&path, &body).await?;
        self.tasks = crate::client::spawned(&report);
        Ok(report)
    }
}

/// Tells whether a text is like an upload's id: it names a file of ours and stands in addresses.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= 64 && text.chars().all(allowed)
}

fn bar(ui: &Ui, file: &SourceFile) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(file.length),
        if ui.progress == ProgressForm::Bars {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        },
    );
    let template =
        "    {prefix:28} {bar:24} {binary_bytes} of {binary_total_bytes} {binary_bytes_per_sec}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(clean(&file.name));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::samples::family;

    #[test]
    fn the_type_of_a_package_follows_its_name() {
        let (rpm, iso) = (family("rpm").words, family("iso").words);
        assert_eq!(guess(rpm, "a-1-1.src.rpm"), Some("srpm"));
        assert_eq!(guess(rpm, "a-1-1.x86_64.rpm"), Some("rpm"));
        assert_eq!(guess(rpm, "a-1-1.drpm"), Some("drpm"));
        assert_eq!(guess(rpm, "comps.xml"), None);
        assert_eq!(guess(iso, "anything"), Some("iso"));
    }

    #[test]
    fn a_folder_gives_the_files_of_known_types_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b-1-1.rpm", "a-1-1.src.rpm", "notes.txt"] {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        std::fs::create_dir(folder.path().join("c.rpm")).unwrap();
        let names = |kind, word| {
            let plans = Plan::of_folder(kind, folder.path(), word).unwrap();
            let of = |plan: &Plan| format!("{} {}", plan.unit_type, plan.name());
            plans.iter().map(of).collect::<Vec<_>>()
        };
        let (rpm, iso) = (family("rpm").words, family("iso").words);
        assert_eq!(names(rpm, None), ["srpm a-1-1.src.rpm", "rpm b-1-1.rpm"]);
        assert_eq!(names(rpm, Some("rpm")).len(), 3);
        assert_eq!(names(iso, None).len(), 3);
    }

    #[test]
    fn an_id_that_could_name_another_file_is_none() {
        assert!(is_id("d66b79e8-8580-48de-844b-1dcfd4abceb6"));
        for text in ["", "..", "a/b", "a.json", &"x".repeat(65)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
