//! updateinfo.xml: advisories.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};

use pith_content::Bent;
use serde::{Deserialize, Serialize};

use super::limits::{ADVISORIES, LISTED, Sum};
use super::odd::Odd;
pub use super::pkglist::{Collection, ErratumPackage, ModuleRef};
use super::xml::{Children, Element, XmlWriter};
use super::{MetadataError, dates, loose};

/// A reference of an advisory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// Identity, such as a CVE number.
    pub id: Option<String>,
    /// The URL at which it can be read.
    pub href: Option<String>,
    /// `bugzilla`, `cve`, …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Title.
    pub title: Option<String>,
}

/// An advisory; the serialised form, less `pkglist`, is the unit's document (pulp2/rpm-units#advisories).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Erratum {
    /// Identity.
    #[serde(deserialize_with = "loose::as_text")]
    pub id: String,
    /// Title; `None` when empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description.
    #[serde(deserialize_with = "loose::as_text")]
    pub description: String,
    /// Version of the advisory.
    #[serde(deserialize_with = "loose::as_text")]
    pub version: String,
    /// Release it is for.
    #[serde(deserialize_with = "loose::as_text")]
    pub release: String,
    /// `security`, `bugfix`, …
    #[serde(rename = "type")]
    #[serde(deserialize_with = "loose::as_text")]
    pub kind: String,
    /// `stable`, …
    #[serde(deserialize_with = "loose::as_text")]
    pub status: String,
    /// Last change, in free form.
    #[serde(deserialize_with = "loose::as_text")]
    pub updated: String,
    /// First issue, in free form.
    #[serde(deserialize_with = "loose::as_text")]
    pub issued: String,
    /// Severity.
    #[serde(deserialize_with = "loose::as_text")]
    pub severity: String,
    /// The number of times that it was pushed.
    #[serde(deserialize_with = "loose::as_text")]
    pub pushcount: String,
    /// The issuer.
    #[serde(deserialize_with = "loose::as_text")]
    pub from: String,
    /// Rights.
    #[serde(deserialize_with = "loose::as_text")]
    pub rights: String,
    /// Summary.
    #[serde(deserialize_with = "loose::as_text")]
    pub summary: String,
    /// Solution.
    #[serde(deserialize_with = "loose::as_text")]
    pub solution: String,
    /// References.
    pub references: Vec<Reference>,
    /// Is true when a reboot is suggested.
    #[serde(deserialize_with = "loose::as_flag")]
    pub reboot_suggested: bool,
    /// Is true when logging in again is suggested.
    #[serde(deserialize_with = "loose::as_flag")]
    pub relogin_suggested: bool,
    /// Is true when restarting is suggested.
    #[serde(deserialize_with = "loose::as_flag")]
    pub restart_suggested: bool,
    /// Packages; kept beside the document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pkglist: Vec<Collection>,
}

impl Erratum {
    /// One advisory of two elements with its id: the texts of the newer, or of the first; the lists of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let newer = dates::compare(
            (&other.updated, &other.version),
            (&self.updated, &self.version),
        );
        let mut references = self.references.clone();
        let known: HashSet<&Reference> = self.references.iter().collect();
        let new = other.references.iter().filter(|new| !known.contains(new));
        references.extend(new.cloned());
        let mut pkglist = self.pkglist.clone();
        // They hold what clients gave, in any form: as texts they are told apart.
        let text = |collection: &Collection| serde_json::to_string(collection).ok();
        let known: HashSet<_> = self.pkglist.iter().map(text).collect();
        let new = other
            .pkglist
            .iter()
            .filter(|new| !known.contains(&text(new)));
        pkglist.extend(new.cloned());
        Self {
            references,
            pkglist,
            reboot_suggested: self.reboot_suggested || other.reboot_suggested,
            relogin_suggested: self.relogin_suggested || other.relogin_suggested,
            restart_suggested: self.restart_suggested || other.restart_suggested,
            ..if newer.is_gt() { other } else { self }
        }
    }
}

/// An updateinfo document, advisory by advisory.
pub struct ErratumStream<R> {
    children: Children<R>,
    odd: Odd,
    count: Sum,
}

impl<R: BufRead> ErratumStream<R> {
    /// Opens an updateinfo document.
    ///
    /// # Errors
    /// When it is something else.
    pub fn open(input: R) -> Result<Self, MetadataError> {
        Ok(Self {
            children: Children::open(input, "updates")?,
            odd: Odd::default(),
            count: Sum::new("number of advisories", ADVISORIES),
        })
    }

    /// Notes what is odd in `bent`.
    #[must_use]
    pub fn noting(mut self, bent: &Bent) -> Self {
        self.odd = Odd::new(bent);
        self
    }

    /// The next advisory; `None` after the last. One without an id is left out.
    ///
    /// # Errors
    /// When the document is broken.
    pub fn next_erratum(&mut self) -> Result<Option<Erratum>, MetadataError> {
        while let Some(child) = self.children.next_child()? {
            if child.name != "update" {
                continue;
            }
            let id = text(&child, "id");
            self.odd
                .bytes(self.children.replaced(), &format!("advisory {id}"));
            if id.is_empty() {
                let title = text(&child, "title");
                self.odd
                    .left_out(&format!("an advisory without an id, '{title}'"));
                continue;
            }
            self.count.add(1)?;
            return erratum(&child, id, &self.odd).map(Some);
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

/// The advisory of an `<update>`. What is missing is empty, as dnf has it.
fn erratum(update: &Element, id: String, odd: &Odd) -> Result<Erratum, MetadataError> {
    let attr = |name: &str| match update.attr(name) {
        Some(value) => value.to_owned(),
        None => {
            odd.missing(&format!("advisory {id}: {name}"));
            String::new()
        }
    };
    let date = |name: &str| {
        let date = update.child(name).and_then(|c| c.attr("date"));
        let date = date.unwrap_or_default().to_owned();
        if !date.trim().is_empty() && dates::moment(&date).is_none() {
            odd.date(&format!("advisory {id}: {name} '{date}'"));
        }
        date
    };
    let pkglist = pkglist(update, &id, odd)?;
    let reboot = suggested(update, "reboot_suggested")
        || pkglist
            .iter()
            .flat_map(|c| &c.packages)
            .any(|p| p.reboot_suggested.as_deref().is_some_and(|t| !t.is_empty()));
    Ok(Erratum {
        title: update.text_of("title").map(str::to_owned),
        description: text(update, "description"),
        version: attr("version"),
        release: text(update, "release"),
        kind: attr("type"),
        status: attr("status"),
        updated: date("updated"),
        issued: date("issued"),
        severity: text(update, "severity"),
        pushcount: text(update, "pushcount"),
        from: attr("from"),
        rights: text(update, "rights"),
        summary: text(update, "summary"),
        solution: text(update, "solution"),
        references: update
            .all("references")
            .flat_map(|r| r.all("reference").map(reference))
            .collect(),
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

/// The collections of an advisory. One that names several modules counts for each of them.
fn pkglist(update: &Element, id: &str, odd: &Odd) -> Result<Vec<Collection>, MetadataError> {
    let mut listed = Sum::new("number of packages of an advisory", LISTED);
    let mut collections = Vec::new();
    for element in update.all("pkglist").flat_map(|p| p.all("collection")) {
        let modules = element.all("module").count();
        if modules > 1 {
            odd.several_modules(&format!("advisory {id}"));
            let packages = element.all("package").count() + 1;
            listed.add(packages.saturating_mul(modules))?;
        }
        let mut modules = element.all("module").map(module);
        let first = Collection {
            name: text(element, "name"),
            short: element.attr("short").unwrap_or_default().to_owned(),
            packages: element
                .all("package")
                .map(|p| package(p, id, odd))
                .collect(),
            module: modules.next(),
            ..Collection::default()
        };
        let others = modules.map(|module| Collection {
            module: Some(module),
            ..first.clone()
        });
        let others: Vec<Collection> = others.collect();
        collections.push(first);
        collections.extend(others);
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

fn package(element: &Element, id: &str, odd: &Odd) -> ErratumPackage {
    let name = element.attr("name").unwrap_or_default();
    let attr = |key: &str| match element.attr(key) {
        Some(value) => value.to_owned(),
        None => {
            odd.missing(&format!("advisory {id}, package {name}: {key}"));
            String::new()
        }
    };
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
        given: None,
    }
}

/// Writes updateinfo.xml (pulp2/rpm-metadata#updateinfo).
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
                ("epoch", package.epoch_or_zero()),
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_is_missing_is_empty_and_noted() {
        let source = "<updates><update><id>A</id><reboot_suggested>true</reboot_suggested><issued/><updated date='soon'/>\
            <references/><pkglist><collection><package name='p'/></collection></pkglist></update>\
            <update version='1'><title>nameless</title></update><update from='' status='' type='' version=''><id>B</id>\
            <pkglist><collection><module name='m' stream='1'/><module name='m' stream='2'/></collection></pkglist></update>\
            </updates>";
        let bent = Bent::default();
        let mut stream = ErratumStream::open(source.as_bytes())
            .unwrap()
            .noting(&bent);
        let bare = stream.next_erratum().unwrap().unwrap();
        assert_eq!(
            (bare.id.as_str(), bare.version.as_str(), bare.kind.as_str()),
            ("A", "", "")
        );
        assert!(bare.reboot_suggested);
        assert_eq!(bare.pkglist[0].packages[0].epoch_or_zero(), "0");
        let second = stream.next_erratum().unwrap().unwrap();
        assert_eq!((second.id.as_str(), second.pkglist.len()), ("B", 2));
        assert!(stream.next_erratum().unwrap().is_none());
        let counts = [
            "missing_attribute",
            "left_out",
            "odd_date",
            "several_modules",
        ]
        .map(|kind| bent.count(kind));
        assert_eq!(counts, [7, 1, 1, 1]);
    }
}
