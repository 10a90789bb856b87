//! The distributor's side: what a type implements to publish a repository, and what it sees while it does.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, RelativePath, Sha256, Timestamp, UnitId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::export::{ExportFolder, Images, Trees};
use crate::remote::{Passing, Placed, Remote};
use crate::repository::{Outlines, RepoInfo, Units};
use crate::signing::{KeyChoice, Signer, Unsigned};
use crate::task::Within;
use crate::unit::{RepoUnit, Select};
use crate::{Config, ContentError, Headers, PluginDescriptor, Problems, blocking};

/// Publishes a repository's content.
#[async_trait]
pub trait Distributor: Send + Sync {
    /// Returns what it says of itself.
    fn descriptor(&self) -> &'static PluginDescriptor;

    /// Checks a configuration that somebody wants to store for repository `repo_id`. `others` are the distributors of
    /// the same type in other repositories, to find conflicting paths.
    ///
    /// # Errors
    /// All that is wrong with it. The person is told (400), by the codes of the problems where they have some.
    fn validate(
        &self,
        repo_id: &str,
        config: &Config,
        others: &[OtherDistributor],
    ) -> Result<(), Problems>;

    /// The version of what this distributor writes: publications of other versions are never taken for equal. By default it
    /// changes with every version of the program.
    fn format(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    /// The mounts at which the publication is served, with the effective configuration: below [`crate::ContentType::roots`], so
    /// made by [`crate::Root::mount`].
    fn mounts(&self, repo_id: &str, config: &Config) -> Vec<Mount>;

    /// The clients who may read what is published, with the stored configuration; `None` for everybody. It holds from the moment
    /// the configuration is saved, and no override of a publish changes it.
    fn guard(&self, config: &Config) -> Option<ClientGuard>;

    /// The publication that a publish with this configuration takes over, instead of making one: [`Distributor::publish`] is not
    /// called then. Most make one.
    ///
    /// # Errors
    /// What the configuration lacks for it.
    fn shares(&self, _config: &Config) -> Result<Option<Shared>, Problems> {
        Ok(None)
    }

    /// The setting that names another repository, and that repository, when a publish with this configuration shows content of it.
    fn source(&self, _config: &Config) -> Option<(&'static str, String)> {
        None
    }

    /// The setting that names another distributor of the same repository, and its id, when a publish with this configuration passes
    /// on what that one has published ([`PublishContext::pass_on`]). It is made of that alone then: what has changed in the
    /// repository since is not looked at, and while that distributor has published nothing new, a publish is skipped.
    fn predistributor(&self, _config: &Config) -> Option<(&'static str, String)> {
        None
    }

    /// The folder of the server that a publish with this configuration writes to instead of serving what it makes
    /// ([`PublishContext::export`]). The server's settings must open it: this is asked when a configuration is saved, and when a
    /// publish with an override begins.
    fn export_folder(&self, _config: &Config) -> Option<ExportFolder> {
        None
    }

    /// The folder of another machine that a publish with this configuration sends to what it makes ([`Outlet::send`]). Only
    /// super-users change it, and the server's settings must open the key: this is asked when a configuration is saved, and when a
    /// publish begins.
    fn remote(&self, _config: &Config) -> Option<Remote> {
        None
    }

    /// The trees of [`Distributor::export_folder`] that go when the distributor or its repository is removed, with the stored
    /// configuration. None by default: what was exported was made for people. One that is replaced under its id keeps them, as
    /// they are those of the new one.
    fn withdraws(&self, _repo_id: &str, _config: &Config) -> Option<Trees> {
        None
    }

    /// The key with which a publish with this configuration signs; `None` when it signs nothing. That there is such a key is asked
    /// when a configuration is saved, and when a publish begins; a publication that another key signed is never taken for equal.
    fn signing_key(&self, _config: &Config) -> Option<KeyChoice> {
        None
    }

    /// Tells whether a path means what is published now, such as `repodata/repomd.xml`. One that does not can be fetched for a
    /// while after a publication without it has come: a client in mid-run has read its name in older metadata.
    fn is_current_only(&self, path: &str) -> bool;

    /// Adds every path of the publication to `ctx`. Nothing is served before this returns `Ok`, when the engine
    /// writes the index and flips the mounts in one transaction.
    ///
    /// # Errors
    /// See [`ContentError`]; the old publication stays.
    async fn publish(&self, ctx: &dyn PublishContext) -> Result<PublishReport, ContentError>;
}

/// A distributor of the same type in another repository.
#[derive(Debug, Clone)]
pub struct OtherDistributor {
    /// Its repository.
    pub repo_id: String,
    /// Its id.
    pub id: String,
    /// Its setting `relative_url`, the only one that others are compared with.
    pub relative_url: Option<String>,
}

/// A publication that is served in two repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The repository that it was made of.
    pub repo_id: String,
    /// The distributor that made it.
    pub distributor_id: String,
    /// The distributor of the other repository that serves it, at the paths of its settings.
    pub destination: String,
}

/// A place where a publication is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The path below the server's root, such as `pulp/repos/zoo`.
    pub prefix: RelativePath,
    /// Is true when it is served over plain HTTP.
    pub http: bool,
    /// Is true when it is served over HTTPS.
    pub https: bool,
}

/// The authorities whose clients may read, as far as their certificates open the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientGuard {
    /// The setting that names them.
    pub setting: &'static str,
    /// Their certificates, and lists of what they revoked, in PEM form.
    pub authorities: String,
}

impl ClientGuard {
    /// The guard that a setting names; `None` when it is not set.
    #[must_use]
    pub fn of_setting(config: &Config, setting: &'static str) -> Option<Self> {
        let authorities = config.get(setting)?;
        Some(Self {
            setting,
            // What is no text is no authority, and lets nobody in.
            authorities: authorities.as_str().unwrap_or_default().to_owned(),
        })
    }
}

/// The report of a distributor at the end of a publish that went well.
#[derive(Debug, Clone, Default)]
pub struct PublishReport {
    /// `summary` of the history entry.
    pub summary: Value,
    /// `details` of the history entry.
    pub details: Value,
}

/// The thing that stands at a path of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A blob of the store.
    Blob {
        /// Its name.
        sha256: Sha256,
        /// Its size.
        size: u64,
    },
    /// The file of a unit that is not here yet: fetched when first asked for.
    Deferred {
        /// The unit.
        unit: UnitId,
        /// The digest its file will have, when it is known ([`RepoUnit::promised`]).
        sha256: Option<Sha256>,
        /// The size its file will have.
        size: u64,
    },
    /// A small document kept in the index itself.
    Inline(Bytes),
    /// A redirect to this URL or path.
    Redirect(String),
}

/// A path of a publication, what stands there, and its time.
pub type PublishedEntry = (RelativePath, Entry, Timestamp);

/// The choice of what comes of each path of another publication; nothing of it for `None`.
pub type Placing<'a> =
    &'a (dyn Fn(Passing<'_>) -> Result<Option<Placed>, ContentError> + Send + Sync);

/// The error where there is no other machine to send to.
const NOWHERE: &str = "no other machine is named to send to";

/// The output of a publish, of a repository or of a group: what is added here is published at once, all of it, when it has ended
/// well.
#[async_trait]
pub trait Outlet: Send + Sync {
    /// The effective configuration.
    fn config(&self) -> &Config;

    /// Time.
    fn clock(&self) -> &dyn Clock;

    /// Fires when the task is cancelled. The engine drops the publish soon after; blocking loops must look at it.
    fn cancelled(&self) -> &CancellationToken;

    /// Adds a path with headers of its own. A path added twice is an error that names it.
    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError>;

    /// Adds a path that has the headers of every file.
    async fn add(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
    ) -> Result<(), ContentError> {
        let headers = Headers::default();
        self.add_with(path, entry, modified, headers).await
    }

    /// Adds all files of a unit that has several, below `folder` where there is one; `files` is the unit's own file
    /// ([`RepoUnit::blob`]). A file that several units have at one path is added once; returns how many were added.
    async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: Sha256,
        modified: Timestamp,
    ) -> Result<u64, ContentError>;

    /// A file to generate on a blocking thread. SHA-256 is always computed, `also` besides.
    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError>;

    /// Writes all that was added so far to the folder that [`Distributor::export_folder`] names, and not into the publication. It
    /// is in its place once the publish has ended well; what is served stays as it is unless something is added after this.
    async fn export(&self, trees: Trees) -> Result<(), ContentError>;

    /// Packs all that was added so far into images, and not into the publication. The images are blobs, to be added under names of
    /// their own; none of them when nothing was added.
    async fn pack(&self, images: &Images<'_>) -> Result<Vec<Hashed>, ContentError>;

    /// Sends all that was added since the last call to the folder that [`Distributor::remote`] names. It stays a part of the
    /// publication, and what the last one has sent is not sent again. Redirects are symbolic links there.
    ///
    /// # Errors
    /// When something is not here, or the other machine does not take it: what was sent until then stays there.
    async fn send(&self) -> Result<(), ContentError> {
        Err(ContentError::other(NOWHERE))
    }

    /// Removes everything from `folder` there that this publish has not sent, but for what is at or below `spared`.
    ///
    /// # Errors
    /// When the other machine does not do it.
    async fn prune(
        &self,
        folder: &RelativePath,
        spared: Option<&RelativePath>,
    ) -> Result<(), ContentError> {
        let _ = (folder, spared);
        Err(ContentError::other(NOWHERE))
    }

    /// The key that the configuration signs with.
    ///
    /// # Errors
    /// When it signs nothing ([`Distributor::signing_key`]).
    fn signer(&self) -> Result<Arc<dyn Signer>, ContentError>;

    /// Shows progress: the value under the distributor's id, or the type of that of a group, in the task's `progress_report`.
    fn progress(&self, report: Value);
}

#[async_trait]
impl<T: Within<Inner: Outlet>> Outlet for T {
    fn config(&self) -> &Config {
        self.inner().config()
    }

    fn clock(&self) -> &dyn Clock {
        self.inner().clock()
    }

    fn cancelled(&self) -> &CancellationToken {
        self.inner().cancelled()
    }

    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError> {
        self.inner().add_with(path, entry, modified, headers).await
    }

    async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: Sha256,
        modified: Timestamp,
    ) -> Result<u64, ContentError> {
        self.inner().add_files(folder, files, modified).await
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        self.inner().file(also)
    }

    async fn export(&self, trees: Trees) -> Result<(), ContentError> {
        self.inner().export(trees).await
    }

    async fn pack(&self, images: &Images<'_>) -> Result<Vec<Hashed>, ContentError> {
        self.inner().pack(images).await
    }

    async fn send(&self) -> Result<(), ContentError> {
        self.inner().send().await
    }

    async fn prune(
        &self,
        folder: &RelativePath,
        spared: Option<&RelativePath>,
    ) -> Result<(), ContentError> {
        self.inner().prune(folder, spared).await
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, ContentError> {
        self.inner().signer()
    }

    fn progress(&self, report: Value) {
        self.inner().progress(report);
    }
}

/// The platform as a distributor sees it during a publish.
#[async_trait]
pub trait PublishContext: Outlet {
    /// The repository.
    fn repo(&self) -> &RepoInfo;

    /// The distributor's id within the repository.
    fn distributor_id(&self) -> &str;

    /// Returns how many units of the type the repository has.
    async fn count(&self, type_id: &str) -> Result<u64, ContentError>;

    /// Streams the repository's units in batches.
    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError>;

    /// Streams little of all units of a type: these fields, which are short, in the order of the first of them, which is a text. It
    /// costs a fraction of [`Self::units`] and is enough for the entry of each unit, and to know which of them must be read whole
    /// with [`Self::pick`].
    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError>;

    /// Reads units as `select` says (its `sort` is left aside), in the order of `ids`; those that are gone are left out. What
    /// belongs to the association (`added`, `updated`) is known only from [`Self::outlines`].
    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError>;

    /// The entries of the publication now served whose path starts with `prefix`, with their times; empty when
    /// nothing is served.
    async fn previous(&self, prefix: &str) -> Result<Vec<PublishedEntry>, ContentError>;

    /// The settings of the distributor that [`Distributor::predistributor`] names; `None` where it names nobody.
    fn predistributor(&self) -> Option<&Config>;

    /// Adds entries of the newest publication of that distributor, at the paths that `place` gives for theirs, with their times and
    /// headers; returns how many. Where they are the files of units of `types`, `place` is told. What comes to one path twice
    /// must be the same.
    async fn pass_on(&self, types: &[&str], place: Placing<'_>) -> Result<u64, ContentError>;

    /// The bytes of a document of the publication now served, or of one that this publish has finished, to be read on a
    /// blocking thread. They come as they are: before anything is taken over, see that they have the digest.
    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError>;

    /// Signs a document with the key that the configuration signs with ([`Distributor::signing_key`]). The signature is armored.
    async fn sign(&self, what: Unsigned) -> Result<String, ContentError> {
        let signer = self.signer()?;
        match what {
            Unsigned::Document(blob) => {
                let mut document = self.open(blob).await?;
                blocking::run(move || signer.detached(&mut document)).await?
            }
            Unsigned::Bytes(bytes) => {
                blocking::run(move || signer.detached(&mut bytes.as_ref())).await?
            }
            Unsigned::Text(text) => blocking::run(move || signer.clear(&text)).await?,
        }
    }

    /// The digest of a file that the store has, worked out from its bytes: for algorithms that no metadata told.
    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError>;

    /// Keeps in the units' documents what was worked out about them, so that the next publish need not. This holds
    /// whether or not the publish succeeds.
    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError>;
}

/// The time for a document that replaces one from `served`: at least a second later, because clients compare seconds, and two
/// publishes may fall into one second or have a clock between them that was put back.
///
/// # Errors
/// When time has come to its end.
pub fn later_second(now: Timestamp, served: Option<Timestamp>) -> Result<Timestamp, ContentError> {
    let next = served.map(|served| served.as_second().saturating_add(1));
    let second = next.map_or(now.as_second(), |next| next.max(now.as_second()));
    Timestamp::from_second(second).map_err(ContentError::other)
}

/// A file that can be read from any place.
pub trait ReadSeek: io::Read + io::Seek + Send {}

impl<T: io::Read + io::Seek + Send> ReadSeek for T {}

/// A file being generated: written to, then finished into the blob store. Dropped unfinished, it leaves nothing.
pub trait GeneratedFile: io::Write + Send {
    /// Puts the bytes written into the blob store.
    ///
    /// # Errors
    /// When the disk is full or broken.
    fn finish(self: Box<Self>) -> io::Result<Hashed>;
}
