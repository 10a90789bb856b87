//! updateinfo.xml: advisories.

use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use super::MetadataError;
use super::xml::{Children, Element, XmlWriter};

/// A reference of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Identity, such as a CVE number.
    pub id: Option<String>,
    /// Where to read it.
    pub href: Option<String>,
    /// `bugzilla`, `cve`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Title.
    pub title: Option<String>,
}

/// A module that a collection belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModuleRef {
    /// Name.
    pub name: String,
    /// Stream.
    pub stream: String,
    /// Version, as text.
    pub version: String,
    /// Context.
    pub context: String,
    /// Architecture.
    pub arch: String,
}

/// A package of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErratumPackage {
    /// Name.
    pub name: String,
    /// Epoch; `None` when absent.
    pub epoch: Option<String>,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// Source package.
    pub src: Option<String>,
    /// File name.
    pub filename: Option<String>,
    /// Algorithm and digest, alternating; `None` when there is none.
    pub sum: Option<Vec<String>>,
    /// Raw text of the element, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_suggested: Option<String>,
    /// Raw text of the element, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relogin_suggested: Option<String>,
    /// Raw text of the element, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_suggested: Option<String>,
}

/// A collection of packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Name.
    #[serde(default)]
    pub name: String,
    /// Short name.
    #[serde(default)]
    pub short: String,
    /// Packages.
    #[serde(default)]
    pub packages: Vec<ErratumPackage>,
    /// Module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleRef>,
}

/// An advisory; the serialised form, less `pkglist`, is the unit's document (reference: rpm §2.3).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Erratum {
    /// Identity.
    pub id: String,
    /// Title; `None` when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description.
    pub description: String,
    /// Version of the advisory.
    pub version: String,
    /// Release it is for.
    pub release: String,
    /// `security`, `bugfix`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `stable`, …
    pub status: String,
    /// Last change, in free form.
    pub updated: String,
    /// First issue, in free form.
    pub issued: String,
    /// Severity.
    pub severity: String,
    /// How often it was pushed.
    pub pushcount: String,
    /// Who issued it.
    pub from: String,
    /// Rights.
    pub rights: String,
    /// Summary.
    pub summary: String,
    /// Solution.
    pub solution: String,
    /// References.
    pub references: Vec<Reference>,
    /// Whether a reboot is suggested.
    pub reboot_suggested: bool,
    /// Whether logging in again is suggested.
    pub relogin_suggested: bool,
    /// Whether restarting is suggested.
    pub restart_suggested: bool,
    /// Packages; kept beside the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pkglist: Vec<Collection>,
}

/// An updateinfo document, advisory by advisory.
pub struct ErratumStream<R> {
    children: Children<R>,
}

impl<R: BufRead> ErratumStream<R> {
    /// Opens an updateinfo document.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(input: R) -> Result<Self, MetadataError> {
        Ok(Self {
            children: Children::open(input, "updates")?,
        })
    }

    /// The next advisory; `None` after the last.
    ///
    /// # Errors
    /// When the document is broken or an advisory lacks what is mandatory (reference: rpm §6.8).
    pub fn next_erratum(&mut self) -> Result<Option<Erratum>, MetadataError> {
        while let Some(child) = self.children.next_child()? {
            if child.name == "update" {
                return erratum(&child).map(Some);
            }
        }
        Ok(None)
    }
}

fn text(element: &Element, name: &str) -> String {
    element
        .child(name)
        .map(|c| c.text.trim().to_owned())
        .unwrap_or_default()
}

fn suggested(element: &Element, name: &str) -> bool {
    element
        .text_of(name)
        .is_some_and(|t| t == "1" || t.eq_ignore_ascii_case("true"))
}

fn erratum(update: &Element) -> Result<Erratum, MetadataError> {
    let id = text(update, "id");
    if id.is_empty() {
        return Err(MetadataError::structure("an update has no id"));
    }
    let attr = |name: &str| {
        update.attr(name).map(str::to_owned).ok_or_else(|| {
            MetadataError::structure(format!("the update '{id}' has no attribute '{name}'"))
        })
    };
    let date = |name: &str| {
        update
            .child(name)
            .and_then(|c| c.attr("date"))
            .unwrap_or_default()
            .to_owned()
    };
    let pkglist = pkglist(update, &id)?;
    let reboot = pkglist
        .iter()
        .flat_map(|c| &c.packages)
        .any(|p| p.reboot_suggested.as_deref().is_some_and(|t| !t.is_empty()));
    Ok(Erratum {
        title: update.text_of("title").map(str::to_owned),
        description: text(update, "description"),
        version: attr("version")?,
        release: text(update, "release"),
        kind: attr("type")?,
        status: attr("status")?,
        updated: date("updated"),
        issued: date("issued"),
        severity: text(update, "severity"),
        pushcount: text(update, "pushcount"),
        from: attr("from")?,
        rights: text(update, "rights"),
        summary: text(update, "summary"),
        solution: text(update, "solution"),
        references: update
            .child("references")
            .map(|r| r.all("reference").map(reference).collect())
            .unwrap_or_default(),
        reboot_suggested: reboot,
        relogin_suggested: suggested(update, "relogin_suggested"),
        restart_suggested: suggested(update, "restart_suggested"),
        pkglist,
        id,
    })
}

fn reference(element: &Element) -> Reference {
    let attr = |name: &str| element.attr(name).map(str::to_owned);
    Reference {
        id: attr("id"),
        href: attr("href"),
        kind: attr("type"),
        title: attr("title"),
    }
}

fn pkglist(update: &Element, id: &str) -> Result<Vec<Collection>, MetadataError> {
    let mut collections = Vec::new();
    for element in update.all("pkglist").flat_map(|p| p.all("collection")) {
        let mut modules = element.all("module").map(module);
        let collection = Collection {
            name: text(element, "name"),
            short: element.attr("short").unwrap_or_default().to_owned(),
            packages: element.all("package").map(package).collect(),
            module: modules.next(),
        };
        if modules.next().is_some() {
            return Err(MetadataError::structure(format!(
                "a collection of the update '{id}' has more than one module"
            )));
        }
        collections.push(collection);
    }
    Ok(collections)
}

fn module(element: &Element) -> ModuleRef {
    let attr = |name: &str| element.attr(name).unwrap_or_default().to_owned();
    ModuleRef {
        name: attr("name"),
        stream: attr("stream"),
        version: attr("version"),
        context: attr("context"),
        arch: attr("arch"),
    }
}

fn package(element: &Element) -> ErratumPackage {
    let attr = |name: &str| element.attr(name).unwrap_or_default().to_owned();
    let raw = |name: &str| element.child(name).map(|c| c.text.trim().to_owned());
    let sums: Vec<String> = element
        .all("sum")
        .flat_map(|s| {
            let kind = s.attr("type").unwrap_or_default().to_owned();
            [kind, s.text.trim().to_owned()]
        })
        .collect();
    ErratumPackage {
        name: attr("name"),
        epoch: element.attr("epoch").map(str::to_owned),
        version: attr("version"),
        release: attr("release"),
        arch: attr("arch"),
        src: element.attr("src").map(str::to_owned),
        filename: element.text_of("filename").map(str::to_owned),
        sum: (!sums.is_empty()).then_some(sums),
        reboot_suggested: raw("reboot_suggested"),
        relogin_suggested: raw("relogin_suggested"),
        restart_suggested: raw("restart_suggested"),
    }
}

/// Writes updateinfo.xml (reference: rpm §12.5).
pub struct ErratumWriter<W: Write>(XmlWriter<W>);

impl<W: Write> ErratumWriter<W> {
    /// Begins the document.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn new(out: W) -> io::Result<Self> {
        let mut xml = XmlWriter::new(out);
        xml.line(r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
        xml.start("updates", &[])?;
        Ok(Self(xml))
    }

    /// Adds an advisory as it is, with all its packages.
    ///
    /// # Errors
    /// When the document cannot be written.
    pub fn push(&mut self, erratum: &Erratum) -> io::Result<()> {
        let xml = &mut self.0;
        xml.start(
            "update",
            &[
                ("status", &erratum.status),
                ("type", &erratum.kind),
                ("version", &erratum.version),
                ("from", &erratum.from),
            ],
        )?;
        xml.leaf("id", &[], &erratum.id)?;
        xml.leaf("issued", &[("date", &erratum.issued)], "")?;
        if erratum.reboot_suggested {
            xml.leaf("reboot_suggested", &[], "True")?;
        }
        for (name, value) in [
            ("title", erratum.title.as_deref().unwrap_or_default()),
            ("release", &erratum.release),
            ("rights", &erratum.rights),
            ("solution", &erratum.solution),
            ("severity", &erratum.severity),
            ("summary", &erratum.summary),
            ("pushcount", &erratum.pushcount),
        ] {
            if !value.is_empty() {
                xml.leaf(name, &[], value)?;
            }
        }
        xml.leaf("description", &[], &erratum.description)?;
        if !erratum.updated.is_empty() {
            xml.leaf("updated", &[("date", &erratum.updated)], "")?;
        }
        xml.start("references", &[])?;
        for reference in &erratum.references {
            let attributes: Vec<(&str, &str)> = [
                ("id", &reference.id),
                ("title", &reference.title),
                ("type", &reference.kind),
                ("href", &reference.href),
            ]
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
            .collect();
            xml.leaf("reference", &attributes, "")?;
        }
        xml.end()?;
        xml.start("pkglist", &[])?;
        for collection in &erratum.pkglist {
            write_collection(xml, collection)?;
        }
        xml.end()?;
        xml.end()
    }

    /// Ends the document.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.0.end()
    }
}

fn write_collection<W: Write>(xml: &mut XmlWriter<W>, collection: &Collection) -> io::Result<()> {
    xml.start("collection", &[("short", &collection.short)])?;
    xml.leaf("name", &[], &collection.name)?;
    if let Some(module) = &collection.module {
        xml.leaf(
            "module",
            &[
                ("name", &module.name),
                ("stream", &module.stream),
                ("version", &module.version),
                ("context", &module.context),
                ("arch", &module.arch),
            ],
            "",
        )?;
    }
    for package in &collection.packages {
        xml.start(
            "package",
            &[
                ("name", &package.name),
                ("version", &package.version),
                ("release", &package.release),
                ("epoch", package.epoch.as_deref().unwrap_or("0")),
                ("arch", &package.arch),
                ("src", package.src.as_deref().unwrap_or_default()),
            ],
        )?;
        xml.leaf(
            "filename",
            &[],
            package.filename.as_deref().unwrap_or_default(),
        )?;
        if let Some([kind, value]) = package.sum.as_deref() {
            xml.leaf("sum", &[("type", kind)], value)?;
        }
        if package.reboot_suggested.is_some() {
            xml.leaf("reboot_suggested", &[], "True")?;
        }
        for (name, value) in [
            ("relogin_suggested", &package.relogin_suggested),
            ("restart_suggested", &package.restart_suggested),
        ] {
            if let Some(value) = value {
                xml.leaf(name, &[], value)?;
            }
        }
        xml.end()?;
    }
    xml.end()
}

/// A point in time of an advisory that can be compared (reference: rpm §6.8); `None` when it cannot be read.
#[must_use]
pub fn moment(date: &str) -> Option<String> {
    let text = date.trim();
    let text = text.strip_suffix(" UTC").unwrap_or(text).trim();
    let shape: String = text
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    match shape.as_str() {
        "0000-00-00 00:00:00" => Some(text.to_owned()),
        "0000-00-00 00:00" => Some(format!("{text}:00")),
        "0000-00-00" => Some(format!("{text} 00:00:00")),
        _ => None,
    }
}

/// Whether an incoming advisory is newer than the one stored: by date, then by version (reference: rpm §6.8). An
/// incoming date that cannot be read counts as not newer.
#[must_use]
pub fn newer(updated: &str, version: &str, known_updated: &str, known_version: &str) -> bool {
    if updated.trim().is_empty() {
        return newer_version(version, known_version);
    }
    let Some(incoming) = moment(updated) else {
        return false;
    };
    let known = moment(known_updated).unwrap_or_else(|| "1970-01-01 00:00:00".to_owned());
    match incoming.cmp(&known) {
        std::cmp::Ordering::Greater => true,
        std::cmp::Ordering::Equal => newer_version(version, known_version),
        std::cmp::Ordering::Less => false,
    }
}

fn newer_version(version: &str, known: &str) -> bool {
    if version.is_empty() {
        return false;
    }
    let known = if known.is_empty() { "0" } else { known };
    match (version.parse::<f64>(), known.parse::<f64>()) {
        (Ok(incoming), Ok(known)) => incoming > known,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_then_versions_decide_what_is_newer() {
        for (incoming, known, expected) in [
            (("2020-01-02", "1"), ("2020-01-01 10:00:00", "9"), true),
            (("2020-01-01 00:00 UTC", "2"), ("2020-01-01", "1"), true),
            (("2020-01-01", "1"), ("2020-01-01", "1"), false),
            (("", "2"), ("2020-01-01", "1"), true),
            (("", ""), ("2020-01-01", "1"), false),
            (("2020-01-01", "1"), ("", "1"), true),
            (("soon", "5"), ("2020-01-01", "1"), false),
            (("2020-01-01", "x"), ("2020-01-01", "1"), true),
        ] {
            assert_eq!(
                newer(incoming.0, incoming.1, known.0, known.1),
                expected,
                "{incoming:?} against {known:?}"
            );
        }
    }

    #[test]
    fn an_advisory_survives_writing_and_reading() {
        let source = br#"<updates><update from="a@b" status="stable" type="security" version="1">
            <id>R-1</id><title>T &amp; t</title><issued date="2020-01-01"/><updated date="2020-01-02"/>
            <severity>High</severity><description>D</description>
            <references><reference href="http://x/" id="CVE-1" type="cve" title="C"/></references>
            <pkglist><collection short="s"><name>n</name>
              <module name="m" stream="1.10" version="3" context="c" arch="x86_64"/>
              <package name="p" version="1" release="2" epoch="0" arch="noarch" src="p.src.rpm">
                <filename>p-1-2.noarch.rpm</filename><sum type="sha256">ab</sum><reboot_suggested>True</reboot_suggested>
              </package></collection></pkglist></update></updates>"#;
        let mut stream = ErratumStream::open(source.as_slice()).unwrap();
        let erratum = stream.next_erratum().unwrap().unwrap();
        assert!(stream.next_erratum().unwrap().is_none());
        assert!(erratum.reboot_suggested);
        assert_eq!(erratum.pkglist[0].module.as_ref().unwrap().stream, "1.10");
        let mut bytes = Vec::new();
        let mut writer = ErratumWriter::new(&mut bytes).unwrap();
        writer.push(&erratum).unwrap();
        writer.finish().unwrap();
        let again = ErratumStream::open(bytes.as_slice())
            .unwrap()
            .next_erratum()
            .unwrap()
            .unwrap();
        assert_eq!(again, erratum);
    }

    #[test]
    fn an_advisory_without_what_is_mandatory_is_refused() {
        for bad in [
            "<updates><update from='a' status='b' type='c' version='1'/></updates>",
            "<updates><update from='a' status='b' type='c'><id>x</id></update></updates>",
        ] {
            let mut stream = ErratumStream::open(bad.as_bytes()).unwrap();
            assert!(stream.next_erratum().is_err(), "{bad}");
        }
    }
}
