//! The files of a unit that has several: downloaded many at once, small ones into packs, and listed.

use std::sync::Arc;

use async_trait::async_trait;
use pith_blobs::{FileListBuilder, KnownFile, KnownFiles, Nameless};
use pith_content::base::shown;
use pith_content::fetch::{FetchFailure, FetchFailureKind};
use pith_content::files::{FileSet, Here, MOST_FILES, WantedFile};
use pith_content::unit::Source;
use pith_content::{Bent, ContentError};
use pith_core::{Digest, RelativePath, Sha256};
use pith_fetch::{Request, Session};
use pith_store::TaskStore;
use tokio::task::JoinSet;

use super::download::{BlobSink, failure, note, unreachable_file};
use crate::Engine;
use crate::error::Error;

/// The things that the files of units are downloaded with.
pub(super) struct Plan<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) store: &'a TaskStore,
    /// The repository that the units are for.
    pub(super) repo: &'a str,
    pub(super) session: &'a Session,
    pub(super) bent: &'a Bent,
    /// Downloads at once.
    pub(super) downloads: usize,
}

/// The files of one unit as they come.
pub(super) struct Files {
    engine: Arc<Engine>,
    store: TaskStore,
    session: Session,
    bent: Bent,
    downloads: usize,
    known: Vec<KnownFiles>,
    list: FileListBuilder,
    /// Downloads under way; dropped, they stop.
    coming: JoinSet<Result<Came, FetchFailure>>,
    here: Here,
    added: u64,
}

/// A file that came.
struct Came {
    path: RelativePath,
    file: Nameless,
}

impl Files {
    /// Begins a set of files, with lists of units of the repository.
    pub(super) async fn begin(plan: Plan<'_>, known: &[Sha256]) -> Result<Self, Error> {
        let blobs = &plan.engine.blobs;
        let own = plan.store.blobs_of_repository(plan.repo, known).await?;
        let mut lists = Vec::with_capacity(own.len());
        for list in known.iter().filter(|list| own.contains(list)) {
            let named = named(plan.store, *list).await?;
            match KnownFiles::open(blobs, *list, named).await {
                Ok(known) => lists.push(known),
                // What it had comes again.
                Err(error) if error.is_lost() => {
                    tracing::warn!(%error, %list, "a list of files is lost or damaged");
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self {
            engine: Arc::clone(plan.engine),
            store: plan.store.clone(),
            session: plan.session.clone(),
            bent: plan.bent.clone(),
            downloads: plan.downloads.clamp(1, 64),
            known: lists,
            list: FileListBuilder::new(blobs),
            coming: JoinSet::new(),
            here: Here::default(),
            added: 0,
        })
    }

    /// The file, when a known list has it.
    fn find(&self, wanted: &WantedFile) -> pith_blobs::Result<Option<KnownFile>> {
        let promised = wanted.digests.iter().find_map(Digest::as_sha256);
        if promised.is_none() && !wanted.is_named_by_content {
            return Ok(None);
        }
        for list in &self.known {
            let found = list.find(wanted.path.as_str())?.filter(|file| {
                promised.is_none_or(|sha256| sha256 == file.sha256)
                    && wanted.size.is_none_or(|size| size == file.size)
            });
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Takes a file over from a known list, where one has it.
    async fn take_over(&mut self, wanted: &WantedFile) -> pith_blobs::Result<bool> {
        let Some(file) = self.find(wanted)? else {
            return Ok(false);
        };
        if !self.list.take_over(wanted.path.clone(), &file).await? {
            tracing::warn!(path = %wanted.path, "a known file is lost or damaged");
            return Ok(false);
        }
        self.here.known += 1;
        self.count(file.size);
        Ok(true)
    }

    fn count(&mut self, size: u64) {
        self.here.files += 1;
        self.here.bytes += size;
    }

    /// Waits for the next download, and keeps what came; false when none is under way.
    async fn next(&mut self) -> Result<bool, Error> {
        let Some(came) = self.coming.join_next().await else {
            return Ok(false);
        };
        let Came { path, file } = came.map_err(Error::fault)?.map_err(fetch_error)?;
        let size = file.stored().size;
        self.list.add(path, file).await?;
        self.count(size);
        Ok(true)
    }

    async fn add(&mut self, wanted: WantedFile) -> Result<(), Error> {
        self.added += 1;
        if self.added > MOST_FILES {
            let text = format!("a unit has more than {MOST_FILES} files");
            return Err(ContentError::other(text).into());
        }
        if self.take_over(&wanted).await? {
            return Ok(());
        }
        while self.coming.len() >= self.downloads {
            self.next().await?;
        }
        let blobs = &self.engine.blobs;
        let also = wanted.digests.iter().map(Digest::algorithm).collect();
        let sink = BlobSink::new(blobs, also);
        let (session, bent) = (self.session.clone(), self.bent.clone());
        self.coming.spawn(download(session, bent, sink, wanted));
        Ok(())
    }

    async fn finish(mut self) -> Result<Source, Error> {
        while self.next().await? {}
        if self.added == 0 {
            return Err(ContentError::other("a unit of several files has none").into());
        }
        let blobs = &self.engine.blobs;
        let new = self.list.finish().await?;
        blobs.require_room()?;
        let whole = |size: u64| i64::try_from(size).map_err(Error::fault);
        let named = new.named.into_iter();
        let named = named.map(|(blob, size)| Ok((blob, whole(size)?)));
        let named: Vec<(Sha256, i64)> = named.collect::<Result<_, Error>>()?;
        let list = (new.list.sha256, whole(new.list.size)?);
        self.store.file_list_put(list, &named).await?;
        Ok(Source::Blob {
            sha256: new.list.sha256,
            size: new.list.size,
        })
    }
}

/// The blobs that a list is noted to name.
pub(super) async fn named(
    store: &pith_store::Store,
    list: Sha256,
) -> Result<Vec<(Sha256, u64)>, Error> {
    let named = store.file_list(list).await?.into_iter();
    let named = named.map(|(blob, size)| Ok((blob, u64::try_from(size).map_err(Error::fault)?)));
    named.collect()
}

async fn download(
    session: Session,
    bent: Bent,
    mut sink: BlobSink,
    wanted: WantedFile,
) -> Result<Came, FetchFailure> {
    let request = Request {
        expect_size: wanted.size,
        expect: wanted.digests,
        ..Request::new(wanted.urls, wanted.size.unwrap_or(wanted.max_size))
    };
    let first = request.urls.first().map(shown).unwrap_or_default();
    let fetched = session.get(request, &mut sink).await;
    note(&bent, &fetched.map_err(|error| failure(&error))?);
    let file = sink.nameless().await.map_err(|error| FetchFailure {
        kind: FetchFailureKind::Ours,
        ..unreachable_file(&first, &error.to_string())
    })?;
    Ok(Came {
        path: wanted.path,
        file,
    })
}

/// A failed download. One that is a fault of our own is no matter of the feed.
fn fetch_error(failure: FetchFailure) -> Error {
    match failure.kind {
        FetchFailureKind::Ours => Error::Fetch(failure),
        _ => ContentError::Fetch(failure).into(),
    }
}

#[async_trait]
impl FileSet for Files {
    async fn add(&mut self, file: WantedFile) -> Result<(), ContentError> {
        Ok(Self::add(self, file).await?)
    }

    fn here(&self) -> Here {
        self.here
    }

    async fn finish(self: Box<Self>) -> Result<Source, ContentError> {
        Ok(Self::finish(*self).await?)
    }
}
