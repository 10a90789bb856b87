//! The units of a window of time without a repository made of them: files, and a document of each (pulp2/rpm-export#documents).

use std::collections::HashSet;
use std::io::Write as _;

use futures::TryStreamExt;
use pith_content::publish::{Entry, Outlet as _, PublishContext as _};
use pith_content::unit::{RepoUnit, Select};
use pith_content::{ContentError, UnitKey, UnitType};
use pith_core::{Document, RelativePath};
use serde_json::{Value, json};

use super::part::Part;
use crate::metadata::primary::published_path;
use crate::parts::{FILELISTS, OTHER, PKGLIST};
use crate::publish::output::inline;
use crate::publish::steps::{Step, Steps};
use crate::publish::texts::{entry, text};
use crate::type_ids::{DRPM, ERRATUM, RPM, SRPM};
use crate::types::unit_type;

/// The size up to which a document is kept in the index of the publication.
const SMALL: usize = 16 * 1024;

/// Writes files and documents.
pub(super) async fn write(part: &Part<'_>, steps: &Steps) -> Result<(), ContentError> {
    let mut writer = Writer {
        part,
        steps,
        names: HashSet::new(),
    };
    let packages: [(&str, &[&str]); 3] = [
        (RPM, &[FILELISTS, OTHER]),
        (SRPM, &[FILELISTS, OTHER]),
        (DRPM, &[]),
    ];
    let mut total = 0;
    for (type_id, _) in packages {
        total += part.count(type_id).await?;
    }
    steps.begin(Step::Units, total);
    for (type_id, parts) in packages {
        writer.write(Step::Units, type_id, parts).await?;
    }
    steps.finish(Step::Units);
    steps.begin(Step::Errata, part.count(ERRATUM).await?);
    writer.write(Step::Errata, ERRATUM, &[PKGLIST]).await?;
    steps.finish(Step::Errata);
    Ok(())
}

struct Writer<'a> {
    part: &'a Part<'a>,
    steps: &'a Steps,
    /// The paths that are given away.
    names: HashSet<String>,
}

impl Writer<'_> {
    async fn write(
        &mut self,
        step: Step,
        type_id: &'static str,
        parts: &'static [&'static str],
    ) -> Result<(), ContentError> {
        let of = unit_type(type_id).ok_or_else(|| ContentError::other("no such type"))?;
        let select = Select {
            parts,
            ..Select::all(type_id)
        };
        let mut units = self.part.units(select).await?;
        while let Some(batch) = units.try_next().await? {
            for unit in &batch {
                self.unit(of, parts, unit).await?;
            }
            self.steps.advance(step, batch.len() as u64);
            self.part.progress(self.steps.report());
        }
        Ok(())
    }

    async fn unit(
        &mut self,
        of: &UnitType,
        parts: &[&str],
        unit: &RepoUnit,
    ) -> Result<(), ContentError> {
        if of.file_backed {
            let file = match of.id {
                DRPM => format!("drpms/{}", last_segment(text(unit, "filename"))),
                _ => published_path(text(unit, "filename")),
            };
            let path = self.free(file, unit)?;
            self.part.add(path, entry(unit), unit.updated).await?;
        }
        let path = self.free(format!("{}.json", name(of, unit)), unit)?;
        let document = document(of, parts, unit).to_string().into_bytes();
        let entry = self.stored(document).await?;
        self.part.add(path, entry, unit.updated).await
    }

    /// The path, or one that nothing else has.
    fn free(&mut self, path: String, unit: &RepoUnit) -> Result<RelativePath, ContentError> {
        let path = match self.names.contains(&path) {
            false => path,
            true => {
                let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
                let folder = folder.trim_end_matches('/');
                format!("{folder}/{}-{name}", unit.id)
                    .trim_start_matches('/')
                    .to_owned()
            }
        };
        self.names.insert(path.clone());
        RelativePath::new(path).map_err(ContentError::other)
    }

    async fn stored(&self, bytes: Vec<u8>) -> Result<Entry, ContentError> {
        if bytes.len() <= SMALL {
            return Ok(inline(bytes));
        }
        let mut file = self.part.file(&[])?;
        let written = tokio::task::spawn_blocking(move || {
            file.write_all(&bytes)?;
            file.finish()
        });
        let hashed = written.await.map_err(ContentError::other)??;
        let (sha256, size) = (hashed.sha256, hashed.size);
        Ok(Entry::Blob { sha256, size })
    }
}

fn last_segment(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The name of a unit's document, without its ending.
fn name(of: &UnitType, unit: &RepoUnit) -> String {
    let field = |name: &str| text(unit, name).replace('/', "_");
    match of.id {
        ERRATUM => field("id"),
        DRPM => last_segment(text(unit, "filename")).to_owned(),
        _ => format!(
            "{}-{}-{}.{}",
            field("name"),
            field("version"),
            field("release"),
            field("arch")
        ),
    }
}

/// The document of a unit: its key and all its fields, by the names that Pulp stored them by.
fn document(of: &UnitType, parts: &[&str], unit: &RepoUnit) -> Value {
    let named = parts.iter().zip(&unit.parts);
    let named: Vec<(String, Vec<u8>)> = named
        .filter_map(|(name, part)| Some(((*name).to_owned(), part.as_ref()?.to_vec())))
        .collect();
    let mut fields = unit.doc.clone();
    of.rules.present(&mut fields, &named);
    fields.retain(|field, _| !field.starts_with('_') && field != "repodata");
    let mut key = UnitKey::of(of, &fields)
        .map(|key| key.to_document())
        .unwrap_or_default();
    rename(of, &mut key);
    rename(of, &mut fields);
    if of.id == ERRATUM {
        let list = fields.remove("pkglist").unwrap_or_else(|| json!([]));
        fields.insert("pkglist".to_owned(), json!([list]));
    }
    json!({"unit_key": key, "unit_metadata": fields})
}

fn rename(of: &UnitType, fields: &mut Document) {
    for field in of.key.iter().filter(|field| field.name != field.stored) {
        if let Some(value) = fields.remove(field.name) {
            fields.insert(field.stored.to_owned(), value);
        }
    }
}
