//! Publishing in one repository what a distributor of another has published: the index is shared, nothing is made.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use pith_blobs::{EntryKindRef, Publication as Index};
use pith_content::publish::{Distributor as Plugin, PublishReport, Shared};
use pith_content::{Config, ContentError};
use pith_core::{Document, Sha256};
use pith_store::{Distributor, NewPublication, Publication, Repository};
use serde_json::{Value, json};

use super::{Made, is_served, new_mounts, require_roots};
use crate::attempt::Run;
use crate::error::{Error, missing};
use crate::run::basis::SIGNED_BY;
use crate::run::retire::LeftOut;

/// Files looked up at once.
const PIECE: usize = 500;

/// Makes the publication of `shared` one of the destination in `repo`, at the paths of its stored settings. `force` publishes it
/// though it is served already.
pub(super) async fn share(
    run: &Run,
    repo: &Repository,
    shared: &Shared,
    (version, force): (i64, bool),
) -> Result<Made, Error> {
    let destination = distributor(run, &repo.id, &shared.destination).await?;
    let newest = published(run, shared, &destination.type_id).await?;
    let plugin = run.engine.registry.distributor(&destination.type_id);
    let plugin = plugin.ok_or_else(|| Error::fault("the destination's type is not installed"))?;
    let mounts = plugin.mounts(&repo.id, &Config::new(destination.config.clone()));
    require_roots(run, &destination.type_id, &mounts)?;
    require_signed(run, &**plugin, &destination, (shared, &newest)).await?;
    let made_from = basis(shared, &newest);
    if !force && is_served(run, (&repo.id, &destination.id), &made_from, &mounts).await? {
        return Ok(Made::unchanged());
    }
    let index = Index::open(&run.engine.blobs, newest.index_blob).await?;
    let index_size = run.engine.blobs.size(newest.index_blob).await?;
    let publication = NewPublication {
        repo_id: repo.id.clone(),
        distributor_id: destination.id.clone(),
        index_blob: newest.index_blob,
        index_size: i64::try_from(index_size.unwrap_or_default()).map_err(Error::fault)?,
        repo_version: version,
        paths: newest.paths,
        bytes: newest.bytes,
        made_from,
        blobs: foreign(run, &repo.id, &index).await?,
    };
    let mounts = new_mounts(mounts.clone(), &mounts);
    let owner = (repo.id.as_str(), destination.id.as_str());
    let left_out = LeftOut::of(run, plugin, owner, newest.index_blob).await?;
    let report = json!({"errors": []});
    run.progress.report(report.clone());
    Ok(Made {
        result: "success",
        report: PublishReport {
            summary: report,
            details: json!({}),
        },
        publication: Some((publication, mounts, left_out)),
        exported: None,
    })
}

/// The newest publication of the source, which must be of the type of the destination.
async fn published(run: &Run, shared: &Shared, type_id: &str) -> Result<Publication, Error> {
    let source = distributor(run, &shared.repo_id, &shared.distributor_id).await?;
    if source.type_id != type_id {
        let theirs = source.type_id;
        let text = format!("what a {theirs} has published cannot be served by a {type_id}");
        return Err(ContentError::other(text).into());
    }
    let published = run
        .store
        .publication_list(&source.repo_id, &source.id)
        .await?;
    published.into_iter().next().ok_or_else(|| {
        let Shared {
            repo_id,
            distributor_id,
            ..
        } = shared;
        let text = format!(
            "the distributor {distributor_id} of repository {repo_id} has published nothing"
        );
        ContentError::other(text).into()
    })
}

pub(super) async fn distributor(run: &Run, repo_id: &str, id: &str) -> Result<Distributor, Error> {
    let found = run.store.distributor_get(repo_id, id).await?;
    found.ok_or_else(|| missing(&[("repo_id", json!(repo_id)), ("distributor_id", json!(id))]))
}

/// Refuses a publication that the settings of the destination want signed, and that their key did not sign: clients which ask for
/// signatures would find none, or those of somebody else.
async fn require_signed(
    run: &Run,
    plugin: &dyn Plugin,
    destination: &Distributor,
    (shared, newest): (&Shared, &Publication),
) -> Result<(), Error> {
    let Some(choice) = plugin.signing_key(&Config::new(destination.config.clone())) else {
        return Ok(());
    };
    let wanted = run.engine.signing_key(&run.store, &choice).await?;
    let by = signed_by(newest).and_then(Value::as_str);
    if by == Some(wanted.fingerprint.as_str()) {
        return Ok(());
    }
    let is = match by {
        Some(by) => format!("is signed with {by}"),
        None => "is not signed".to_owned(),
    };
    let text = format!(
        "the settings of {} want metadata that '{}' signed, and what {} of repository {} has published {is}: have that signed with the \
         same key and published again first",
        destination.id, wanted.name, shared.distributor_id, shared.repo_id
    );
    Err(ContentError::other(text).into())
}

/// The fingerprint of the key that signed a publication.
fn signed_by(publication: &Publication) -> Option<&Value> {
    publication.made_from.as_ref()?.get(SIGNED_BY)
}

/// All that the publication is made from.
fn basis(shared: &Shared, newest: &Publication) -> Document {
    let clone = json!({
        "repo_id": shared.repo_id, "distributor_id": shared.distributor_id, "index": newest.index_blob.to_string(),
    });
    let mut basis = Document::from_iter([("clone_of".to_owned(), clone)]);
    basis.extend(signed_by(newest).map(|key| (SIGNED_BY.to_owned(), key.clone())));
    basis
}

/// The files of an index that are no files of the repository's own units: the publication must keep them.
pub(super) async fn foreign(
    run: &Run,
    repo_id: &str,
    index: &Index,
) -> Result<Vec<(Sha256, i64)>, Error> {
    let whole = |size: u64| i64::try_from(size).map_err(Error::fault);
    let (mut files, mut packs) = (Vec::new(), BTreeSet::new());
    for entry in index.iter() {
        let entry = entry?;
        match entry.kind {
            EntryKindRef::Blob(sha256) => files.push((sha256, whole(entry.size)?)),
            EntryKindRef::Slice(slice) => {
                packs.insert(slice.blob);
            }
            EntryKindRef::Inline(_) | EntryKindRef::Source { .. } | EntryKindRef::Redirect(_) => {}
        }
    }
    for pack in packs {
        let size = run.engine.blobs.size(pack).await?;
        files.push((pack, whole(size.unwrap_or_default())?));
    }
    files.sort_unstable();
    files.dedup();
    let pieces = futures::stream::iter(files.chunks(PIECE).map(Ok::<_, Error>));
    let foreign = pieces.try_fold(Vec::new(), |mut foreign, piece| async move {
        let digests: Vec<Sha256> = piece.iter().map(|(digest, _)| *digest).collect();
        let own = run.store.blobs_of_repository(repo_id, &digests).await?;
        foreign.extend(piece.iter().filter(|(digest, _)| !own.contains(digest)));
        Ok(foreign)
    });
    foreign.await
}
