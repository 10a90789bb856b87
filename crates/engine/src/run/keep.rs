//! Copies over units that the destination has under the same key: the words are those of the source; the file, where it can be
//! had, and what clients noted stay the destination's.

use pith_core::Document;
use pith_core::error::PulpError;
use pith_store::{FileSource, NewUnit, Replacement, TaskStore, Unit};
use serde_json::Value;

use super::learn::joined;
use super::said::{USER_METADATA, keep_user_metadata};
use crate::Engine;
use crate::error::from_store;
use crate::upstream::own_site;

/// Sees to it that a copy takes nothing away from `repo` that is not said anew.
pub(super) async fn own(engine: &Engine, store: &TaskStore, repo: &str) -> Result<(), PulpError> {
    store.stage_settle(repo).await.map_err(from_store)?;
    let mut after = None;
    loop {
        let page = store.staged_replacements(after).await;
        let page = page.map_err(from_store)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.old);
        let (same, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|one| one.is_same);
        let same: Vec<_> = same
            .iter()
            .map(|one| (one.old, one.type_id.as_str()))
            .collect();
        store.stage_add(&same).await.map_err(from_store)?;
        for one in &others {
            join(engine, store, repo, one).await?;
        }
    }
}

/// Stages a unit of the words of one and the file of the other.
async fn join(
    engine: &Engine,
    store: &TaskStore,
    repo: &str,
    one: &Replacement,
) -> Result<(), PulpError> {
    let type_id = one.type_id.as_str();
    let get = async |id| store.unit_get(type_id, id).await.map_err(from_store);
    let (Some(mut new), Some(old)) = (get(one.new).await?, get(one.old).await?) else {
        return Ok(());
    };
    let before = new.doc.clone();
    keep_user_metadata(&old.doc, &mut new.doc);
    let kind = engine.registry.unit_type(type_id);
    let has_file = kind.is_some_and(|kind| kind.file_backed);
    let is_one_file = new.blob.is_none() || old.blob.is_none() || new.blob == old.blob;
    if new.doc == before && !(has_file && is_one_file) {
        return Ok(());
    }
    let family = engine.registry.content_type_of(type_id);
    for field in family.map_or(&[] as &[&str], |family| family.learned_fields(type_id)) {
        if let Some(value) = joined(new.doc.get(*field), old.doc.get(*field)) {
            new.doc.insert((*field).to_owned(), value);
        }
    }
    let parts = store.unit_every_part(one.new).await.map_err(from_store)?;
    let parts = parts.into_iter().map(|part| (part.name, part.data));
    let is_old = has_file && is_one_file && old.downloaded;
    let file: &Unit = if is_old { &old } else { &new };
    let unit = NewUnit {
        type_id: one.type_id.clone(),
        key_digest: one.key_digest,
        said: one.said,
        // Its own: what came for others is theirs.
        site: own_site(repo),
        blob: file.blob,
        size: file.size,
        downloaded: file.downloaded,
        doc: new.doc.clone(),
        parts: parts.collect(),
    };
    let saved = store.units_save_staged(&[unit], &[]).await;
    let saved = saved.map_err(from_store)?[0];
    if !saved.new {
        // From an earlier copy, with what was noted then.
        let nothing = Value::Object(Document::new());
        let noted = new.doc.get(USER_METADATA).unwrap_or(&nothing);
        let set = store.unit_set_user_metadata(type_id, saved.id, noted).await;
        set.map_err(from_store)?;
    }
    let mut sources: Vec<FileSource> = Vec::new();
    for id in [one.old, one.new] {
        sources.extend(store.sources_of(id, "").await.map_err(from_store)?);
    }
    for source in &mut sources {
        source.unit = saved.id;
    }
    // The destination's own entry is to count where both have one.
    sources.reverse();
    store.sources_put(&sources).await.map_err(from_store)
}
