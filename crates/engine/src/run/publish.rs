//! Running a publish: the platform's half (reference: platform-api §4.5, rpm §11.3; design §6).

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, TryStreamExt};
use parking_lot::Mutex;
use pith_blobs::{Blobs, KindRef, PublicationBuilder, SyncBlobWriter};
use pith_content::publish::{
    Distributor as Plugin, Entry, GeneratedFile, Mount, PublishContext, PublishReport, ReadSeek,
};
use pith_content::sync::RepoInfo;
use pith_content::unit::{RepoUnit, Select};
use pith_content::{Config, ContentError};
use pith_core::digest::Hashed;
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Algorithm, Clock, Document, MultiHasher, RelativePath, Sha256, Timestamp, UnitId};
use pith_store::{
    Distributor, History, HistoryKind, LastTx, NewMount, NewPublication, Repository, StoreError,
    UnitQuery,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::basis;
use super::retire::{LeftOut, index_of};
use super::subject::{blank_entry, document, failed_entry, info, not_installed, same_override};
use super::units;
use crate::error::{from_blobs, from_store, missing};
use crate::history;
use crate::worker::{Done, Failure, Run};

/// Runs `Job::Publish`.
pub(super) async fn run(
    run: Run,
    repo_id: String,
    distributor_id: Value,
    override_config: Value,
) -> Result<Done, Failure> {
    let engine = Arc::clone(&run.engine);
    let started = engine.clock.now();
    let gone = || {
        missing(&[
            ("repo_id", json!(repo_id)),
            ("distributor_id", distributor_id.clone()),
        ])
    };
    let id = distributor_id.as_str().ok_or_else(gone)?;
    let distributor = run
        .store
        .distributor_get(&repo_id, id)
        .await
        .map_err(from_store)?
        .ok_or_else(gone)?;
    let repo = run
        .store
        .repository_get(&repo_id)
        .await
        .map_err(from_store)?
        .ok_or_else(gone)?;
    let plugin = engine.registry.distributor(&distributor.type_id).cloned();
    let plugin = plugin.ok_or_else(|| not_installed("distributor", &distributor.type_id))?;
    let overriding = document("override_config", override_config)?;
    run.progress.set_key(&distributor.id);
    // Before anything of the content is read: what changes meanwhile is for the next publish.
    let content = run.store.content_state(&repo_id).await;
    let content = content.map_err(from_store)?.ok_or_else(gone)?;
    let config = Config::with_override(distributor.config.clone(), overriding.clone());
    let made_from = basis::of_publication(&repo, content, &*plugin, &config);
    let served_at = plugin.mounts(&repo_id, &config);
    let basis = (&made_from, served_at.as_slice());
    let made = match check_override(&*plugin, &distributor, &overriding) {
        // One that was taken once, by an older version, is no reason to skip.
        Err(error) => Err(error),
        Ok(()) => match skip_reason(&run, &distributor, &overriding, &config, basis).await? {
            Some(reason) => Ok(Made::nothing(reason)),
            None => {
                let made_from = (content.version, made_from);
                let made = publish(&run, &repo, &distributor, plugin, config, made_from);
                run.until_cancelled(made).await
            }
        },
    };
    let subject = Ended {
        run: &run,
        distributor: &distributor,
        overriding: &overriding,
        started,
    };
    let ended = match made {
        Ok(made) => subject.well(&made).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(done) => Ok(done),
        Err(ContentError::Cancelled) => Err(Failure::Cancelled),
        Err(error) => Err(subject.badly(error).await?),
    }
}

/// Refuses an override that the distributor would not take as its configuration: what is served now would be taken away. Keys
/// that it does not know have no effect, and paths of others are looked at when the publication is saved.
fn check_override(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    overriding: &Document,
) -> Result<(), ContentError> {
    let settings = plugin.descriptor().settings;
    let mut known = overriding.clone();
    known.retain(|key, _| settings.iter().any(|setting| setting.name == key.as_str()));
    if known.is_empty() {
        return Ok(());
    }
    let config = Config::with_override(distributor.config.clone(), known);
    plugin
        .validate(&distributor.repo_id, &config, &[])
        .map_err(ContentError::Other)?;
    check_protocols(plugin, distributor, &config)?;
    check_guard(plugin, distributor, &config)
}

/// Refuses an override that says otherwise than the stored settings who may read: it could not hold before and after the publish.
fn check_guard(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), ContentError> {
    let stored = plugin.guard(&Config::new(distributor.config.clone()));
    let asked = plugin.guard(asked);
    if asked == stored {
        return Ok(());
    }
    let setting = asked.or(stored).map_or("", |guard| guard.setting);
    Err(ContentError::other(format!(
        "[{setting}] says who may read what is published, which no override can change; save it in the distributor's settings"
    )))
}

/// Refuses an override that would have the publication served over a protocol that the stored settings do not serve it over.
fn check_protocols(
    plugin: &dyn Plugin,
    distributor: &Distributor,
    asked: &Config,
) -> Result<(), ContentError> {
    let stored = Config::new(distributor.config.clone());
    let mounts = |config: &Config| plugin.mounts(&distributor.repo_id, config);
    let (stored, asked) = (mounts(&stored), mounts(asked));
    let has = |mounts: &[Mount]| {
        let http = mounts.iter().any(|mount| mount.http);
        [http, mounts.iter().any(|mount| mount.https)]
    };
    let protocols = ["http", "https"]
        .into_iter()
        .zip(has(&asked))
        .zip(has(&stored));
    for ((protocol, is_asked), is_stored) in protocols {
        if is_asked && !is_stored {
            return Err(ContentError::other(format!(
                "the override asks for {protocol}, over which the settings of the distributor do not serve: change them first"
            )));
        }
    }
    Ok(())
}

/// The outcome of a publish.
struct Made {
    result: &'static str,
    report: PublishReport,
    publication: Option<(NewPublication, Vec<NewMount>, LeftOut)>,
}

impl Made {
    fn nothing(reason: &str) -> Self {
        let text = json!(format!("Skipped: {reason}"));
        Self {
            result: "skipped",
            report: PublishReport {
                summary: text.clone(),
                details: text,
            },
            publication: None,
        }
    }
}

/// A publish that has nothing more to write, and what it is about.
struct Ended<'a> {
    run: &'a Run,
    distributor: &'a Distributor,
    overriding: &'a Document,
    started: Timestamp,
}

impl Ended<'_> {
    /// Points all mounts at what was made, writes what a publish leaves behind, and ends the task: all or nothing.
    async fn well(&self, made: &Made) -> Result<Done, ContentError> {
        let entry = History {
            result: made.result.to_owned(),
            summary: made.report.summary.clone(),
            details: made.report.details.clone(),
            ..self.blank()
        };
        let entry = &entry;
        // Files that were deleted while they came back are looked for outside of the transaction.
        let write = move || async move { self.leave(made, entry).await }.boxed();
        let last = crate::files::saving(&self.run.engine, write).await;
        let last = last.map_err(ContentError::other)?;
        let last = last.ok_or(ContentError::Cancelled)?;
        let done = Done {
            result: history::result_json(HistoryKind::Publish, entry),
            ..Done::default()
        };
        self.run.finish(last, done).await
    }

    /// The transaction with all but the task's end; `None` when the task was cancelled.
    async fn leave(&self, made: &Made, entry: &History) -> pith_store::Result<Option<LastTx>> {
        let last = self.run.store.begin_last().await?;
        if last.is_canceled() {
            return Ok(None);
        }
        let Distributor {
            repo_id, id, oid, ..
        } = self.distributor;
        // Giving a repository a distributor is no task: another one may have taken this one's place.
        let present = last.distributor_get(repo_id, id).await?;
        if present.is_none_or(|present| present.oid != *oid) {
            return Err(StoreError::Missing {
                what: "distributor",
                id: id.clone(),
            });
        }
        if let Some((publication, mounts, left_out)) = &made.publication {
            let (pieces, now) = (left_out.pieces(), entry.completed);
            last.publication_commit(publication, mounts, pieces, now)
                .await?;
        }
        last.distributor_set_last_publish(repo_id, id, self.started, Some(self.overriding))
            .await?;
        last.history_add(HistoryKind::Publish, entry).await?;
        Ok(Some(last))
    }

    /// Writes what a publish that failed leaves behind, and ends the task. The failure.
    async fn badly(&self, error: ContentError) -> Result<Failure, Failure> {
        let failed = |error| Failure::Error(from_store(error));
        let last = self.run.store.begin_last().await.map_err(failed)?;
        let entry = failed_entry(&error, self.blank());
        last.history_add(HistoryKind::Publish, &entry)
            .await
            .map_err(failed)?;
        let Distributor { repo_id, id, .. } = self.distributor;
        let failure = match error {
            ContentError::Failed { summary, .. } => {
                let text = format!(
                    "The distributor {id} indicated a failed response when publishing repository {repo_id}."
                );
                let detail = ErrorDetail::new("PLP0034", text)
                    .with("distributor_id", id.as_str())
                    .with("repo_id", repo_id.as_str())
                    .with("summary", summary);
                Failure::Error(PulpError::coded(detail))
            }
            error => Failure::Error(error.into()),
        };
        Ok(self.run.fail(last, failure).await)
    }

    fn blank(&self) -> History {
        let Distributor {
            repo_id,
            id,
            type_id,
            ..
        } = self.distributor;
        let between = (self.started, self.run.engine.clock.now());
        blank_entry(repo_id, (id, type_id), between)
    }
}

/// Why nothing needs to be done (reference: platform-api §4.5): nothing of what the publication now served was made from
/// has changed, and it is served where it should be. Beside that the rules of Pulp hold, which look at times.
async fn skip_reason(
    run: &Run,
    distributor: &Distributor,
    overriding: &Document,
    config: &Config,
    (made_from, served_at): (&Document, &[Mount]),
) -> Result<Option<&'static str>, PulpError> {
    let Some(last_publish) = distributor.last_publish else {
        return Ok(None);
    };
    let same = config.flag("force_full") != Some(true)
        && distributor.last_updated <= last_publish
        && same_override(distributor.last_override.as_ref(), overriding);
    if !same {
        return Ok(None);
    }
    let published = run
        .store
        .publication_list(&distributor.repo_id, &distributor.id)
        .await
        .map_err(from_store)?;
    // Another distributor may be served in its place by now.
    let held = run.store.mounts_of(&distributor.repo_id, &distributor.id);
    let held = held.await.map_err(from_store)?;
    let is_held = |mount: &Mount| held.iter().any(|prefix| *prefix == mount.prefix.as_str());
    let newest = published.first();
    let newest = newest.filter(|newest| newest.made_from.as_ref() == Some(made_from));
    let current = match newest {
        // One that is lost cannot be served.
        Some(newest) if served_at.iter().all(is_held) => {
            let index = run.engine.blobs.size(newest.index_blob).await;
            index.map_err(|error| from_blobs(&error))?.is_some()
        }
        _ => false,
    };
    Ok(current.then_some("Repository content has not changed since last publish."))
}

async fn publish(
    run: &Run,
    repo: &Repository,
    distributor: &Distributor,
    plugin: Arc<dyn Plugin>,
    config: Config,
    (version, made_from): (i64, Document),
) -> Result<Made, ContentError> {
    let engine = &run.engine;
    let ctx = Context {
        run,
        repo: info(repo),
        distributor_id: distributor.id.clone(),
        index: Mutex::new(Index {
            builder: PublicationBuilder::new(&engine.blobs),
            paths: 0,
            bytes: 0,
        }),
        generated: Arc::default(),
        config,
    };
    let report = plugin.publish(&ctx).await?;
    let stored = Config::new(distributor.config.clone());
    let claimed = plugin.mounts(&repo.id, &stored);
    let is_claimed = |prefix: &RelativePath| claimed.iter().any(|mount| mount.prefix == *prefix);
    let mounts: Vec<NewMount> = plugin
        .mounts(&repo.id, &ctx.config)
        .into_iter()
        .map(|mount| NewMount {
            claimed: is_claimed(&mount.prefix),
            prefix: mount.prefix.to_string(),
            http: mount.http,
            https: mount.https,
        })
        .collect();
    let Index {
        builder,
        paths,
        bytes,
    } = ctx.index.into_inner();
    let index = builder.finish().await.map_err(ContentError::other)?;
    engine.blobs.durable().await.map_err(ContentError::other)?;
    let whole = |number: u64| i64::try_from(number).map_err(ContentError::other);
    let generated = std::mem::take(&mut *ctx.generated.lock());
    let blobs = generated
        .into_iter()
        .map(|(blob, size)| Ok((blob, whole(size)?)));
    let publication = NewPublication {
        repo_id: repo.id.clone(),
        distributor_id: distributor.id.clone(),
        index_blob: index.sha256,
        index_size: whole(index.size)?,
        repo_version: version,
        paths: whole(paths)?,
        bytes: whole(bytes)?,
        made_from,
        blobs: blobs.collect::<Result<_, ContentError>>()?,
    };
    let owner = (repo.id.as_str(), distributor.id.as_str());
    let left_out = LeftOut::of(run, &plugin, owner, index.sha256).await?;
    Ok(Made {
        result: "success",
        report,
        publication: Some((publication, mounts, left_out)),
    })
}

struct Index {
    builder: PublicationBuilder,
    paths: u64,
    bytes: u64,
}

struct Context<'a> {
    run: &'a Run,
    repo: RepoInfo,
    distributor_id: String,
    config: Config,
    index: Mutex<Index>,
    generated: Arc<Mutex<Vec<(Sha256, u64)>>>,
}

#[async_trait]
impl PublishContext for Context<'_> {
    fn repo(&self) -> &RepoInfo {
        &self.repo
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn distributor_id(&self) -> &str {
        &self.distributor_id
    }

    fn clock(&self) -> &dyn Clock {
        &*self.run.engine.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.run.cancel
    }

    async fn count(&self, type_id: &str) -> Result<u64, ContentError> {
        let query = UnitQuery {
            type_ids: vec![type_id],
            repo: Some(&self.repo.id),
            ..UnitQuery::default()
        };
        let count = self
            .run
            .store
            .units_count(&query)
            .await
            .map_err(ContentError::other)?;
        u64::try_from(count).map_err(ContentError::other)
    }

    async fn units(
        &self,
        select: Select,
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        units::present(&self.run.store, &self.repo.id, &select)
    }

    async fn outline(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<BoxStream<'_, Result<Vec<RepoUnit>, ContentError>>, ContentError> {
        units::outline(&self.run.store, &self.repo.id, type_id, fields)
    }

    async fn pick(&self, select: Select, ids: &[UnitId]) -> Result<Vec<RepoUnit>, ContentError> {
        let store = &self.run.store;
        let units = store
            .units_pick(select.type_id, ids, select.fields, select.parts)
            .await
            .map_err(ContentError::other)?;
        Ok(units::to_repo_units(units, select.parts))
    }

    async fn add(
        &self,
        path: RelativePath,
        entry: Entry,
        modified: Timestamp,
    ) -> Result<(), ContentError> {
        let mtime = modified.as_second();
        let entry = match entry {
            Entry::Blob { sha256, size } => pith_blobs::Entry::blob(sha256, size, mtime),
            Entry::Deferred { unit, sha256, size } => {
                pith_blobs::Entry::source(unit.0.into_bytes(), sha256, size, mtime)
            }
            Entry::Inline(bytes) => pith_blobs::Entry::inline(bytes, mtime),
        };
        let mut index = self.index.lock();
        index.paths += 1;
        index.bytes += entry.size;
        index.builder.add(path, entry).map_err(ContentError::other)
    }

    async fn previous(
        &self,
        prefix: &str,
    ) -> Result<Vec<(RelativePath, Entry, Timestamp)>, ContentError> {
        let store = &self.run.store;
        let list = store
            .publication_list(&self.repo.id, &self.distributor_id)
            .await
            .map_err(ContentError::other)?;
        let Some(newest) = list.first() else {
            return Ok(Vec::new());
        };
        let Some(index) = index_of(self.run, newest).await? else {
            return Ok(Vec::new());
        };
        let mut found = Vec::new();
        for entry in index.iter() {
            let entry = match entry {
                Err(error) if error.is_lost() => {
                    tracing::warn!(%error, "the last publication is damaged: publishing as if there were none");
                    return Ok(Vec::new());
                }
                entry => entry.map_err(ContentError::other)?,
            };
            if !entry.path.starts_with(prefix) {
                continue;
            }
            let kind = match entry.kind {
                KindRef::Blob(sha256) => {
                    let there = self.run.engine.blobs.size(sha256).await;
                    if there.map_err(ContentError::other)?.is_none() {
                        tracing::warn!(%sha256, path = entry.path, "a file of the last publication is lost");
                        continue;
                    }
                    let size = entry.size;
                    Entry::Blob { sha256, size }
                }
                KindRef::Inline(bytes) => Entry::Inline(bytes::Bytes::copy_from_slice(bytes)),
                KindRef::Source { .. } => continue,
            };
            let path = RelativePath::new(entry.path).map_err(ContentError::other)?;
            let modified = Timestamp::from_second(entry.mtime).map_err(ContentError::other)?;
            found.push((path, kind, modified));
        }
        Ok(found)
    }

    async fn open(&self, blob: Sha256) -> Result<Box<dyn ReadSeek>, ContentError> {
        let file = self.run.engine.blobs.open_document(blob).await;
        Ok(Box::new(file.map_err(ContentError::other)?))
    }

    async fn digest(&self, blob: Sha256, algorithm: Algorithm) -> Result<String, ContentError> {
        let mut bytes = self.run.engine.blobs.read(blob, None);
        let mut hasher = MultiHasher::new(&[algorithm]);
        while let Some(piece) = bytes.try_next().await.map_err(ContentError::other)? {
            hasher.update(&piece);
        }
        let digest = hasher.finish().hex(algorithm);
        digest.ok_or_else(|| ContentError::other(format!("{algorithm} was not computed")))
    }

    async fn learn(
        &self,
        type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        units::learn(&self.run.store, type_id, field, &values).await
    }

    fn file(&self, also: &[Algorithm]) -> Result<Box<dyn GeneratedFile>, ContentError> {
        let writer = writer(&self.run.engine.blobs, also);
        Ok(Box::new(Generated {
            writer,
            generated: Arc::clone(&self.generated),
        }))
    }

    fn progress(&self, report: Value) {
        self.run.progress.report(report);
    }
}

fn writer(blobs: &Blobs, also: &[Algorithm]) -> SyncBlobWriter {
    blobs.sync_writer(also)
}

struct Generated {
    writer: SyncBlobWriter,
    generated: Arc<Mutex<Vec<(Sha256, u64)>>>,
}

impl io::Write for Generated {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl GeneratedFile for Generated {
    fn finish(self: Box<Self>) -> io::Result<Hashed> {
        let stored = self.writer.finish().map_err(io::Error::other)?;
        self.generated.lock().push((stored.sha256, stored.size));
        Ok(stored)
    }
}
