//! Sends a file to the server in segments (reference: platform-api §5.5).

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pith_core::MultiHasher;
use pith_core::digest::Hashed;
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use crate::client::Client;
use crate::error::Error;
use crate::kind::Kind;
use crate::output::{Progress, Ui, clean, size};

/// Bytes in one request, as Pulp's own clients send.
const SEGMENT: usize = 1024 * 1024;

/// A file that is to become a unit.
#[derive(Debug)]
pub(crate) struct FileUpload {
    path: PathBuf,
    name: String,
    unit_type: &'static str,
    key_from_file: bool,
    length: u64,
}

impl FileUpload {
    /// Checks that the file is there and finds the type of its unit, from `unit_type` or its name.
    ///
    /// # Errors
    ///
    /// When it is no readable file, or its type is not known.
    pub(crate) fn plan(
        kind: &'static Kind,
        path: &Path,
        unit_type: Option<&str>,
    ) -> Result<Self, Error> {
        let metadata = std::fs::metadata(path).map_err(|e| Error::file(path, e))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let (true, Some(name)) = (metadata.is_file(), name) else {
            return Err(Error::usage(
                format!("{} is no file that can be sent", path.display()),
                "name ordinary files, with names in UTF-8",
            ));
        };
        let word = unit_type.or_else(|| guess(kind, name));
        let Some(unit) = word.and_then(|word| kind.unit(word)) else {
            return Err(Error::usage(
                format!("the type of {} is not known", path.display()),
                format!("give --type, one of {}", kind.words().join(", ")),
            ));
        };
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            unit_type: unit.id,
            // The key of a package is in the package; that of a plain file must be told.
            key_from_file: unit.fields.contains(&"checksum"),
            length: metadata.len(),
        })
    }

    /// The body that asks for the import.
    pub(crate) fn import_body(&self, upload_id: &str, sum: &Hashed) -> Value {
        let key = if self.key_from_file {
            json!({ "name": self.name, "size": sum.size, "checksum": sum.sha256.to_string() })
        } else {
            json!({})
        };
        json!({ "upload_id": upload_id, "unit_type_id": self.unit_type, "unit_key": key,
                "unit_metadata": {}, "override_config": {} })
    }
}

/// The type of a file by its name: the only one of its kind, or what the ending says.
fn guess<'a>(kind: &'a Kind, name: &str) -> Option<&'a str> {
    if let [only] = kind.units {
        return Some(only.word);
    }
    [
        (".src.rpm", "srpm"),
        (".nosrc.rpm", "srpm"),
        (".drpm", "drpm"),
        (".rpm", "rpm"),
    ]
    .into_iter()
    .find_map(|(end, word)| name.ends_with(end).then_some(word))
}

/// Asks for a new upload; its id.
///
/// # Errors
///
/// When the server refuses or answers without an id.
pub(crate) async fn begin(client: &Client) -> Result<String, Error> {
    let upload = client.post(&["content", "uploads"], &json!({})).await?;
    upload["upload_id"]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Error::Nonsense {
            request: "POST /pulp/api/v2/content/uploads/".into(),
            reason: "it has no upload_id".into(),
        })
}

/// Sends the bytes, one segment in memory at a time, and gives what they add up to.
///
/// # Errors
///
/// When the file cannot be read or the server does not take it.
pub(crate) async fn send(
    client: &Client,
    id: &str,
    file: &FileUpload,
    ui: &mut Ui,
) -> Result<Hashed, Error> {
    let failed = |e| Error::file(&file.path, e);
    let bar = bar(ui, file);
    let mut source = File::open(&file.path).await.map_err(failed)?;
    let mut hasher = MultiHasher::new(&[]);
    let mut offset = 0_u64;
    loop {
        let mut segment = Vec::with_capacity(SEGMENT);
        let mut part = (&mut source).take(SEGMENT as u64);
        part.read_to_end(&mut segment).await.map_err(failed)?;
        // An empty file is sent as one empty segment, so that the upload has a file.
        if segment.is_empty() && offset > 0 {
            break;
        }
        hasher.update(&segment);
        let length = segment.len();
        client
            .put_bytes(&["content", "uploads", id, &offset.to_string()], segment)
            .await?;
        offset += length as u64;
        bar.set_position(offset);
        if length < SEGMENT {
            break;
        }
    }
    bar.finish();
    if ui.progress == Progress::Lines {
        ui.note(&format!("sent {} ({})", clean(&file.name), size(offset)));
    }
    Ok(hasher.finish())
}

fn bar(ui: &Ui, file: &FileUpload) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(
        Some(file.length),
        if ui.progress == Progress::Bars {
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
    use crate::kind::{ISO, RPM};

    #[test]
    fn the_type_of_a_package_follows_its_name() {
        assert_eq!(guess(&RPM, "a-1-1.src.rpm"), Some("srpm"));
        assert_eq!(guess(&RPM, "a-1-1.x86_64.rpm"), Some("rpm"));
        assert_eq!(guess(&RPM, "a-1-1.drpm"), Some("drpm"));
        assert_eq!(guess(&RPM, "comps.xml"), None);
        assert_eq!(guess(&ISO, "anything"), Some("iso"));
    }
}
