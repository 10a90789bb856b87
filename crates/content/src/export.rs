//! Exports: publications that are written to a folder of the server instead of being served, or packed into images
//! ([decision 15](../../../docs/decisions/0015-exports.md)).

use std::path::PathBuf;

use pith_core::error::ErrorDetail;
use pith_core::{Algorithm, RelativePath};
use serde_json::Value;

use crate::{Config, ContentError};

/// A folder of the server that a configuration names. The server's settings must open it (`--allow-exports-to`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFolder {
    /// The setting that names it.
    pub setting: &'static str,
    /// The folder.
    pub folder: PathBuf,
}

impl ExportFolder {
    /// The folder that a setting names; `None` when it is not set.
    #[must_use]
    pub fn of_setting(config: &Config, setting: &'static str) -> Option<Self> {
        let value = config.get(setting)?;
        Some(Self {
            setting,
            // What is no text is no path, and is not open.
            folder: value.as_str().unwrap_or_default().into(),
        })
    }
}

/// The trees of an export, each of which is swapped in as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trees {
    /// Their folders below the one that the configuration names. Every path of the publication lies in one of them, and none of
    /// them in another.
    pub folders: Vec<RelativePath>,
    /// The name of the file with the names of the folders beside it, in each folder above the trees.
    pub listing: Option<&'static str>,
}

/// The ISO 9660 images that a publication is packed into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Images<'a> {
    /// The name of the volume.
    pub volume: &'a str,
    /// The most bytes of an image. A file that fits into none is an error.
    pub limit: u64,
    /// Digests of the images besides SHA-256.
    pub also: &'a [Algorithm],
}

/// The error of an export of units that are not downloaded: PLP0045, with the first files that are not here.
#[must_use]
pub fn not_downloaded(missing: &[String]) -> ContentError {
    let text = "The repository cannot be exported because some units are not downloaded.";
    ContentError::coded(ErrorDetail::new("PLP0045", text).with("missing", Value::from(missing)))
}
