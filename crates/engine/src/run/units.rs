//! Units between the store's form and the seam's.

use futures::StreamExt;
use pith_content::outline::Fields;
use pith_content::repository::{Outlines, Units};
use pith_content::unit::{OneOf, RepoUnit, Select};
use pith_store::{BatchStream, FieldTexts, Store, StreamedUnit, TaskStore, UnitQuery};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::error::{Error, platform};

/// Returns what `select` asks of the database.
pub(crate) fn query<'a>(repo: Option<&'a str>, select: &Select) -> UnitQuery<'a> {
    UnitQuery {
        type_ids: vec![select.type_id],
        repo,
        equals: select.only.iter().map(texts).collect(),
        sort: select.sort.iter().map(|field| (*field, false)).collect(),
        parts: select.parts.to_vec(),
        fields: select.fields.map(<[&str]>::to_vec),
        ..UnitQuery::default()
    }
}

/// The texts of which a field is to be one, as the database is asked.
fn texts(only: &OneOf) -> (&'static str, Vec<Value>) {
    let values = only.values.iter().map(|text| Value::from(text.as_str()));
    (only.field, values.collect())
}

/// Returns what the repository has.
pub(crate) fn present(store: &Store, repo: &str, select: &Select) -> Result<Units<'static>, Error> {
    let stream = store.units_stream(&query(Some(repo), select))?;
    Ok(converted(stream, select.parts))
}

/// Does what [`present`] does, for a request: what is read counts as its memory.
pub(crate) fn counted(store: &Store, repo: &str, select: &Select) -> Result<Units<'static>, Error> {
    let stream = store.units_stream(&query(Some(repo), select))?;
    Ok(read(stream, select.parts))
}

/// Some fields of everything the repository has of a type, in the order of the first of them.
pub(crate) fn sorted_outlines(
    store: &Store,
    repo: &str,
    type_id: &'static str,
    fields: &'static [&'static str],
) -> Result<Outlines<'static>, Error> {
    let stream = store.units_outline(type_id, repo, fields)?;
    Ok(unread(stream, fields))
}

/// Some fields of everything the repository has of a type, in the order of the units' ids.
pub(crate) fn outlines(
    store: &Store,
    repo: &str,
    type_id: &'static str,
    fields: &'static [&'static str],
) -> Result<Outlines<'static>, Error> {
    let select = Select {
        fields: Some(fields),
        ..Select::all(type_id)
    };
    let stream = store.units_fields_stream(&query(Some(repo), &select))?;
    Ok(unread(stream, fields))
}

fn unread(
    stream: BatchStream<StreamedUnit<FieldTexts>>,
    fields: &'static [&'static str],
) -> Outlines<'static> {
    let of = move |unit: StreamedUnit<FieldTexts>| {
        let fields = |texts: FieldTexts| Fields::new(fields, texts.0);
        to_repo_unit(unit, fields, &[])
    };
    let outlines = read_ahead(stream).map(move |batch| {
        batch
            .map(|batch| batch.into_iter().map(of).collect())
            .map_err(platform)
    });
    outlines.boxed()
}

/// The units that the repository will have when the task of `store` commits.
pub(crate) async fn after(
    store: &TaskStore,
    repo: &str,
    select: &Select,
) -> Result<Units<'static>, Error> {
    store.stage_settle(repo).await?;
    let stream = store.units_stream_after(&query(Some(repo), select))?;
    Ok(converted(stream, select.parts))
}

fn converted(stream: BatchStream<StreamedUnit>, parts: &'static [&'static str]) -> Units<'static> {
    read(read_ahead(stream), parts)
}

fn read(stream: BatchStream<StreamedUnit>, parts: &'static [&'static str]) -> Units<'static> {
    stream
        .map(move |batch| {
            batch
                .map(|batch| to_repo_units(batch, parts))
                .map_err(platform)
        })
        .boxed()
}

/// A batch as types read it.
pub(crate) fn to_repo_units(batch: Vec<StreamedUnit>, parts: &[&str]) -> Vec<RepoUnit> {
    batch
        .into_iter()
        .map(|unit| to_repo_unit(unit, std::convert::identity, parts))
        .collect()
}

/// Reads one batch ahead of whoever works on the one before: the database and the type take turns otherwise.
fn read_ahead<T: Send + 'static>(mut stream: BatchStream<T>) -> BatchStream<T> {
    let (tx, rx) = mpsc::channel(1);
    let reader = AbortOnDropHandle::new(tokio::spawn(async move {
        while let Some(batch) = stream.next().await {
            if tx.send(batch).await.is_err() {
                return;
            }
        }
    }));
    futures::stream::unfold((rx, reader), |(mut rx, reader)| async move {
        rx.recv().await.map(|batch| (batch, (rx, reader)))
    })
    .boxed()
}

fn to_repo_unit<D, E>(
    streamed: StreamedUnit<D>,
    document: impl FnOnce(D) -> E,
    wanted: &[&str],
) -> RepoUnit<E> {
    let mut parts: Vec<Option<bytes::Bytes>> = vec![None; wanted.len()];
    for part in streamed.parts {
        if let Some(index) = wanted.iter().position(|name| *name == part.name) {
            parts[index] = Some(part.data.into());
        }
    }
    let unit = streamed.unit;
    RepoUnit {
        id: unit.id,
        doc: document(unit.doc),
        blob: unit.blob.filter(|_| unit.downloaded),
        promised: unit.blob.filter(|_| !unit.downloaded),
        size: unit.size.and_then(|size| u64::try_from(size).ok()),
        downloaded: unit.downloaded,
        added: streamed.created,
        updated: streamed.updated.unwrap_or(unit.last_updated),
        changed: unit.last_updated,
        parts,
    }
}

/// Keeps in the units' documents what was worked out about them.
pub(crate) async fn learn(
    store: &Store,
    type_id: &str,
    field: &str,
    values: &[(pith_core::UnitId, Value)],
) -> Result<(), Error> {
    store
        .units_set_field(type_id, field, values)
        .await
        .map_err(Error::from)
}

/// Stages the removal of `units`.
pub(crate) async fn remove(
    store: &TaskStore,
    type_id: &'static str,
    units: Vec<pith_core::UnitId>,
) -> Result<(), Error> {
    if units.is_empty() {
        return Ok(());
    }
    let units: Vec<_> = units.into_iter().map(|id| (id, type_id)).collect();
    store.stage_remove(&units).await.map_err(Error::from)
}
