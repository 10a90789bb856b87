//! The documents beside packages: prestodelta, updateinfo, modules, comps, and metadata files as they came (pulp2/rpm-metadata).

use std::collections::{HashMap, HashSet};
use std::io;

use futures::TryStreamExt;
use pith_content::ContentError;
use pith_content::outline::Outline;
use pith_content::publish::PublishContext;
use pith_content::unit::{RepoUnit, Select};
use pith_core::{Algorithm, Digest, Document, ErrorDetail, RelativePath, Sha256};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;

use super::checksums::Learned;
use super::errata::{AdvisoryFilter, Builds};
use super::known::Known;
use super::names::{Names, by_arrival};
use super::output::{Output, Written, join};
use super::repeated::Repeated;
use super::signed;
use super::steps::{Step, Steps};
use super::texts::{entry, text};
use crate::advisories::pkglists_with_size;
use crate::metadata::comps::Comps;
use crate::metadata::comps_writer::CompsWriter;
use crate::metadata::prestodelta::{Delta, DeltaWriter};
use crate::metadata::repomd::Data;
use crate::metadata::snippet;
use crate::metadata::updateinfo::{Erratum, ErratumWriter, ModuleRef};
use crate::parts::{PKGLIST, YAML};
use crate::said;
use crate::sync::others::is_unknown;
use crate::type_ids::{
    CATEGORY, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE, MODULE_DOCUMENT,
    MODULEMD, MODULEMD_DEFAULTS,
};

/// The documents of modules.yaml.
const MODULE_TYPES: [&str; 3] = [MODULEMD, MODULEMD_DEFAULTS, MODULE_DOCUMENT];
/// The units of comps.xml, in the order in which it has them.
const COMPS_TYPES: [&str; 4] = [GROUP, CATEGORY, ENVIRONMENT, LANGPACKS];
/// The bytes of package lists after which advisories go on to the writer.
const LISTS_BYTES: usize = 4 << 20;
/// Batches that wait for the writer of a document.
const WAITING: usize = 2;

/// The state that all documents of one publication share.
#[derive(Clone, Copy)]
pub struct Common<'a> {
    /// The publish.
    pub ctx: &'a dyn PublishContext,
    /// Its steps.
    pub steps: &'a Steps,
    /// Its algorithm.
    pub algorithm: Algorithm,
}

/// Reads a document back into the type it was made of; null fields count as absent.
fn typed<T: DeserializeOwned>(unit: &RepoUnit) -> Result<T, ContentError> {
    let fields: Document = unit
        .doc
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| ContentError::other(format!("the unit {} is damaged: {error}", unit.id)))
}

impl Common<'_> {
    async fn all(&self, select: Select) -> Result<Vec<RepoUnit>, ContentError> {
        let batches: Vec<Vec<RepoUnit>> = self.ctx.units(select).await?.try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    /// Delta packages; `None` when there are none.
    ///
    /// # Errors
    /// RPM1008, or what the context fails with.
    pub async fn deltas(&self) -> Result<Option<Written>, ContentError> {
        let total = self.ctx.count(DRPM).await?;
        if total == 0 {
            self.steps.skip(Step::Drpms);
            return Ok(None);
        }
        self.steps.begin(Step::Drpms, total);
        let output = Output::create(
            self.ctx,
            "prestodelta",
            "prestodelta.xml.gz",
            self.algorithm,
        )?;
        let (tx, handle) = output.write_on_thread(
            self.ctx.clock().now(),
            WAITING,
            |out, mut rx: mpsc::Receiver<Vec<(Delta, Digest)>>| {
                let mut writer = DeltaWriter::new(out)?;
                while let Some(batch) = rx.blocking_recv() {
                    for (delta, digest) in &batch {
                        writer.push(delta, digest)?;
                    }
                }
                writer.finish()
            },
        );
        let mut select = Select::all(DRPM);
        select.sort = &["filename"];
        let first = self.first_deltas().await?;
        let mut stream = self.ctx.units(select).await?;
        let mut names = Names::default();
        let mut repeated = Repeated::default();
        while let Some(batch) = stream.try_next().await? {
            self.steps.advance(Step::Drpms, batch.len() as u64);
            let mut learned = Learned::default();
            let mut deltas = Vec::new();
            for unit in batch {
                let hex = learned.checksum(self.ctx, &unit, self.algorithm).await?;
                if !repeated.note_file(&unit, &hex) {
                    continue;
                }
                let delta = delta(&unit, &first, &mut names)?;
                let digest = Digest::new(self.algorithm, &hex)?;
                let path = delta.filename.clone();
                self.ctx.add(path, entry(&unit), unit.updated).await?;
                deltas.push((delta, digest));
            }
            learned.keep(self.ctx, DRPM).await?;
            // A writer that has failed says so when it is joined.
            let _ = tx.send(deltas).await;
        }
        drop(tx);
        self.steps
            .note(Step::Drpms, [names.report(), repeated.report()]);
        self.steps.finish(Step::Drpms);
        join(handle).await.map(Some)
    }

    /// The deltas that have their file names, of those that share one.
    async fn first_deltas(&self) -> Result<HashMap<String, Outline>, ContentError> {
        let (mut seen, mut shared) = (HashSet::new(), HashMap::new());
        for counting in [true, false] {
            let mut stream = self.ctx.outlines(DRPM, &["filename", "checksum"]).await?;
            while let Some(batch) = stream.try_next().await? {
                for unit in batch {
                    let name = basename(&unit.doc.text("filename")).to_owned();
                    if counting {
                        if !seen.insert(name.clone()) {
                            shared.insert(name, unit);
                        }
                    } else if let Some(first) = shared.get_mut(&name)
                        && by_arrival(&unit, first).is_lt()
                    {
                        *first = unit;
                    }
                }
            }
            if shared.is_empty() {
                break;
            }
        }
        Ok(shared)
    }

    /// Advisories that concern the repository; the document is always written.
    ///
    /// # Errors
    /// RPM1012, or what the context fails with.
    pub async fn errata(&self, known: &mut Known) -> Result<Written, ContentError> {
        let modules = self.module_refs().await?;
        let filter = AdvisoryFilter::new(self.ctx, self.algorithm);
        self.steps
            .begin(Step::Errata, self.ctx.count(ERRATUM).await?);
        let output = Output::create(self.ctx, "updateinfo", "updateinfo.xml.gz", self.algorithm)?;
        let (tx, handle) = output.write_on_thread(
            self.ctx.clock().now(),
            WAITING,
            |out, mut rx: mpsc::Receiver<Vec<Erratum>>| {
                let mut writer = ErratumWriter::new(out)?;
                while let Some(batch) = rx.blocking_recv() {
                    for erratum in &batch {
                        writer.push(erratum)?;
                    }
                }
                writer.finish()
            },
        );
        let mut select = Select::all(ERRATUM);
        select.parts = &[PKGLIST];
        select.sort = &["id"];
        let mut stream = self.ctx.units(select).await?;
        while let Some(batch) = stream.try_next().await? {
            self.steps.advance(Step::Errata, batch.len() as u64);
            let mut errata = Vec::new();
            let mut bytes = 0;
            for unit in &batch {
                let lists = unit.parts.first().and_then(Option::as_ref);
                let lists = lists.map(|stored| pkglists_with_size(stored));
                let (lists, size) = lists.unwrap_or_default();
                errata.push((typed(unit)?, lists));
                bytes += size;
                if bytes >= LISTS_BYTES {
                    bytes = 0;
                    let full = std::mem::take(&mut errata);
                    let _ = tx
                        .send(filter.published(full, known, &modules).await?)
                        .await;
                }
            }
            let errata = filter.published(errata, known, &modules).await?;
            let _ = tx.send(errata).await;
        }
        drop(tx);
        self.steps.finish(Step::Errata);
        join(handle).await
    }

    async fn module_refs(&self) -> Result<Builds, ContentError> {
        let mut select = Select::all(MODULEMD);
        select.fields = Some(&["name", "stream", "version", "context", "arch"]);
        let units = self.all(select).await?;
        let build = |unit: &RepoUnit| ModuleRef {
            name: text(unit, "name").to_owned(),
            stream: text(unit, "stream").to_owned(),
            version: unit
                .doc
                .get("version")
                .map(ToString::to_string)
                .unwrap_or_default(),
            context: text(unit, "context").to_owned(),
            arch: text(unit, "arch").to_owned(),
        };
        Ok(units.iter().map(build).collect())
    }

    /// Module documents; `None` when there are none.
    ///
    /// # Errors
    /// RPM1017 when a document is not what its unit says.
    pub async fn modules(&self) -> Result<Option<Written>, ContentError> {
        let mut total = 0;
        for type_id in MODULE_TYPES {
            total += self.ctx.count(type_id).await?;
        }
        if total == 0 {
            self.steps.skip(Step::Modules);
            return Ok(None);
        }
        self.steps.begin(Step::Modules, total);
        let output = Output::create(self.ctx, "modules", "modules.yaml.gz", self.algorithm)?;
        let (tx, handle) = output.write_on_thread(
            self.ctx.clock().now(),
            WAITING,
            |out, mut rx: mpsc::Receiver<Vec<u8>>| {
                while let Some(text) = rx.blocking_recv() {
                    io::Write::write_all(out, &text)?;
                }
                Ok(())
            },
        );
        let said = said::read(self.ctx.units(said::select()).await?).await?;
        let overruled = said::overruled(&said);
        for type_id in MODULE_TYPES {
            let mut select = Select::all(type_id);
            select.fields = Some(&["name", "checksum"]);
            select.parts = &[YAML];
            select.sort = &["name"];
            let mut stream = self.ctx.units(select).await?;
            while let Some(batch) = stream.try_next().await? {
                for unit in batch.iter().filter(|unit| !overruled.contains(&unit.id)) {
                    let _ = tx.send(module_text(unit)?).await;
                }
                self.steps.advance(Step::Modules, batch.len() as u64);
            }
        }
        drop(tx);
        self.steps.finish(Step::Modules);
        join(handle).await.map(Some)
    }

    /// Groups, categories, environments and language packs; the document is always written.
    ///
    /// # Errors
    /// What the context fails with.
    pub async fn comps(&self) -> Result<Written, ContentError> {
        let mut total = 0;
        for type_id in COMPS_TYPES {
            total += self.ctx.count(type_id).await?;
        }
        self.steps.begin(Step::Comps, total);
        let output = Output::create(self.ctx, "group", "comps.xml", self.algorithm)?;
        let (tx, handle) = output.write_on_thread(
            self.ctx.clock().now(),
            WAITING,
            |out, mut rx: mpsc::Receiver<Vec<Comps>>| {
                let mut writer = CompsWriter::new(io::BufWriter::new(out))?;
                while let Some(batch) = rx.blocking_recv() {
                    for element in &batch {
                        match element {
                            Comps::Group(group) => writer.group(group)?,
                            Comps::Category(category) => writer.category(category)?,
                            Comps::Environment(environment) => writer.environment(environment)?,
                            Comps::Langpacks(matches) => writer.langpacks(matches)?,
                        }
                    }
                }
                writer.finish()
            },
        );
        for type_id in COMPS_TYPES {
            let mut select = Select::all(type_id);
            select.sort = if type_id == LANGPACKS { &[] } else { &["id"] };
            let mut stream = self.ctx.units(select).await?;
            while let Some(batch) = stream.try_next().await? {
                self.steps.advance(Step::Comps, batch.len() as u64);
                let elements = batch.iter().map(|unit| comps_of(type_id, unit));
                let elements = elements.collect::<Result<Vec<Comps>, _>>()?;
                // A writer that has failed says so when it is joined.
                let _ = tx.send(elements).await;
            }
        }
        drop(tx);
        let written = join(handle).await?;
        self.steps.finish(Step::Comps);
        Ok(written)
    }

    /// Metadata files as they came. `taken` are names already given away in `repodata/`.
    ///
    /// # Errors
    /// What the context fails with.
    pub async fn metadata_files(
        &self,
        taken: &HashSet<RelativePath>,
    ) -> Result<Vec<Data>, ContentError> {
        let mut select = Select::all(METADATA_FILE);
        select.sort = &["data_type"];
        let mut units = self.all(select).await?;
        // Older syncs took over what is made of documents that are written here: it would contradict them.
        units.retain(|unit| is_unknown(text(unit, "data_type")));
        self.steps.begin(Step::Metadata, units.len() as u64);
        let mut files = Vec::new();
        let mut used = taken.clone();
        for unit in &units {
            let checksum = text(unit, "checksum");
            let digest = text(unit, "checksum_type")
                .parse()
                .and_then(|algorithm| Digest::new(algorithm, checksum))
                .map_err(ContentError::other)?;
            let own = Some(text(unit, "filename")).filter(|name| !name.is_empty());
            let fallback = format!("{checksum}-{}", text(unit, "data_type"));
            let path = |name: &str| {
                RelativePath::new(format!("repodata/{name}")).map_err(ContentError::other)
            };
            let mut href = path(own.unwrap_or(&fallback))?;
            if used.contains(&href) || signed::is_beside_repomd(href.as_str()) {
                href = path(&fallback)?;
            }
            self.ctx
                .add(href.clone(), entry(unit), unit.updated)
                .await?;
            used.insert(href.clone());
            files.push(Data {
                kind: text(unit, "data_type").to_owned(),
                href,
                given: None,
                base: None,
                checksum: Some(digest),
                unusable: None,
                open_checksum: None,
                size: unit.size,
                open_size: None,
                timestamp: Some(unit.updated.as_second()),
            });
            self.steps.advance(Step::Metadata, 1);
        }
        self.steps.finish(Step::Metadata);
        Ok(files)
    }
}

/// The element of comps.xml that a unit is.
fn comps_of(type_id: &str, unit: &RepoUnit) -> Result<Comps, ContentError> {
    Ok(match type_id {
        GROUP => Comps::Group(typed(unit)?),
        CATEGORY => Comps::Category(typed(unit)?),
        ENVIRONMENT => Comps::Environment(typed(unit)?),
        _ => {
            let matches = unit.doc.get("matches").cloned().unwrap_or_default();
            Comps::Langpacks(serde_json::from_value(matches).unwrap_or_default())
        }
    })
}

fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A delta as it is published: below `drpms/` wherever upstream had it. `first` are those that have their names, of those
/// that share one.
fn delta(
    unit: &RepoUnit,
    first: &HashMap<String, Outline>,
    names: &mut Names,
) -> Result<Delta, ContentError> {
    let own = |field: &str| text(unit, field).to_owned();
    let name = basename(text(unit, "filename"));
    let path = format!("drpms/{name}");
    let is_first = first.get(name).is_none_or(|first| first.id == unit.id);
    let own_path = match is_first {
        true => names.own(path.clone())?,
        false => None,
    };
    let filename = match own_path {
        Some(path) => path,
        None => names.of_file(&path, unit)?,
    };
    let algorithm = text(unit, "checksumtype").parse()?;
    Ok(Delta {
        name: own("new_package"),
        arch: own("arch"),
        new: [own("epoch"), own("version"), own("release")],
        old: [own("oldepoch"), own("oldversion"), own("oldrelease")],
        filename,
        given: None,
        sequence: own("sequence"),
        size: unit.doc.get("size").and_then(Value::as_u64).unwrap_or(0),
        digest: Digest::new(algorithm, text(unit, "checksum"))?,
    })
}

fn module_text(unit: &RepoUnit) -> Result<Vec<u8>, ContentError> {
    let stored = unit.parts.first().and_then(Option::as_ref);
    let bytes = stored.map(|s| snippet::unpack(s)).transpose()?;
    let bytes = bytes.unwrap_or_default();
    if Sha256::of(&bytes).to_string() != text(unit, "checksum") {
        return Err(ContentError::coded(ErrorDetail::new(
            "RPM1017",
            "Publish modules.yaml failed: modulemd checksum mismatch detected.",
        )));
    }
    Ok(bytes.into_owned())
}
