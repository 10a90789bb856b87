//! The way out of a publish, of a repository or of a group.

use std::sync::Arc;

use async_trait::async_trait;
use pith_blobs::KnownFiles;
use pith_content::export::{ExportFolder, Images, Trees};
use pith_content::publish::{Entry, GeneratedFile, Outlet};
use pith_content::signing::Signer;
use pith_content::{Config, ContentError, Headers};
use pith_core::digest::Hashed;
use pith_core::{Algorithm, Clock, RelativePath, Sha256, Timestamp};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::output::Output;
use super::send::Sending;
use crate::attempt::Run;
use crate::error::platform;
use crate::run::files::named;

/// Whoever publishes.
#[derive(Debug, Clone, Copy)]
pub(in crate::run) enum Publisher<'a> {
    /// A repository, by one of its distributors.
    Repository(&'a str, &'a str),
    /// A group, by one of its distributors.
    Group(&'a str, &'a str),
}

impl Publisher<'_> {
    /// The line by which the trees of its exports are known.
    pub(in crate::run) fn label(self) -> String {
        match self {
            Self::Repository(id, distributor) => format!("{distributor} of repository {id}"),
            Self::Group(id, distributor) => format!("{distributor} of group {id}"),
        }
    }
}

/// The way out of a publish: everything of it but the units.
#[derive(Clone, Copy)]
pub(in crate::run) struct Outgoing<'a> {
    pub(in crate::run) run: &'a Run,
    pub(in crate::run) publisher: Publisher<'a>,
    pub(in crate::run) config: &'a Config,
    pub(in crate::run) output: &'a Output,
    /// The folder of the server that it writes to.
    pub(in crate::run) folder: Option<&'a ExportFolder>,
    /// The other machine that it sends to.
    pub(in crate::run) sending: Option<&'a Sending>,
    /// The key that it signs with.
    pub(in crate::run) signer: Option<&'a Arc<dyn Signer>>,
}

#[async_trait]
impl Outlet for Outgoing<'_> {
    fn config(&self) -> &Config {
        self.config
    }

    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    async fn add_with(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
        headers: Headers,
    ) -> Result<(), ContentError> {
        self.output.add(path, entry, modified, &headers)
    }

    async fn add_files(
        &self,
        folder: Option<&RelativePath>,
        files: Sha256,
        modified: Timestamp,
    ) -> Result<u64, ContentError> {
        let run = self.run;
        let named = named(&run.store, files).await?;
        let files = KnownFiles::open(&run.engine.blobs, files, named).await;
        let files = files.map_err(platform)?;
        self.output.add_files(folder, files, modified).await
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        Ok(self.output.file(also))
    }

    async fn export(&self, trees: Trees) -> Result<(), ContentError> {
        let named = self.folder.map(|named| named.folder.as_path());
        let folder = named.ok_or_else(|| ContentError::other("no folder is named to export to"))?;
        let (owner, cancel) = (self.publisher.label(), &self.run.cancel);
        self.output.export(folder, owner, trees, cancel).await
    }

    async fn pack(&self, images: &Images<'_>) -> Result<Vec<Hashed>, ContentError> {
        self.output.pack(images, &self.run.cancel).await
    }

    async fn send(&self) -> Result<(), ContentError> {
        let sending = self.sending()?;
        let part = self.output.part().await?;
        sending.send(&part).await
    }

    async fn prune(
        &self,
        folder: &RelativePath,
        spared: Option<&RelativePath>,
    ) -> Result<(), ContentError> {
        let parts = self.output.parts();
        self.sending()?.prune(parts, folder, spared).await
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, ContentError> {
        let unsigned = || ContentError::other("the configuration signs nothing");
        self.signer.cloned().ok_or_else(unsigned)
    }

    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }
}

impl<'a> Outgoing<'a> {
    fn sending(&self) -> Result<&'a Sending, ContentError> {
        let nowhere = || ContentError::other("no other machine is named to send to");
        self.sending.ok_or_else(nowhere)
    }
}
