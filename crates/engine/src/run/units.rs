//! Units between the store's form and the seam's.

use futures::StreamExt;
use futures::stream::BoxStream;
use pith_content::ContentError;
use pith_content::unit::{RepoUnit, Select};
use pith_core::TaskId;
use pith_store::{BatchStream, Store, StreamedUnit, UnitQuery};

/// A stream of units as types read it.
pub(crate) type UnitStream = BoxStream<'static, Result<Vec<RepoUnit>, ContentError>>;

fn query<'a>(repo: &'a str, select: &Select) -> UnitQuery<'a> {
    UnitQuery {
        type_ids: vec![select.type_id],
        repo: Some(repo),
        sort: select.sort.iter().map(|field| (*field, false)).collect(),
        parts: select.parts.to_vec(),
        fields: select.fields.map(<[&str]>::to_vec),
        ..UnitQuery::default()
    }
}

/// What the repository has.
pub(crate) fn present(
    store: &Store,
    repo: &str,
    select: &Select,
) -> Result<UnitStream, ContentError> {
    let stream = store
        .units_stream(&query(repo, select))
        .map_err(ContentError::other)?;
    Ok(converted(stream, select.parts))
}

/// What the repository will have when `task` commits.
pub(crate) fn after(
    store: &Store,
    task: TaskId,
    repo: &str,
    select: &Select,
) -> Result<UnitStream, ContentError> {
    let stream = store
        .units_stream_after(task, &query(repo, select))
        .map_err(ContentError::other)?;
    Ok(converted(stream, select.parts))
}

fn converted(stream: BatchStream<StreamedUnit>, parts: &'static [&'static str]) -> UnitStream {
    let convert = move |batch: Vec<StreamedUnit>| {
        batch
            .into_iter()
            .map(|unit| to_repo_unit(unit, parts))
            .collect()
    };
    stream
        .map(move |batch| batch.map(convert).map_err(ContentError::other))
        .boxed()
}

fn to_repo_unit(streamed: StreamedUnit, wanted: &[&str]) -> RepoUnit {
    let mut parts: Vec<Option<bytes::Bytes>> = vec![None; wanted.len()];
    for part in streamed.parts {
        if let Some(index) = wanted.iter().position(|name| *name == part.name) {
            parts[index] = Some(part.data.into());
        }
    }
    let unit = streamed.unit;
    RepoUnit {
        id: unit.id,
        doc: unit.doc,
        blob: unit.blob.filter(|_| unit.downloaded),
        promised: unit.blob.filter(|_| !unit.downloaded),
        size: unit.size.and_then(|size| u64::try_from(size).ok()),
        downloaded: unit.downloaded,
        updated: streamed.updated.unwrap_or(unit.last_updated),
        parts,
    }
}

/// Stages the removal of `units`.
pub(crate) async fn remove(
    store: &Store,
    task: TaskId,
    type_id: &'static str,
    units: Vec<pith_core::UnitId>,
) -> Result<(), ContentError> {
    if units.is_empty() {
        return Ok(());
    }
    let units: Vec<_> = units.into_iter().map(|id| (id, type_id)).collect();
    store
        .stage_remove(task, &units)
        .await
        .map_err(ContentError::other)
}
