//! Units of the family: what goes into the document, what into parts beside it, and how the two become what the REST
//! API shows (reference: rpm §2).

use bytes::Bytes;
use pith_content::json_text;
use pith_content::unit::{Existing, Part, Source, WantedUnit};
use pith_core::{Document, Sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::metadata::comps::{Comps, Match};
use crate::metadata::filelists::{self, Entry};
use crate::metadata::modules::{ModuleDefaults, Modulemd};
use crate::metadata::prestodelta::Delta;
use crate::metadata::primary::{Entry as Dependency, Package};
use crate::metadata::snippet::{self, Packer};
use crate::metadata::updateinfo::{Collection, Erratum, ErratumPackage, ModuleRef};
use crate::metadata::{MetadataError, other, sort_index};
use crate::types::{
    CATEGORY, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};

/// The part with the primary snippet.
pub const PRIMARY: &str = "primary";
/// The part with the filelists snippet.
pub const FILELISTS: &str = "filelists";
/// The part with the other snippet.
pub const OTHER: &str = "other";
/// The part with the package lists of an advisory.
pub const PKGLIST: &str = "pkglist";
/// The part with the text of a module document.
pub const YAML: &str = "document";

/// The stored snippets of a package.
#[derive(Debug, Clone)]
pub struct Snippets {
    /// The primary snippet.
    pub primary: Bytes,
    /// The filelists snippet.
    pub filelists: Bytes,
    /// The other snippet.
    pub other: Bytes,
}

fn set(doc: &mut Document, key: &str, value: impl Into<Value>) {
    doc.insert(key.to_owned(), value.into());
}

/// A field whose value is null is not stored, so it is absent on the wire.
fn set_some(doc: &mut Document, key: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        set(doc, key, value);
    }
}

fn entries(entries: &[Dependency]) -> Value {
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
    if let Some(digest) = &package.digest {
        set(&mut doc, "checksumtype", digest.algorithm().name());
        set(&mut doc, "checksum", digest.hex());
    }
    set(&mut doc, "checksums", json!({}));
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
    let part = |name, data| Part { name, data };
    WantedUnit {
        type_id: package_type(package),
        doc: package_document(package),
        parts: vec![
            part(PRIMARY, snippets.primary),
            part(FILELISTS, snippets.filelists),
            part(OTHER, snippets.other),
        ],
        source: Some(source),
        existing: Existing::Keep,
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
        ("checksumtype", delta.digest.algorithm().name()),
        ("checksum", delta.digest.hex()),
    ] {
        set(&mut doc, key, value);
    }
    set(&mut doc, "size", delta.size);
    set(&mut doc, "checksums", json!({}));
    sort_indexes(&mut doc, version, release);
    WantedUnit {
        type_id: DRPM,
        doc,
        parts: Vec::new(),
        source: Some(source),
        existing: Existing::Keep,
    }
}

fn document(value: impl Serialize) -> Document {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        _ => Document::new(),
    }
}

fn metadata_only(type_id: &'static str, doc: Document) -> WantedUnit {
    WantedUnit {
        type_id,
        doc,
        parts: Vec::new(),
        source: None,
        existing: Existing::Replace,
    }
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

/// The packages of an advisory as one repository knows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepoPkglist {
    /// The repository.
    pub repo_id: String,
    /// Its collections.
    pub collections: Vec<Collection>,
}

/// An advisory with its packages as repository `repo_id` knows them.
///
/// # Errors
/// When the packages cannot be packed.
pub fn erratum(
    mut erratum: Erratum,
    repo_id: &str,
    packer: &mut Packer,
) -> std::io::Result<WantedUnit> {
    let lists = [RepoPkglist {
        repo_id: repo_id.to_owned(),
        collections: std::mem::take(&mut erratum.pkglist),
    }];
    let mut unit = metadata_only(ERRATUM, document(&erratum));
    unit.parts.push(pkglist_part(&lists, packer)?);
    Ok(unit)
}

fn pkglist_part(lists: &[RepoPkglist], packer: &mut Packer) -> std::io::Result<Part> {
    Ok(Part {
        name: PKGLIST,
        data: packer.pack(&serde_json::to_vec(lists)?)?,
    })
}

/// Reads the part of an advisory.
#[must_use]
pub fn pkglists(stored: &[u8]) -> Vec<RepoPkglist> {
    snippet::unpack(stored)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// What becomes of a known advisory that is handed over again: newer fields win, and the packages of other repositories
/// stay (reference: rpm §6.8).
pub fn merge_erratum(known: &Document, known_lists: &[RepoPkglist], wanted: &mut WantedUnit) {
    let text = |doc: &Document, key: &str| {
        doc.get(key)
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let newer = crate::metadata::updateinfo::newer(
        &text(&wanted.doc, "updated"),
        &text(&wanted.doc, "version"),
        &text(known, "updated"),
        &text(known, "version"),
    );
    if newer {
        if let Some(issued) = known.get("issued") {
            wanted.doc.insert("issued".to_owned(), issued.clone());
        }
    } else {
        for (key, value) in known {
            if !key.ends_with("_suggested") {
                wanted.doc.insert(key.clone(), value.clone());
            }
        }
    }
    let incoming = wanted
        .parts
        .iter()
        .find(|p| p.name == PKGLIST)
        .map(|p| pkglists(&p.data))
        .unwrap_or_default();
    let mut lists: Vec<RepoPkglist> = known_lists
        .iter()
        .filter(|list| !incoming.iter().any(|new| new.repo_id == list.repo_id))
        .cloned()
        .collect();
    lists.extend(incoming);
    if let Ok(part) = Packer::new().and_then(|mut packer| pkglist_part(&lists, &mut packer)) {
        wanted.parts = vec![part];
    }
}

/// The packages of an advisory grouped by module, duplicates dropped.
#[must_use]
pub fn by_module(lists: &[RepoPkglist]) -> Vec<(Option<ModuleRef>, Vec<ErratumPackage>)> {
    let mut groups: Vec<(Option<ModuleRef>, Vec<ErratumPackage>)> = Vec::new();
    for collection in lists.iter().flat_map(|l| &l.collections) {
        let at = groups.iter().position(|(m, _)| *m == collection.module);
        let at = at.unwrap_or_else(|| {
            groups.push((collection.module.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[at].1.extend(collection.packages.iter().cloned());
    }
    for (_, packages) in &mut groups {
        let mut seen = std::collections::HashSet::new();
        packages.retain(|p| {
            seen.insert(format!(
                "{}\0{:?}\0{}\0{}\0{}\0{:?}\0{:?}\0{:?}",
                p.name, p.epoch, p.version, p.release, p.arch, p.src, p.filename, p.sum
            ))
        });
    }
    groups.retain(|(_, packages)| !packages.is_empty());
    groups
}

/// `pkglist` as the REST API shows it (reference: rpm §2.3).
fn presented_pkglist(stored: &[u8]) -> Value {
    by_module(&pkglists(stored))
        .into_iter()
        .enumerate()
        .map(|(n, (module, packages))| {
            let mut collection =
                json!({"packages": packages, "short": "", "name": format!("collection-{n}")});
            if let Some(module) = module {
                collection["module"] = json!(module);
            }
            collection
        })
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

/// Adds the fields that are made of parts (reference: rpm §2.1, §2.3).
pub fn present(type_id: &str, doc: &mut Document, parts: &[(String, Vec<u8>)]) {
    let part = |name: &str| parts.iter().find(|(n, _)| n == name).map(|(_, data)| data);
    if type_id == ERRATUM {
        let list = part(PKGLIST).map_or_else(|| json!([]), |data| presented_pkglist(data));
        set(doc, "pkglist", list);
        return;
    }
    if type_id == RPM || type_id == SRPM {
        let mut text = b"{".to_vec();
        package_text(parts, &mut text);
        text.push(b'}');
        if text.get(1) == Some(&b',') {
            text.remove(1);
        }
        if let Ok(Value::Object(fields)) = serde_json::from_slice(&text) {
            doc.extend(fields);
        }
    }
}

/// As [`present`] for packages, as JSON text: appends `,"name":value` for each field.
pub fn package_text(parts: &[(String, Vec<u8>)], out: &mut Vec<u8>) {
    let part = |name: &str| parts.iter().find(|(n, _)| n == name).map(|(_, data)| data);
    let mut repodata = Vec::new();
    for name in [PRIMARY, FILELISTS, OTHER] {
        let Some(text) = part(name).and_then(|data| snippet::unpack(data).ok()) else {
            continue;
        };
        json_text::push_member(&mut repodata, name, &*String::from_utf8_lossy(&text));
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
        Entry::File => json_text::push_item(out, path),
        Entry::Dir => json_text::push_item(&mut dirs, path),
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

/// The fields that [`present`] adds, with the parts they are made of.
#[must_use]
pub fn presented_fields(type_id: &str) -> &'static [(&'static str, &'static [&'static str])] {
    match type_id {
        RPM | SRPM => &[
            ("repodata", &[PRIMARY, FILELISTS, OTHER]),
            ("files", &[FILELISTS]),
            ("changelog", &[OTHER]),
        ],
        ERRATUM => &[("pkglist", &[PKGLIST])],
        _ => &[],
    }
}
