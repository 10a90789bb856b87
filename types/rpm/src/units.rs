//! Units of the family: what goes into the document, what into parts beside it, and how the two become what the REST
//! API shows (pulp2/rpm-units).

use std::borrow::Cow;

use bytes::Bytes;
use pith_content::json_text;
use pith_content::unit::{Existing, Part, Source, WantedUnit};
use pith_core::{Digest, Document, Sha256};
use serde_json::{Value, json};

use crate::learned::CHECKSUMS;
use crate::metadata::comps::{Comps, Match};
use crate::metadata::filelists::{self, PathKind};
use crate::metadata::modules::{ModuleDefaults, Modulemd, Other};
use crate::metadata::prestodelta::Delta;
use crate::metadata::primary::{DependencyEntry, Package};
use crate::metadata::snippet::{self, Packer};
use crate::metadata::{MetadataError, other, sort_index};
use crate::parts::{FILELISTS, OTHER, PRIMARY, YAML, document, metadata_only};
use crate::type_ids::{
    CATEGORY, DRPM, ENVIRONMENT, GROUP, LANGPACKS, MODULE_DOCUMENT, MODULEMD, MODULEMD_DEFAULTS,
    RPM, SRPM,
};

/// The stored snippets of a package.
#[derive(Debug, Clone)]
pub struct Snippets {
    /// The primary snippet.
    pub primary: Bytes,
    /// The filelists snippet; `None` where nobody says which files there are.
    pub filelists: Option<Bytes>,
    /// The other snippet; `None` where nobody says what changed.
    pub other: Option<Bytes>,
}

fn set(doc: &mut Document, key: &str, value: impl Into<Value>) {
    doc.insert(key.to_owned(), value.into());
}

/// The digest that a package is known by, which is the first of those of its file.
fn set_digest(doc: &mut Document, digest: &Digest) {
    let (name, hex) = (digest.algorithm().name(), digest.hex());
    set(doc, "checksumtype", name);
    set(doc, "checksum", hex);
    set(doc, CHECKSUMS, json!({ name: hex }));
}

/// A field whose value is null is not stored, so it is absent on the wire.
fn set_some(doc: &mut Document, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        set(doc, key, value);
    }
}

fn entries(entries: &[DependencyEntry]) -> Value {
    entries
        .iter()
        .map(|e| {
            json!({"name": e.name, "flags": e.flags, "epoch": e.epoch, "version": e.version, "release": e.release})
        })
        .collect()
}

/// The type of a package: source packages are a type of their own.
#[must_use]
pub fn package_type(package: &Package) -> &'static str {
    if package.is_source() { SRPM } else { RPM }
}

/// The document of a package.
#[must_use]
pub fn package_document(package: &Package) -> Document {
    let mut doc = Document::new();
    for (key, value) in [
        ("name", &package.name),
        ("epoch", &package.epoch),
        ("version", &package.version),
        ("release", &package.release),
        ("arch", &package.arch),
    ] {
        set(&mut doc, key, value.as_str());
    }
    set(&mut doc, CHECKSUMS, json!({}));
    if let Some(digest) = &package.digest {
        set_digest(&mut doc, digest);
    }
    for (key, value) in [
        ("summary", &package.summary),
        ("description", &package.description),
        ("url", &package.url),
        ("license", &package.license),
        ("vendor", &package.vendor),
        ("group", &package.group),
        ("buildhost", &package.buildhost),
        ("sourcerpm", &package.sourcerpm),
        ("base_url", &package.base),
    ] {
        set_some(&mut doc, key, value.as_deref());
    }
    set_some(&mut doc, "size", package.size);
    set_some(&mut doc, "time", package.time);
    set_some(&mut doc, "build_time", package.build_time);
    set(&mut doc, "filename", package.filename());
    set_some(
        &mut doc,
        "relativepath",
        package.href.as_ref().map(pith_core::RelativePath::as_str),
    );
    let range = package
        .header_range
        .map(|(start, end)| json!({"start": start, "end": end}));
    set(&mut doc, "header_range", range.unwrap_or_else(|| json!({})));
    set(&mut doc, "provides", entries(&package.provides));
    set(&mut doc, "requires", entries(&package.requires));
    set(&mut doc, "recommends", entries(&package.recommends));
    sort_indexes(&mut doc, &package.version, &package.release);
    if !package.is_source() {
        set(&mut doc, "is_modular", false);
    }
    doc
}

fn sort_indexes(doc: &mut Document, version: &str, release: &str) {
    set_some(doc, "version_sort_index", sort_index::encode(version));
    set_some(doc, "release_sort_index", sort_index::encode(release));
}

/// A package that a repository should have.
#[must_use]
pub fn package(package: &Package, snippets: Snippets, source: Source) -> WantedUnit {
    let parts = [
        (PRIMARY, Some(snippets.primary)),
        (FILELISTS, snippets.filelists),
        (OTHER, snippets.other),
    ];
    let parts = parts.into_iter();
    let mut unit = metadata_only(package_type(package), package_document(package));
    let parts = parts.filter_map(|(name, data)| Some(Part { name, data: data? }));
    unit.parts.extend(parts);
    unit.with_file(source)
}

/// Keeps the parts of a known package that the feed does not have any more: a feed that has lost its file lists for a while
/// takes none away.
pub fn keep_parts(known: &[(String, Vec<u8>)], wanted: &mut WantedUnit) {
    for name in [PRIMARY, FILELISTS, OTHER] {
        let known = known.iter().find(|(known, _)| known == name);
        if let Some((_, data)) = known.filter(|_| wanted.parts.iter().all(|p| p.name != name)) {
            let data = data.clone().into();
            wanted.parts.push(Part { name, data });
        }
    }
}

/// A delta package that a repository should have.
#[must_use]
pub fn delta(delta: &Delta, source: Source) -> WantedUnit {
    let mut doc = Document::new();
    let [epoch, version, release] = &delta.new;
    let [oldepoch, oldversion, oldrelease] = &delta.old;
    for (key, value) in [
        ("new_package", delta.name.as_str()),
        ("arch", &delta.arch),
        ("epoch", epoch),
        ("version", version),
        ("release", release),
        ("oldepoch", oldepoch),
        ("oldversion", oldversion),
        ("oldrelease", oldrelease),
        ("filename", delta.filename.as_str()),
        ("sequence", &delta.sequence),
    ] {
        set(&mut doc, key, value);
    }
    set(&mut doc, "size", delta.size);
    set_digest(&mut doc, &delta.digest);
    sort_indexes(&mut doc, version, release);
    WantedUnit::new(DRPM, doc).with_file(source)
}

/// An element of comps.xml as a unit of repository `repo_id`. What upstream changed is taken over (Pulp kept the first
/// version for good).
#[must_use]
pub fn comps(comps: &Comps, repo_id: &str) -> WantedUnit {
    let (type_id, mut doc) = match comps {
        Comps::Group(group) => (GROUP, document(group)),
        Comps::Category(category) => (CATEGORY, document(category)),
        Comps::Environment(environment) => (ENVIRONMENT, document(environment)),
        Comps::Langpacks(matches) => (LANGPACKS, document(json!({"matches": langpacks(matches)}))),
    };
    set(&mut doc, "repo_id", repo_id);
    metadata_only(type_id, doc)
}

fn langpacks(matches: &[Match]) -> Value {
    matches
        .iter()
        .map(|m| json!({"install": m.install, "name": m.name}))
        .collect()
}

/// A module stream with its document as it was written.
///
/// # Errors
/// When the document cannot be packed.
pub fn modulemd(module: &Modulemd, text: &str, packer: &mut Packer) -> std::io::Result<WantedUnit> {
    let doc = document(json!({
        "name": module.name, "stream": module.stream, "version": module.version, "context": module.context,
        "arch": module.arch, "summary": module.summary, "description": module.description,
        "profiles": module.profiles, "artifacts": module.artifacts, "dependencies": module.dependencies,
        "checksum": Sha256::of(text.as_bytes()).to_string(),
    }));
    yaml_unit(MODULEMD, doc, text, packer)
}

/// Defaults of a module in repository `repo_id`.
///
/// # Errors
/// When the document cannot be packed.
pub fn module_defaults(
    defaults: &ModuleDefaults,
    repo_id: &str,
    text: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let mut doc = document(json!({
        "name": defaults.name, "repo_id": repo_id, "profiles": defaults.profiles,
        "checksum": Sha256::of(text.as_bytes()).to_string(),
    }));
    set_some(&mut doc, "stream", defaults.stream.as_deref());
    yaml_unit(MODULEMD_DEFAULTS, doc, text, packer)
}

/// The way in which a document that is only passed on came into its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It came with the feed, which may take it back.
    Feed,
    /// It came with an upload: it stays until somebody removes it.
    Upload,
    /// It came with a copy, and the next one may bring another in its place.
    Copy,
}

impl Origin {
    /// The origin that a value of the field [`ORIGIN`] names.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Feed, Self::Upload, Self::Copy];
        all.into_iter().find(|origin| origin.name() == name)
    }

    /// The value of the field [`ORIGIN`].
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Upload => "upload",
            Self::Copy => "copy",
        }
    }
}

/// The field of [`Origin`].
pub const ORIGIN: &str = "origin";

/// A document of modules.yaml that is only passed on, in repository `repo_id`.
///
/// # Errors
/// When the document cannot be packed.
pub fn module_document(
    other: &Other,
    repo_id: &str,
    origin: Origin,
    text: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let doc = document(json!({
        "document": other.kind, "name": other.module, "stream": other.stream, "repo_id": repo_id,
        "checksum": Sha256::of(text.as_bytes()).to_string(), ORIGIN: origin.name(),
    }));
    let mut unit = yaml_unit(MODULE_DOCUMENT, doc, text, packer)?;
    if origin != Origin::Feed {
        // The feed goes on owning what it has.
        unit.existing = Existing::Keep;
    }
    Ok(unit)
}

fn yaml_unit(
    type_id: &'static str,
    doc: Document,
    text: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let mut unit = metadata_only(type_id, doc);
    unit.parts.push(Part {
        name: YAML,
        data: packer.pack(text.as_bytes())?,
    });
    Ok(unit)
}

/// The fields of a package that are made of parts, as JSON text: appends `,"name":value` for each.
pub fn package_text(parts: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
    let part = |name: &str| parts.iter().find(|(n, _)| n == name).map(|(_, data)| data);
    let mut repodata = Vec::new();
    for name in [PRIMARY, FILELISTS, OTHER] {
        let Some(text) = part(name).and_then(|data| snippet::unpack(data).ok()) else {
            continue;
        };
        // The lossy way takes long to find that nothing is lost.
        let shown = std::str::from_utf8(&text)
            .map_or_else(|_| String::from_utf8_lossy(&text), Cow::Borrowed);
        json_text::push_member(&mut repodata, name, &*shown);
        // A field is shown whole or not at all.
        let before = out.len();
        let written = match name {
            FILELISTS => files_text(&text, out),
            OTHER => changelog_text(&text, out),
            _ => Ok(()),
        };
        if written.is_err() {
            out.truncate(before);
        }
    }
    out.extend_from_slice(b",\"repodata\":{");
    out.extend_from_slice(repodata.get(1..).unwrap_or_default());
    out.push(b'}');
}

fn files_text(snippet: &[u8], out: &mut Vec<u8>) -> Result<(), MetadataError> {
    out.extend_from_slice(b",\"files\":{\"file\":[");
    let mut dirs = b"[".to_vec();
    filelists::each(snippet, |entry, path| match entry {
        PathKind::File => json_text::push_item(out, path),
        PathKind::Dir => json_text::push_item(&mut dirs, path),
    })?;
    out.extend_from_slice(b"],\"dir\":");
    out.extend_from_slice(&dirs);
    out.extend_from_slice(b"]}");
    Ok(())
}

fn changelog_text(snippet: &[u8], out: &mut Vec<u8>) -> Result<(), MetadataError> {
    out.extend_from_slice(b",\"changelog\":[");
    other::each(snippet, |date, author, text| {
        json_text::push_item(out, &(date, author, text));
    })?;
    out.push(b']');
    Ok(())
}
