//! Options that become the configuration of a repository, its importer and its distributors
//! (reference: rpm.md §5, §10 and §19; iso.md §2, §7 and §9).

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::criteria::pair;
use crate::error::Error;
use crate::kind::Kind;

/// No certificate or key file is larger.
const MOST_PEM_BYTES: u64 = 1024 * 1024;

/// When packages are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DownloadPolicy {
    /// With the sync.
    Immediate,
    /// After the sync, by a task of its own.
    Background,
    /// When a client asks for them.
    #[value(name = "on_demand", alias = "on-demand")]
    OnDemand,
}

impl DownloadPolicy {
    /// The word on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Immediate => "immediate",
            Self::Background => "background",
            Self::OnDemand => "on_demand",
        }
    }
}

/// Name, text and notes of a repository.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AboutArgs {
    /// Name for people
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Purpose, for people
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// A note of your own; can be repeated, and an empty value removes the note
    #[arg(long = "note", value_name = "KEY=VALUE", value_parser = pair)]
    pub notes: Vec<(String, String)>,
}

/// Where content comes from, and how it is fetched.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Feed")]
pub(crate) struct FeedArgs {
    /// Address of the repository to mirror
    #[arg(long, value_name = "URL")]
    pub feed: Option<String>,
    /// When packages are fetched
    #[arg(long, value_enum, value_name = "POLICY")]
    pub download_policy: Option<DownloadPolicy>,
    /// Check size and checksum of what is downloaded, which pith always does, and work out every digest of packages
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub validate: Option<bool>,
    /// Remove what the feed does not have any more
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub remove_missing: Option<bool>,
    /// Parallel downloads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_downloads: Option<u32>,
    /// Bytes per second, of all downloads of a sync together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_speed: Option<u64>,
    /// File with the certificate authority of the feed
    #[arg(long, value_name = "FILE")]
    pub feed_ca_cert: Option<PathBuf>,
    /// File with the certificate to show to the feed
    #[arg(long, value_name = "FILE")]
    pub feed_cert: Option<PathBuf>,
    /// File with the key of that certificate
    #[arg(long, value_name = "FILE")]
    pub feed_key: Option<PathBuf>,
    /// Verify the certificate of the feed
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub verify_feed_ssl: Option<bool>,
    /// Proxy, as http://host
    #[arg(long, value_name = "URL")]
    pub proxy_host: Option<String>,
    /// Port of the proxy
    #[arg(long, value_name = "PORT")]
    pub proxy_port: Option<u16>,
    /// User of the proxy
    #[arg(long, visible_alias = "proxy-username", value_name = "LOGIN")]
    pub proxy_user: Option<String>,
    /// Password of the proxy
    #[arg(long, visible_alias = "proxy-password", value_name = "PASSWORD")]
    pub proxy_pass: Option<SecretString>,
    /// User of the feed
    #[arg(long, visible_alias = "basicauth-username", value_name = "LOGIN")]
    pub basicauth_user: Option<String>,
    /// Password of the feed
    #[arg(long, visible_alias = "basicauth-password", value_name = "PASSWORD")]
    pub basicauth_pass: Option<SecretString>,
}

/// Where the repository is published.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Publishing")]
pub(crate) struct ServeArgs {
    /// Path below which it is served [default: the path of the feed, else the id]
    #[arg(long, value_name = "PATH")]
    pub relative_url: Option<String>,
    /// Serve it over HTTP [default on create: false]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub serve_http: Option<bool>,
    /// Serve it over HTTPS [default on create: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub serve_https: Option<bool>,
}

/// Settings that only RPM repositories have.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Packages")]
pub struct RpmArgs {
    /// Digest in the published metadata
    #[arg(long, value_name = "TYPE", value_parser = ["sha256", "sha512", "sha1", "sha", "md5"])]
    pub checksum_type: Option<String>,
    /// Old versions to keep beside the newest
    #[arg(long, value_name = "N")]
    pub retain_old_count: Option<u32>,
    /// Types to leave out, with commas between them
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = ["rpm", "srpm", "drpm", "distribution", "erratum"])]
    pub skip: Vec<String>,
    /// Refuse packages without a signature
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub require_signature: Option<bool>,
    /// Short ids of the keys that packages may be signed with
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    pub allowed_keys: Vec<String>,
    /// File with the key that consumers check packages with; no effect on pith yet
    #[arg(long, value_name = "FILE")]
    pub gpg_key: Option<PathBuf>,
    /// File with the certificate authority that consumers verify the server with; no effect on pith yet
    #[arg(long, value_name = "FILE")]
    pub host_ca: Option<PathBuf>,
    /// File with the certificate authority of the clients that may read the repository; an empty file lets everybody
    #[arg(long, value_name = "FILE")]
    pub auth_ca: Option<PathBuf>,
    /// File with the entitlement certificate for consumers; no effect on pith yet: --auth-ca says who may read
    #[arg(long, value_name = "FILE")]
    pub auth_cert: Option<PathBuf>,
    /// Publish SQLite files with the metadata; no effect on pith, which makes none
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub generate_sqlite: Option<bool>,
    /// Publish pages to browse (and SQLite files); no effect on pith, which makes none
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub repoview: Option<bool>,
}

/// Settings that only repositories of files have.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Publishing")]
pub struct IsoArgs {
    /// File with the certificate authority of the clients that may read the repository; an empty file lets everybody
    #[arg(long, value_name = "FILE")]
    pub auth_ca: Option<PathBuf>,
}

/// The settings that options give for an importer, the main distributor and the extra one. An absent option is an absent key.
#[derive(Debug, Default, PartialEq)]
pub struct Settings {
    /// Importer configuration.
    pub importer: Map<String, Value>,
    /// Configuration of the distributor that serves.
    pub distributor: Map<String, Value>,
    /// Configuration of the extra distributor.
    pub extra: Map<String, Value>,
}

/// A value under its key; an empty text is null, which removes the key on the server.
fn put(map: &mut Map<String, Value>, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        let value = match value.into() {
            Value::String(text) if text.is_empty() => Value::Null,
            other => other,
        };
        map.insert(key.to_owned(), value);
    }
}

fn put_secret(map: &mut Map<String, Value>, key: &str, secret: Option<&SecretString>) {
    put(map, key, secret.map(|s| s.expose_secret().to_owned()));
}

/// The text of a small local file; an empty name is an empty text, which removes the setting.
fn file_text(path: Option<&PathBuf>) -> Result<Option<String>, Error> {
    path.map(|path| {
        if path.as_os_str().is_empty() {
            return Ok(String::new());
        }
        read_small(path)
    })
    .transpose()
}

fn read_small(path: &Path) -> Result<String, Error> {
    let failed = |e| Error::file(path, e);
    if std::fs::metadata(path).map_err(failed)?.len() > MOST_PEM_BYTES {
        return Err(Error::usage(
            format!("{} is too large for a certificate or key", path.display()),
            "give the PEM file itself",
        ));
    }
    std::fs::read_to_string(path).map_err(failed)
}

impl FeedArgs {
    /// Adds the importer's keys.
    ///
    /// # Errors
    ///
    /// When a named file cannot be read.
    pub(crate) fn add_to(&self, settings: &mut Settings) -> Result<(), Error> {
        let map = &mut settings.importer;
        put(map, "feed", self.feed.clone());
        put(
            map,
            "download_policy",
            self.download_policy.map(DownloadPolicy::name),
        );
        put(map, "validate", self.validate);
        put(map, "remove_missing", self.remove_missing);
        put(map, "max_downloads", self.max_downloads);
        put(map, "max_speed", self.max_speed);
        put(map, "ssl_ca_cert", file_text(self.feed_ca_cert.as_ref())?);
        put(map, "ssl_client_cert", file_text(self.feed_cert.as_ref())?);
        put(map, "ssl_client_key", file_text(self.feed_key.as_ref())?);
        put(map, "ssl_validation", self.verify_feed_ssl);
        put(map, "proxy_host", self.proxy_host.clone());
        put(map, "proxy_port", self.proxy_port);
        put(map, "proxy_username", self.proxy_user.clone());
        put_secret(map, "proxy_password", self.proxy_pass.as_ref());
        put(map, "basic_auth_username", self.basicauth_user.clone());
        put_secret(map, "basic_auth_password", self.basicauth_pass.as_ref());
        Ok(())
    }
}

impl ServeArgs {
    /// Adds the distributors' keys, as `kind` spells them.
    pub(crate) fn add_to(&self, kind: &Kind, settings: &mut Settings) {
        put(
            &mut settings.distributor,
            "relative_url",
            self.relative_url.clone(),
        );
        for map in [&mut settings.distributor, &mut settings.extra] {
            put(map, kind.http_key, self.serve_http);
            put(map, kind.https_key, self.serve_https);
        }
    }
}

/// Settings that only one kind of repository has.
pub trait OwnSettings {
    /// Adds the keys of importer and distributors.
    ///
    /// # Errors
    ///
    /// When a named file cannot be read.
    fn add_to(&self, settings: &mut Settings) -> Result<(), Error>;
}

impl OwnSettings for RpmArgs {
    fn add_to(&self, settings: &mut Settings) -> Result<(), Error> {
        let list = |values: &[String]| match values {
            [] => None,
            // As elsewhere an empty value removes the setting.
            [only] if only.is_empty() => Some(Value::Null),
            many => Some(json!(many)),
        };
        let importer = &mut settings.importer;
        put(importer, "retain_old_count", self.retain_old_count);
        put(importer, "type_skip_list", list(&self.skip));
        put(importer, "require_signature", self.require_signature);
        put(importer, "allowed_keys", list(&self.allowed_keys));
        let distributor = &mut settings.distributor;
        put(distributor, "checksum_type", self.checksum_type.clone());
        put(distributor, "skip", list(&self.skip));
        put(distributor, "gpgkey", file_text(self.gpg_key.as_ref())?);
        put(distributor, "https_ca", file_text(self.host_ca.as_ref())?);
        let auth_ca = file_text(self.auth_ca.as_ref())?;
        put(
            distributor,
            "protected",
            auth_ca.as_ref().map(|pem| !pem.is_empty()),
        );
        put(distributor, "auth_ca", auth_ca);
        put(
            distributor,
            "auth_cert",
            file_text(self.auth_cert.as_ref())?,
        );
        put(distributor, "repoview", self.repoview);
        // Pages to browse are made from the SQLite files.
        let sqlite = if self.repoview == Some(true) {
            Some(true)
        } else {
            self.generate_sqlite
        };
        put(distributor, "generate_sqlite", sqlite);
        Ok(())
    }
}

impl OwnSettings for IsoArgs {
    fn add_to(&self, settings: &mut Settings) -> Result<(), Error> {
        let auth_ca = file_text(self.auth_ca.as_ref())?;
        put(&mut settings.distributor, "ssl_auth_ca_cert", auth_ca);
        Ok(())
    }
}

impl Settings {
    /// Fills in what a new repository must have.
    pub(crate) fn complete_for_create(&mut self, kind: &Kind, id: &str) {
        let feed = self.importer.get("feed").and_then(Value::as_str);
        let default_path = feed.and_then(feed_path).unwrap_or_else(|| id.to_owned());
        if kind.needs_relative_url {
            self.distributor
                .entry("relative_url")
                .or_insert_with(|| default_path.into());
        }
        for map in [&mut self.distributor, &mut self.extra] {
            map.entry(kind.http_key).or_insert(json!(false));
            map.entry(kind.https_key).or_insert(json!(true));
        }
    }
}

/// The path of a feed without slashes at its ends; `None` when it has none.
fn feed_path(feed: &str) -> Option<String> {
    let url = url::Url::parse(feed).ok()?;
    let path = url.path().trim_matches('/');
    (!path.is_empty()).then(|| path.to_owned())
}

/// Notes as an object; an empty value is null, which removes the note.
#[must_use]
pub(crate) fn notes(pairs: &[(String, String)]) -> Map<String, Value> {
    let mut notes = Map::new();
    for (key, value) in pairs {
        put(&mut notes, key, Some(value.clone()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{ISO, RPM};

    #[test]
    fn a_new_repository_is_served_below_the_path_of_its_feed() {
        let mut settings = Settings::default();
        settings
            .importer
            .insert("feed".into(), json!("https://host/a/b/"));
        settings.complete_for_create(&RPM, "demo");
        assert_eq!(
            Value::Object(settings.distributor),
            json!({"relative_url": "a/b", "http": false, "https": true})
        );
        let mut bare = Settings::default();
        bare.importer.insert("feed".into(), json!("https://host"));
        bare.complete_for_create(&RPM, "demo");
        assert_eq!(bare.distributor["relative_url"], "demo");
        let mut files = Settings::default();
        files.complete_for_create(&ISO, "demo");
        assert_eq!(
            Value::Object(files.distributor),
            json!({"serve_http": false, "serve_https": true})
        );
    }

    #[test]
    fn an_empty_text_removes_a_setting() {
        let args = FeedArgs {
            feed: Some(String::new()),
            ..FeedArgs::default()
        };
        let mut settings = Settings::default();
        args.add_to(&mut settings).unwrap();
        assert_eq!(Value::Object(settings.importer), json!({"feed": null}));
    }

    #[test]
    fn skipped_types_are_skipped_by_importer_and_distributor() {
        let args = RpmArgs {
            skip: vec!["srpm".into()],
            repoview: Some(true),
            ..RpmArgs::default()
        };
        let mut settings = Settings::default();
        args.add_to(&mut settings).unwrap();
        assert_eq!(
            Value::Object(settings.importer),
            json!({"type_skip_list": ["srpm"]})
        );
        assert_eq!(
            Value::Object(settings.distributor),
            json!({"skip": ["srpm"], "repoview": true, "generate_sqlite": true})
        );
    }
}
