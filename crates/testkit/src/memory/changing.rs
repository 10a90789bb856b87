//! Reading the repository, and changing it.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream;
use pith_content::outline::{Fields, Outline};
use pith_content::repository::{
    ChangeContext, Outlines, RepoInfo, RepositoryContext, StageContext, Units,
};
use pith_content::task::{ProgressContext, TaskContext};
use pith_content::unit::{Existing, RepoUnit, Select, Source, WantedUnit};
use pith_content::{Config, ContentError, UnitType};
use pith_core::{Clock, Document, Sha256, UnitId};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{Repository, Stored};

/// Units in a batch: few, so that types meet several.
const BATCH: usize = 3;

/// Batches of what was selected.
pub(super) fn batches<T: Send + 'static>(
    all: Vec<T>,
) -> stream::BoxStream<'static, Result<Vec<T>, ContentError>> {
    stream::iter(all).chunks(BATCH).map(Ok).boxed()
}

impl Repository {
    /// Some fields of what was selected.
    pub(super) fn outlined(
        &self,
        select: &Select,
        fields: &'static [&'static str],
    ) -> Vec<Outline> {
        let outline = |unit: RepoUnit| {
            let text = |field: &&str| unit.doc.get(*field).map_or(String::new(), Value::to_string);
            let lines: Vec<String> = fields.iter().map(text).collect();
            unit.with_doc(Fields::new(fields, lines.join("\n")))
        };
        self.present(select).into_iter().map(outline).collect()
    }
}

impl TaskContext for Repository {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }
}

impl ProgressContext for Repository {
    fn progress(&self, report: Value) {
        self.state.lock().progress = report;
    }
}

#[async_trait]
impl RepositoryContext for Repository {
    fn repo(&self) -> &RepoInfo {
        &self.info
    }

    fn config(&self) -> &Config {
        &self.config
    }

    async fn units(&self, select: Select) -> Result<Units<'_>, ContentError> {
        Ok(batches(self.present(&select)))
    }

    async fn outlines(
        &self,
        type_id: &'static str,
        fields: &'static [&'static str],
    ) -> Result<Outlines<'_>, ContentError> {
        Ok(batches(self.outlined(&Select::all(type_id), fields)))
    }

    async fn learn(
        &self,
        _type_id: &str,
        field: &'static str,
        values: Vec<(UnitId, Value)>,
    ) -> Result<(), ContentError> {
        let state = &mut *self.state.lock();
        for (id, value) in values {
            for stored in state.units.values_mut().filter(|it| it.unit.id == id) {
                stored.unit.doc.insert(field.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

#[async_trait]
impl ChangeContext for Repository {
    async fn units_after(&self, select: Select) -> Result<Units<'_>, ContentError> {
        let state = self.state.lock();
        Ok(batches(state.select(state.repo.iter().copied(), &select)))
    }

    async fn remove(&self, _type_id: &'static str, units: Vec<UnitId>) -> Result<(), ContentError> {
        self.state.lock().take_out(&units);
        Ok(())
    }
}

#[async_trait]
impl StageContext for Repository {
    async fn stage(&self, units: Vec<WantedUnit>) -> Result<(), ContentError> {
        for mut unit in units {
            let (kind, key) = self.key_of(unit.type_id, &unit.doc)?;
            if self.settled(kind, key, &mut unit) {
                continue;
            }
            let file = match unit.source {
                Some(Source::Blob { sha256, size }) => Some((sha256, size)),
                None => None,
                Some(Source::Download { .. }) => {
                    return Err(ContentError::other("nothing is downloaded here"));
                }
            };
            self.save(key, unit, File::here(file));
        }
        Ok(())
    }
}

/// The file of a unit that is saved.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct File {
    pub(super) blob: Option<Sha256>,
    pub(super) promised: Option<Sha256>,
    pub(super) size: Option<u64>,
    pub(super) is_missing: bool,
}

impl File {
    /// A file that is here, or none.
    pub(super) fn here(file: Option<(Sha256, u64)>) -> Self {
        Self {
            blob: file.map(|(sha256, _)| sha256),
            size: file.map(|(_, size)| size),
            ..Self::default()
        }
    }
}

impl Repository {
    fn present(&self, select: &Select) -> Vec<RepoUnit> {
        let state = self.state.lock();
        state.select(state.present().iter().copied(), select)
    }

    /// Takes the known unit of a key where that is what is wanted; merges what was known into the wanted one otherwise, and answers
    /// false.
    pub(super) fn settled(&self, kind: &UnitType, key: Sha256, unit: &mut WantedUnit) -> bool {
        let state = &mut *self.state.lock();
        let Some(known) = state.units.get(&key) else {
            return false;
        };
        let said = |doc: &Document| {
            let mut doc = doc.clone();
            doc.retain(|name, _| kind.is_said(name));
            doc
        };
        let same = unit.source.is_some() && said(&known.unit.doc) == said(&unit.doc);
        if unit.existing == Existing::Keep || same {
            state.take(key);
            return true;
        }
        kind.rules.merge(&known.unit.doc, &known.parts, unit);
        false
    }

    /// Saves a unit, and puts it into the repository.
    pub(super) fn save(&self, key: Sha256, unit: WantedUnit, file: File) {
        let now = self.now();
        let state = &mut *self.state.lock();
        let known = state.units.get(&key);
        let id = known.map_or_else(UnitId::new, |known| known.unit.id);
        let parts = unit.parts.into_iter();
        let stored = Stored {
            type_id: unit.type_id,
            unit: RepoUnit {
                id,
                doc: unit.doc,
                promised: file.promised,
                blob: file.blob,
                size: file.size,
                downloaded: !file.is_missing,
                added: Some(now),
                updated: now,
                changed: now,
                parts: Vec::new(),
            },
            parts: parts
                .map(|part| (part.name.to_owned(), part.data.to_vec()))
                .collect(),
            order: state.units.len(),
        };
        state.put(key, stored);
    }
}
