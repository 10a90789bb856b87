//! Copying units between repositories and taking them out (pulp2/copy-and-removal).
//!
//! What criteria select is noted among the staged units of the task, in one statement where that is possible; the type then
//! changes the note (`pith_content::copy`); what is noted in the end is both the result that clients see and the new
//! version of the repository. Nothing holds the units themselves in memory.

use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use pith_content::copy::{CopyContext, RemoveContext};
use pith_content::repository::{Outlines, RepoInfo, Units};
use pith_content::task::Within;
use pith_content::unit::Select;
use pith_content::{Config, ContentError};
use pith_core::error::{ErrorDetail, PulpError};
use pith_core::{Document, UnitId};
use pith_store::{StagedId, TaskStore, UnitQuery};
use serde_json::{Value, json};

use super::Selection;
use super::commit::commit;
use super::content::{Content, Staging};
use super::keep;
use super::subject::{Subject, info};
use super::units;
use crate::Engine;
use crate::attempt::{Done, Run};
use crate::error::{Error, platform};

/// Copies what `selection` selects in the repository `source_id`.
///
/// # Errors
/// Those that the task ends with.
pub async fn associate(
    run: Run,
    repo_id: String,
    source_id: String,
    selection: &dyn Selection,
    overriding: Document,
) -> Result<Done, Error> {
    let engine = Arc::clone(&run.engine);
    let subject = Subject::of(&run, &repo_id).await?;
    let source = Subject::of(&run, &source_id).await?;
    supported(&run, &subject, &source_id).await?;
    let (lanes, additional) = additional(&run, &repo_id, &overriding).await?;
    selection.stage(&run.store, &source_id, false).await?;
    let config = Config::with_override(subject.importer.config.clone(), overriding);
    let context = Copy {
        source: info(&source.repo),
        destination: Staging::start(Content::new(&run, &subject.repo, config))?,
        additional,
    };
    let report = subject.plugin.copy(&context).await?;
    for one in std::iter::once(&context).chain(&context.additional) {
        one.destination.drain().await?;
    }
    for (lane, repo_id) in (0u32..).zip(&lanes) {
        keep::own(&engine, &run.store.lane(lane), repo_id).await?;
    }
    let mut result = Document::new();
    let mut copied = Forms::default();
    for (lane, _) in (0u32..).zip(&lanes) {
        copied.add(&engine, &run.store.lane(lane), false).await?;
    }
    copied.show(&mut result);
    for (key, units) in report.lists {
        let forms = units
            .iter()
            .map(|(type_id, doc)| short_form(&engine, type_id, doc));
        result.insert(key.to_owned(), forms.collect());
    }
    commit(&run, &lanes, Value::Object(result)).await
}

/// The key of a copy's override that names further sources and where that goes which comes from them.
pub const ADDITIONAL_REPOS: &str = "additional_repos";

/// The sources that a copy may take more from, each with where that goes.
pub fn further(overriding: &Document) -> impl Iterator<Item = (&str, &str)> {
    let map = overriding.get(ADDITIONAL_REPOS);
    let map = map.and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(from, to)| Some((from.as_str(), to.as_str()?)))
}

/// The further sources of a copy, and the destinations of all of them by lane. Where several lead to one destination they
/// share its lane.
async fn additional<'a>(
    run: &'a Run,
    repo_id: &str,
    overriding: &Document,
) -> Result<(Vec<String>, Vec<Copy<'a>>), Error> {
    let mut lanes = vec![repo_id.to_owned()];
    let mut additional = Vec::new();
    for (from, to) in further(overriding) {
        let subject = Subject::of(run, to).await?;
        let source = Subject::of(run, from).await?;
        supported(run, &subject, from).await?;
        let lane = lanes.iter().position(|known| known == to);
        let lane = lane.unwrap_or_else(|| {
            lanes.push(to.to_owned());
            lanes.len() - 1
        });
        let store = run.store.lane(u32::try_from(lane).unwrap_or_default());
        let config = Config::with_override(subject.importer.config.clone(), overriding.clone());
        let content = Content::in_lane(run, store, &subject.repo, config);
        additional.push(Copy {
            source: info(&source.repo),
            destination: Staging::start(content)?,
            additional: Vec::new(),
        });
    }
    Ok((lanes, additional))
}

/// Takes out what `selection` selects.
///
/// # Errors
/// Those that the task ends with.
pub async fn unassociate(
    run: Run,
    repo_id: String,
    selection: &dyn Selection,
) -> Result<Done, Error> {
    let engine = Arc::clone(&run.engine);
    let repo = run.store.repository_get(&repo_id).await;
    let gone = || PulpError::missing_resource(&[("repository", &repo_id)]);
    let repo = repo?.ok_or_else(gone)?;
    selection.stage(&run.store, &repo_id, true).await?;
    // Without an importer nobody knows more than the criteria say.
    if let Ok(subject) = Subject::of(&run, &repo_id).await {
        let config = Config::new(subject.importer.config);
        let context = Removal(Content::new(&run, &repo, config));
        subject.plugin.remove(&context).await?;
    }
    let mut removed = Forms::default();
    removed.add(&engine, &run.store, true).await?;
    let mut result = Document::new();
    if !removed.listed.is_empty() {
        removed.show(&mut result);
    }
    commit(&run, &[repo_id], Value::Object(result)).await
}

/// PLP0044 when the source has types, selected or not, that the importer of the destination cannot take.
async fn supported(run: &Run, subject: &Subject, source_id: &str) -> Result<(), Error> {
    let counts = run.store.repository_unit_counts(source_id).await;
    let accepted = subject.plugin.descriptor().types;
    let mut types = counts?.into_keys();
    if types.all(|type_id| accepted.contains(&type_id.as_str())) {
        return Ok(());
    }
    let text = "The target importer does not support the types from the source";
    Err(PulpError::coded(ErrorDetail::new("PLP0044", text)).into())
}

/// Type and key of a unit, with what its family shows beside them (pulp2/copy-and-removal#short-form).
fn short_form(engine: &Engine, type_id: &str, doc: &Document) -> Value {
    let value = |name: &str| doc.get(name).cloned().unwrap_or_default();
    let kind = engine.registry.unit_type(type_id);
    let key: Document = kind
        .iter()
        .flat_map(|kind| kind.key)
        .map(|field| (field.name.to_owned(), value(field.name)))
        .collect();
    let mut form = Document::new();
    for field in result_fields(engine, type_id) {
        form.insert((*field).to_owned(), value(field));
    }
    form.insert("unit_key".to_owned(), Value::Object(key));
    form.insert("type_id".to_owned(), json!(type_id));
    Value::Object(form)
}

fn result_fields(engine: &Engine, type_id: &str) -> &'static [&'static str] {
    let kind = engine.registry.unit_type(type_id);
    kind.map_or(&[], |kind| kind.in_results)
}

/// The most units that a result lists. It is kept with its task, and read whenever tasks are listed.
const MOST_LISTED: usize = 10_000;

/// The short forms of what a task brings or takes away.
#[derive(Default)]
struct Forms {
    listed: Vec<Value>,
    /// Units that are not listed, since there are too many.
    left_out: usize,
}

impl Forms {
    /// Adds everything that the task wants in (or out).
    async fn add(&mut self, engine: &Engine, store: &TaskStore, remove: bool) -> Result<(), Error> {
        let types = store.staged_types(remove).await;
        let mut types = types?;
        types.retain(|type_id| engine.registry.is_shown(type_id));
        for type_id in types {
            let kind = engine.registry.unit_type(&type_id);
            let mut fields: Vec<String> = kind
                .iter()
                .flat_map(|kind| kind.key)
                .map(|field| field.name.to_owned())
                .collect();
            let beside = result_fields(engine, &type_id);
            fields.extend(beside.iter().map(|field| (*field).to_owned()));
            let mut after = None;
            loop {
                let page = store.staged_documents(remove, &type_id, &fields, after);
                let page = page.await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(*last);
                let room = MOST_LISTED.saturating_sub(self.listed.len());
                self.left_out += page.len().saturating_sub(room);
                let each = page
                    .iter()
                    .map(|(_, doc)| short_form(engine, &type_id, doc));
                self.listed.extend(each.take(room));
            }
        }
        Ok(())
    }

    fn show(self, result: &mut Document) {
        result.insert("units_successful".to_owned(), Value::Array(self.listed));
        if self.left_out > 0 {
            result.insert("units_left_out".to_owned(), json!(self.left_out));
        }
    }
}

/// The next staged units of the query's type, and where to go on.
async fn staged_page(
    store: &TaskStore,
    query: &UnitQuery<'_>,
    remove: bool,
    after: Option<StagedId>,
) -> Result<Option<(Vec<pith_store::StreamedUnit>, StagedId)>, Error> {
    let page = store
        .staged_page(remove, &query.type_ids, after.as_ref())
        .await?;
    let Some(last) = page.last().cloned() else {
        return Ok(None);
    };
    let query = UnitQuery {
        ids: Some(page.into_iter().map(|(id, _)| id).collect()),
        ..query.clone()
    };
    let units = store.units_stream(&query)?;
    let units = futures::TryStreamExt::try_concat(units).await;
    Ok(Some((units?, last)))
}

/// Returns what is staged of a type, as types read it.
fn chosen(store: &TaskStore, select: &Select, remove: bool) -> Units<'static> {
    let start = (store.clone(), select.clone(), None);
    stream::try_unfold(start, move |(store, select, after)| async move {
        let query = units::query(None, &select);
        let page = staged_page(&store, &query, remove, after).await?;
        let Some((page, next)) = page else {
            return Ok(None);
        };
        let page = units::to_repo_units(page, select.parts);
        Ok(Some((page, (store, select, Some(next)))))
    })
    .boxed()
}

/// Ids with their type, as staging takes them.
fn pairs(type_id: &'static str, units: &[UnitId]) -> Vec<(UnitId, &'static str)> {
    units.iter().map(|id| (*id, type_id)).collect()
}

struct Copy<'a> {
    source: RepoInfo,
    destination: Staging<'a>,
    additional: Vec<Copy<'a>>,
}

impl Copy<'_> {
    /// The lane of the destination.
    fn store(&self) -> &TaskStore {
        &self.destination.content.store
    }
}

impl<'a> Within for Copy<'a> {
    type Inner = Staging<'a>;

    fn inner(&self) -> &Staging<'a> {
        &self.destination
    }
}

#[async_trait]
impl CopyContext for Copy<'_> {
    fn source(&self) -> &RepoInfo {
        &self.source
    }

    async fn chosen_types(&self) -> Result<Vec<String>, ContentError> {
        let types = self.store().staged_types(false);
        types.await.map_err(platform)
    }

    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(chosen(self.store(), &select, false))
    }

    async fn source_units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(units::present(self.store(), &self.source.id, &select)?)
    }

    async fn source_outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        let outlines = units::outlines(self.store(), &self.source.id, type_id, fields);
        Ok(outlines?)
    }

    fn additional(&self) -> Vec<&dyn CopyContext> {
        let all = self.additional.iter();
        all.map(|one| one as &dyn CopyContext).collect()
    }

    async fn add(&self, type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        let units = pairs(type_id, &units);
        let added = self.store().stage_add(&units).await;
        added.map(drop).map_err(platform)
    }

    async fn leave_out(
        &self,
        type_id: &'static str,
        units: Vec<UnitId>,
    ) -> Result<(), ContentError> {
        let forgotten = self.store().stage_forget(type_id, &units);
        forgotten.await.map_err(platform)
    }
}

struct Removal<'a>(Content<'a>);

impl<'a> Within for Removal<'a> {
    type Inner = Content<'a>;

    fn inner(&self) -> &Content<'a> {
        &self.0
    }
}

#[async_trait]
impl RemoveContext for Removal<'_> {
    async fn chosen(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(chosen(&self.0.store, &select, true))
    }
}
