//! Sending a publication to another machine.

use std::sync::Arc;

use pith_blobs::{Bundle, IndexEntryRef, Publication};
use pith_content::export::not_downloaded;
use pith_content::remote::Remote;
use pith_content::{ContentError, blocking};
use pith_core::RelativePath;
use tokio_util::sync::CancellationToken;

use crate::error::platform;
use crate::rsync::{Errand, is_rootless, run};
use crate::{Engine, acting};

/// Bytes that are copied before they are sent. Where the store has files, next to nothing is.
const MOST_COPIED: u64 = 1 << 30;
/// The text for those who may not know what is behind the server.
const DISCREET: &str = "the publication could not be sent to the other machine; super-users and the server's log are told why";

/// The parts of a publication on their way.
pub(in crate::run) struct Sending {
    engine: Arc<Engine>,
    remote: Remote,
    /// The publication that was sent last, when what it has need not be sent again.
    before: Option<Arc<Publication>>,
    cancel: CancellationToken,
}

impl Sending {
    pub(super) fn new(
        engine: &Arc<Engine>,
        remote: Remote,
        before: Option<Publication>,
        cancel: &CancellationToken,
    ) -> Self {
        let is_anew = remote.deletes || remote.is_forced;
        Self {
            engine: Arc::clone(engine),
            remote,
            before: before.filter(|_| !is_anew).map(Arc::new),
            cancel: cancel.clone(),
        }
    }

    /// Makes the root.
    async fn make_root(&self) -> Result<(), ContentError> {
        let (engine, root) = (Arc::clone(&self.engine), self.remote.root.clone());
        let bundle = move || {
            let bundle = Bundle::begin(&engine.blobs)?;
            bundle.add_folder(root.trim_matches('/'))?;
            Ok(bundle)
        };
        let bundle = made(blocking::run(bundle).await?)?;
        self.run(&bundle, Errand::Make).await
    }

    /// Sends a part of the publication.
    pub(super) async fn send(&self, part: &Arc<Publication>) -> Result<(), ContentError> {
        let mut position = 0;
        while position < part.len() {
            let (engine, part, before) = (
                Arc::clone(&self.engine),
                Arc::clone(part),
                self.before.clone(),
            );
            let cancel = self.cancel.clone();
            let fill = move || {
                let mut filling = Filling {
                    bundle: Bundle::begin(&engine.blobs)?,
                    position,
                    count: 0,
                };
                filling.fill(&engine, &part, before.as_deref(), &cancel)?;
                Ok(filling)
            };
            let filled = made(blocking::run(fill).await?)?;
            position = filled.position;
            if filled.count > 0 {
                self.send_bundle(&filled.bundle).await?;
            }
        }
        Ok(())
    }

    /// Removes what none of the parts has from a folder there, but for `spared`.
    pub(super) async fn prune(
        &self,
        parts: Vec<Arc<Publication>>,
        folder: &RelativePath,
        spared: Option<&RelativePath>,
    ) -> Result<(), ContentError> {
        let (engine, below) = (Arc::clone(&self.engine), format!("{folder}/"));
        let name = move || {
            let mut bundle = Bundle::begin(&engine.blobs)?;
            bundle.add_folder(&below)?;
            for part in parts {
                for entry in part.below(&below) {
                    bundle.add_name(entry?.path)?;
                }
            }
            Ok(bundle)
        };
        let bundle = made(blocking::run(name).await?)?;
        let spared = spared.and_then(|spared| {
            let below = spared.as_str().strip_prefix(folder.as_str())?;
            below.strip_prefix('/')
        });
        let below = folder.as_str();
        self.run(&bundle, Errand::Prune { below, spared }).await
    }

    /// Sends a bundle. Where the root is not there it is made: not before, since those above it may be behind links.
    async fn send_bundle(&self, bundle: &Bundle) -> Result<(), ContentError> {
        match self.attempt(bundle, Errand::Send).await {
            Err(ContentError::Other(error)) if is_rootless(&*error) => {
                self.make_root().await?;
                self.run(bundle, Errand::Send).await
            }
            ended => discreet(ended),
        }
    }

    async fn run(&self, bundle: &Bundle, errand: Errand<'_>) -> Result<(), ContentError> {
        discreet(self.attempt(bundle, errand).await)
    }

    async fn attempt(&self, bundle: &Bundle, errand: Errand<'_>) -> Result<(), ContentError> {
        let folder = bundle.path();
        let engine = &self.engine;
        run(&engine.ssh, &self.remote, folder, errand, &self.cancel).await
    }
}

/// Keeps to itself what failed at another machine, where not everybody may know.
fn discreet(ended: Result<(), ContentError>) -> Result<(), ContentError> {
    match ended {
        Err(ContentError::Other(error)) if acting::is_discreet() => {
            tracing::warn!(%error, "a publication could not be sent");
            Err(ContentError::other(DISCREET))
        }
        ended => ended,
    }
}

/// A bundle that is filled from a part of a publication.
struct Filling {
    bundle: Bundle,
    /// The number of entries that were looked at.
    position: u64,
    /// The number of entries that are in the bundle.
    count: u64,
}

impl Filling {
    fn fill(
        &mut self,
        engine: &Engine,
        part: &Publication,
        before: Option<&Publication>,
        cancel: &CancellationToken,
    ) -> pith_blobs::Result<()> {
        while self.position < part.len() && self.bundle.copied() < MOST_COPIED {
            if cancel.is_cancelled() {
                return Err(pith_blobs::Error::Stopping);
            }
            let place = usize::try_from(self.position).unwrap_or(usize::MAX);
            let entry = part.at(place)?;
            if !is_there(before, &entry)? {
                self.bundle.add(&engine.blobs, &entry)?;
                self.count += 1;
            }
            self.position += 1;
        }
        Ok(())
    }
}

/// Tells whether the other machine has the same at the path of an entry. One that is lost tells nothing of it.
fn is_there(before: Option<&Publication>, entry: &IndexEntryRef<'_>) -> pith_blobs::Result<bool> {
    let found = before.map(|before| before.get(entry.path)).transpose();
    match found {
        Ok(found) => {
            let found = found.flatten();
            Ok(found.is_some_and(|found| found.kind == entry.kind && found.size == entry.size))
        }
        Err(error) if error.is_lost() => Ok(false),
        Err(error) => Err(error),
    }
}

/// A bundle that was made. What is not here is told as by an export; what fails in the store is the platform's.
fn made<T>(made: pith_blobs::Result<T>) -> Result<T, ContentError> {
    made.map_err(|error| match error {
        pith_blobs::Error::Stopping => ContentError::Cancelled,
        pith_blobs::Error::NoFile(path) => not_downloaded(&[path]),
        error => platform(error),
    })
}
