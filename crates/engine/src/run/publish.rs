//! Running a publish: the platform's half (pulp2/sync-and-publish#publish, pulp2/sync-and-publish#skipped-publishes).

mod claim;
pub(super) mod context;
mod images;
pub(super) mod outgoing;
pub(super) mod output;
mod overrides;
mod predistributor;
mod send;
mod share;

use std::sync::Arc;

use futures::FutureExt;
use pith_blobs::TreeWriter;
use pith_content::publish::{Distributor as Plugin, Mount, PublishReport, Shared};
use pith_content::{Config, ContentError};
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Document, RelativePath, Sha256, Timestamp};
use pith_store::{
    ContentState, Distributor, History, HistoryKind, KeyRecord, LastTx, NewMount, NewPublication,
    Repository, StoreError,
};
use serde_json::json;

use self::context::Context;
use self::outgoing::{Outgoing, Publisher};
use self::output::Output;
use self::overrides::check_override;
use self::predistributor::Predistributor;
use self::send::Sending;
use self::share::share;
use super::EntryDocument;
use super::basis;
use super::retire::{LeftOut, index_of};
use super::subject::{blank_entry, document, failed_entry, info, not_installed, same_override};
use crate::attempt::{Done, Run};
use crate::error::{Error, missing};
use crate::jobs::PublishRepository;

/// Runs a [`PublishRepository`].
pub(crate) async fn run(
    run: Run,
    job: PublishRepository,
    document_of: EntryDocument,
) -> Result<Done, Error> {
    let PublishRepository {
        repo_id,
        distributor_id,
        override_config,
    } = job;
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
        .await?
        .ok_or_else(gone)?;
    let repo = run.store.repository_get(&repo_id).await?.ok_or_else(gone)?;
    let plugin = engine.registry.distributor(&distributor.type_id).cloned();
    let plugin = plugin.ok_or_else(|| not_installed("distributor", &distributor.type_id))?;
    let overriding = document("override_config", override_config)?;
    run.progress.set_key(&distributor.id);
    // Before anything of the content is read: what changes meanwhile is for the next publish.
    let content = run.store.content_state(&repo_id).await;
    let content = content?.ok_or_else(gone)?;
    let wanted = Wanted {
        repo: &repo,
        distributor: &distributor,
        plugin,
        overriding: &overriding,
        content,
    };
    let made = wanted.made(&run).await;
    let subject = Ended {
        run: &run,
        distributor: &distributor,
        overriding: &overriding,
        started,
    };
    let ended = match made {
        Ok(made) => subject.well(made, document_of).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(done) => Ok(done),
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(error) => Err(subject.badly(error).await?),
    }
}

/// A publish that somebody wants.
struct Wanted<'a> {
    repo: &'a Repository,
    distributor: &'a Distributor,
    plugin: Arc<dyn Plugin>,
    overriding: &'a Document,
    /// The content as it was when the publish began.
    content: ContentState,
}

impl Wanted<'_> {
    /// Makes what is to be served, unless that is there already.
    async fn made(self, run: &Run) -> Result<Made, Error> {
        let Self {
            repo,
            distributor,
            plugin,
            overriding,
            content,
        } = self;
        let config = Config::with_override(distributor.config.clone(), overriding.clone());
        // One that was taken once, by an older version, is no reason to skip.
        match source_of(run, &*plugin, distributor, overriding, &config).await? {
            Source::Shared(shared) => {
                let force = config.flag("force_full") == Some(true);
                let made = share(run, repo, &shared, (content.version, force));
                run.until_cancelled(made).await
            }
            Source::Own(key, before) => {
                let mut made_from =
                    basis::of_publication(repo, content, &*plugin, &config, key.as_ref());
                let before = before.as_deref();
                let has_some = before.is_none_or(|before| before.note_in(&mut made_from));
                let served_at = plugin.mounts(&repo.id, &config);
                let basis = (&made_from, served_at.as_slice());
                if !has_some || is_unchanged(run, distributor, overriding, &config, basis).await? {
                    return Ok(before
                        .map_or_else(Made::unchanged, |before| Made::skipped(&before.skipped())));
                }
                let made_from = (content.version, made_from);
                let subject = (repo, distributor);
                let made = publish(run, subject, plugin, (config, key, before), made_from);
                run.until_cancelled(made).await
            }
        }
    }
}

/// The place that a publication comes from.
enum Source {
    /// Another distributor has made it.
    Shared(Shared),
    /// It is made of the repository, or of what another of its distributors has published, and signed with this key.
    Own(Option<KeyRecord>, Option<Box<Predistributor>>),
}

/// The place that the publication comes from, once the override has been looked at.
async fn source_of(
    run: &Run,
    plugin: &dyn Plugin,
    distributor: &Distributor,
    overriding: &Document,
    config: &Config,
) -> Result<Source, Error> {
    check_override(run, plugin, distributor, overriding).await?;
    if let Some(shared) = plugin.shares(config)? {
        return Ok(Source::Shared(shared));
    }
    let own = (distributor.repo_id.as_str(), distributor.id.as_str());
    let before = Predistributor::of(run, own, plugin, config).await?;
    let key = match plugin.signing_key(config) {
        None => None,
        Some(choice) => Some(run.engine.signing_key(&run.store, &choice).await?),
    };
    Ok(Source::Own(key, before.map(Box::new)))
}

/// The outcome of a publish.
struct Made {
    result: &'static str,
    report: PublishReport,
    publication: Option<(NewPublication, Vec<NewMount>, LeftOut)>,
    /// Trees that are written beside their places.
    exported: Option<TreeWriter>,
}

impl Made {
    /// The outcome where nothing needs to be done.
    fn unchanged() -> Self {
        Self::skipped("Skipped: Repository content has not changed since last publish.")
    }

    /// The outcome where nothing is done, and why.
    fn skipped(reason: &str) -> Self {
        let text = json!(reason);
        Self {
            result: "skipped",
            report: PublishReport {
                summary: text.clone(),
                details: text,
            },
            publication: None,
            exported: None,
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
    async fn well(&self, mut made: Made, document_of: EntryDocument) -> Result<Done, Error> {
        // Before the end is written: whoever reads that a publish went well finds the trees in their places.
        if let Some(trees) = made.exported.take() {
            output::swap(trees).await?;
        }
        let made = &made;
        let entry = History {
            result: made.result.to_owned(),
            summary: made.report.summary.clone(),
            details: made.report.details.clone(),
            ..self.blank()
        };
        let entry = &entry;
        // Files that were deleted while they came back are looked for outside of the transaction.
        let write = move || async move { self.leave(made, entry).await }.boxed();
        let last = crate::files::saving(&self.run.engine, write).await?;
        let last = last.ok_or(Error::Cancelled)?;
        let done = Done {
            result: document_of(HistoryKind::Publish, entry),
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
    async fn badly(&self, error: Error) -> Result<Error, Error> {
        let last = self.run.store.begin_last().await?;
        let entry = failed_entry(&error, self.blank());
        last.history_add(HistoryKind::Publish, &entry).await?;
        let Distributor { repo_id, id, .. } = self.distributor;
        let failure = match error {
            Error::Content(ContentError::Failed { summary, .. }) => {
                let text = format!(
                    "The distributor {id} indicated a failed response when publishing repository {repo_id}."
                );
                let detail = ErrorDetail::new("PLP0034", text)
                    .with("distributor_id", id.as_str())
                    .with("repo_id", repo_id.as_str())
                    .with("summary", summary);
                PulpError::coded(detail).into()
            }
            error => error,
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

/// Tells whether nothing needs to be done (pulp2/sync-and-publish#skipped-publishes): nothing of what the publication now served
/// was made from has changed, and it is served where it should be. Besides, the rules of Pulp hold, which look at times.
async fn is_unchanged(
    run: &Run,
    distributor: &Distributor,
    overriding: &Document,
    config: &Config,
    (made_from, served_at): (&Document, &[Mount]),
) -> Result<bool, Error> {
    let Some(last_publish) = distributor.last_publish else {
        return Ok(false);
    };
    let same = config.flag("force_full") != Some(true)
        && distributor.last_updated <= last_publish
        && same_override(distributor.last_override.as_ref(), overriding);
    if !same {
        return Ok(false);
    }
    let owner = (distributor.repo_id.as_str(), distributor.id.as_str());
    is_served(run, owner, made_from, served_at).await
}

/// Tells whether the newest publication of a distributor was made from just this, and is served at these places.
async fn is_served(
    run: &Run,
    (repo_id, id): (&str, &str),
    made_from: &Document,
    served_at: &[Mount],
) -> Result<bool, Error> {
    let published = run.store.publication_list(repo_id, id).await?;
    // Another distributor may be served in its place by now.
    let held = run.store.mounts_of(repo_id, id).await?;
    let is_held = |mount: &Mount| held.iter().any(|prefix| *prefix == mount.prefix.as_str());
    let newest = published.first();
    let newest = newest.filter(|newest| newest.made_from.as_ref() == Some(made_from));
    match newest {
        // One that is lost cannot be served.
        Some(newest) if served_at.iter().all(is_held) => {
            Ok(run.engine.blobs.size(newest.index_blob).await?.is_some())
        }
        _ => Ok(false),
    }
}

/// Makes sure that a publication is mounted below the roots of its family: elsewhere nobody would find it.
pub(super) fn require_roots(
    run: &Run,
    type_id: &str,
    mounts: &[Mount],
) -> Result<(), ContentError> {
    let roots = run.engine.registry.roots_of(type_id);
    let is_outside = |mount: &&Mount| !roots.iter().any(|root| root.holds(mount.prefix.as_str()));
    match mounts.iter().find(is_outside) {
        None => Ok(()),
        Some(mount) => Err(ContentError::other(format!(
            "'{}' is below no root of the distributor type {type_id}",
            mount.prefix
        ))),
    }
}

/// The mounts of a publish; `claimed` are those that the stored settings give.
pub(super) fn new_mounts(mounts: Vec<Mount>, claimed: &[Mount]) -> Vec<NewMount> {
    let is_claimed = |prefix: &RelativePath| claimed.iter().any(|mount| mount.prefix == *prefix);
    let mounts = mounts.into_iter().map(|mount| NewMount {
        claimed: is_claimed(&mount.prefix),
        prefix: mount.prefix.to_string(),
        http: mount.http,
        https: mount.https,
    });
    mounts.collect()
}

async fn publish(
    run: &Run,
    (repo, distributor): (&Repository, &Distributor),
    plugin: Arc<dyn Plugin>,
    (config, key, before): (Config, Option<KeyRecord>, Option<&Predistributor>),
    (version, made_from): (i64, Document),
) -> Result<Made, Error> {
    let engine = &run.engine;
    let output = Output::new(engine);
    let folder = plugin.export_folder(&config);
    let signer = match &key {
        Some(key) => Some(engine.signer(&run.store, key).await?),
        None => None,
    };
    let info = info(repo);
    let passed_on = match before {
        Some(before) => before.published(run).await?,
        None => None,
    };
    let sending = match before.and_then(|before| before.claim.as_ref()) {
        Some(claim) => {
            claim.require(run, distributor).await?;
            sending(run, distributor, &*plugin, &config, &made_from).await?
        }
        None => None,
    };
    let out = Outgoing {
        run,
        publisher: Publisher::Repository(&repo.id, &distributor.id),
        config: &config,
        output: &output,
        folder: folder.as_ref(),
        sending: sending.as_ref(),
        signer: signer.as_ref(),
    };
    let is_passed_on = passed_on.is_some();
    let ctx = Context::new(&info, &distributor.id, out).passing_on(passed_on.as_ref());
    let stored = Config::new(distributor.config.clone());
    let claimed = plugin.mounts(&repo.id, &stored);
    require_roots(run, &distributor.type_id, &claimed)?;
    let report = plugin.publish(&ctx).await?;
    let served = match folder {
        Some(_) => claimed.clone(),
        None => plugin.mounts(&repo.id, &config),
    };
    let mounts = new_mounts(served, &claimed);
    let mut output = output.finish().await?;
    if output.exported.is_some() && output.paths == 0 {
        // What is served has not been made again.
        return Ok(Made {
            result: "success",
            report,
            publication: None,
            exported: output.exported,
        });
    }
    let exported = output.exported.take();
    let kept = match is_passed_on {
        // Those of the other publication may go with it.
        true => Some(predistributor::kept(run, &repo.id, output.index.sha256).await?),
        false => None,
    };
    let publication = of_output((repo, distributor), output, kept, (version, made_from))?;
    let owner = (repo.id.as_str(), distributor.id.as_str());
    let left_out = match sending {
        // Nobody reads here what was sent there.
        Some(_) => LeftOut::default(),
        None => LeftOut::of(run, &plugin, owner, publication.index_blob).await?,
    };
    Ok(Made {
        result: "success",
        report,
        publication: Some((publication, mounts, left_out)),
        exported,
    })
}

/// A publication as it is saved. `blobs` are those that it needs beside what it lists, where not those that were made for it.
fn of_output(
    (repo, distributor): (&Repository, &Distributor),
    output: output::Made,
    blobs: Option<Vec<(Sha256, i64)>>,
    (repo_version, made_from): (i64, Document),
) -> Result<NewPublication, Error> {
    let whole = |number: u64| i64::try_from(number).map_err(Error::fault);
    let blobs = match blobs {
        Some(blobs) => blobs,
        None => {
            let made = output.generated.into_iter();
            let made = made.map(|(blob, size)| Ok((blob, whole(size)?)));
            made.collect::<Result<_, Error>>()?
        }
    };
    Ok(NewPublication {
        repo_id: repo.id.clone(),
        distributor_id: distributor.id.clone(),
        index_blob: output.index.sha256,
        index_size: whole(output.index.size)?,
        repo_version,
        paths: whole(output.paths)?,
        bytes: whole(output.bytes)?,
        made_from,
        blobs,
    })
}

/// The way to the other machine that the settings name, and what it has by the last publish with the same settings.
async fn sending(
    run: &Run,
    distributor: &Distributor,
    plugin: &dyn Plugin,
    config: &Config,
    made_from: &Document,
) -> Result<Option<Sending>, Error> {
    let Some(remote) = plugin.remote(config) else {
        return Ok(None);
    };
    let (repo_id, id) = (&distributor.repo_id, &distributor.id);
    let published = run.store.publication_list(repo_id, id).await?;
    let settings = |made_from: &Document| made_from.get(basis::CONFIG).cloned();
    let last = published.first().filter(|last| {
        let before = last.made_from.as_ref();
        before.is_some_and(|before| settings(before) == settings(made_from))
    });
    let last = match last {
        Some(last) => index_of(run, last).await?,
        None => None,
    };
    // From here on things change there. Should this not end well, nobody knows what is there.
    if let Some(newest) = published.first() {
        let known = claim::in_doubt(newest.made_from.as_ref());
        run.store.publication_doubt(newest.id, &known).await?;
    }
    Ok(Some(Sending::new(&run.engine, remote, last, &run.cancel)))
}
