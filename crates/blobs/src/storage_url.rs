//! The place where blobs live, as a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;

use crate::{Error, Result, folders};

/// A place for blobs. The text forms are `file:///var/lib/pith/blobs` and
/// `s3://bucket/prefix?endpoint=https://host&region=eu-1&access_key_id=…&secret_access_key=…`.
#[derive(Debug, Clone)]
pub enum StorageUrl {
    /// A folder of this machine.
    Local(PathBuf),
    /// A bucket of an S3-compatible service.
    S3(S3Settings),
}

/// A bucket. What is `None` comes from the usual `AWS_*` environment variables.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// The bucket's name.
    pub bucket: String,
    /// Put before every key; empty or without slashes at its ends.
    pub prefix: String,
    /// URL of the service, for anything that is not Amazon's; `http://` is allowed only here.
    pub endpoint: Option<String>,
    /// Region, `us-east-1` when nobody says.
    pub region: Option<String>,
    /// Access key.
    pub access_key_id: Option<String>,
    /// Secret key.
    pub secret_access_key: Option<SecretString>,
}

impl StorageUrl {
    /// The folder `blobs` of the server's data folder.
    #[must_use]
    pub fn default_in(data_dir: &Path) -> Self {
        Self::Local(data_dir.join("blobs"))
    }

    /// Tells whether this is a folder in which no store has ever been, or none at all. A store that was here before is lost,
    /// or its disk is not mounted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn is_bare(&self) -> Result<bool> {
        match self {
            Self::Local(root) => folders::is_bare(root),
            Self::S3(_) => Ok(false),
        }
    }
}

impl FromStr for StorageUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let url = url::Url::parse(text).map_err(|error| Error::StorageUrl(error.to_string()))?;
        match url.scheme() {
            "file" => local(text, &url).map(Self::Local),
            "s3" => S3Settings::from_url(&url).map(Self::S3),
            other => Err(Error::StorageUrl(format!(
                "'{other}' is neither 'file' nor 's3'"
            ))),
        }
    }
}

/// The folder of a file URL.
fn local(text: &str, url: &url::Url) -> Result<PathBuf> {
    let refused =
        |why: &str| Error::StorageUrl(format!("a file URL is file:///absolute/path; {why}"));
    // The parser takes what follows for a path below the root folder.
    let written = text.trim().get("file:".len()..).unwrap_or_default();
    if !written.starts_with('/') {
        return Err(refused("this one names no folder from the root on"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("'?' is written %3F in it, '#' %23"));
    }
    let folder = url.to_file_path();
    let folder = folder.map_err(|()| refused("this one names another machine"))?;
    if folder.parent().is_none() {
        return Err(refused("the root folder itself is not for files"));
    }
    Ok(folder)
}

impl S3Settings {
    fn from_url(url: &url::Url) -> Result<Self> {
        let bucket = url.host_str().filter(|host| !host.is_empty());
        let bucket = bucket
            .ok_or_else(|| Error::StorageUrl("an S3 URL is s3://bucket/prefix".to_owned()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::StorageUrl(
                "keys belong into the environment or the query, not before '@'".to_owned(),
            ));
        }
        let mut settings = Self {
            bucket: bucket.to_owned(),
            prefix: url.path().trim_matches('/').to_owned(),
            ..Self::default()
        };
        for (name, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*name {
                "endpoint" => settings.endpoint = Some(value),
                "region" => settings.region = Some(value),
                "access_key_id" => settings.access_key_id = Some(value),
                "secret_access_key" => settings.secret_access_key = Some(value.into()),
                other => {
                    return Err(Error::StorageUrl(format!(
                        "the parameter '{other}' is unknown"
                    )));
                }
            }
        }
        Ok(settings)
    }
}

/// Shows the URL without the keys, so that it may be logged.
impl fmt::Display for StorageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(folder) => write!(f, "file://{}", folder.display()),
            Self::S3(S3Settings { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_buckets_are_understood_and_print_without_keys() {
        let local: StorageUrl = "file:///var/lib/pith/blobs".parse().unwrap();
        assert_eq!(local.to_string(), "file:///var/lib/pith/blobs");
        let text = "s3://bucket/some/prefix/?endpoint=http://127.0.0.1:9000&region=eu&access_key_id=a&secret_access_key=hush";
        let StorageUrl::S3(s3) = text.parse().unwrap() else {
            panic!("not S3")
        };
        assert_eq!(
            (s3.bucket.as_str(), s3.prefix.as_str()),
            ("bucket", "some/prefix")
        );
        assert_eq!(s3.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
        assert!(!format!("{s3:?}{}", StorageUrl::S3(s3.clone())).contains("hush"));
    }

    #[test]
    fn urls_that_cannot_work_are_refused() {
        for bad in [
            "",
            "blobs",
            "ftp://x/y",
            "s3:///x",
            "s3://b/?endpiont=x",
            "s3://key:secret@b/",
            "file://host/x",
            "file:",
            "file://",
            "file:///",
            "file:///x/..",
            "file:relative",
            "file:./relative",
            "file:///x?y",
            "file:///x#y",
        ] {
            assert!(bad.parse::<StorageUrl>().is_err(), "{bad:?} passed");
        }
    }
}
