//! From the page of a project to units: read on a blocking thread, some batches ahead.

use std::fs::File;

use pith_content::base::{Base, shown};
use pith_content::batches::{Batcher, Batches};
use pith_content::fetch::Fetched;
use pith_content::seen::SeenHashes;
use pith_content::unit::{Source, WantedUnit};
use pith_content::{Bent, ContentError};
use pith_core::Document;
use serde_json::json;
use url::Url;

use crate::config::Choice;
use crate::index::{self, About, Item, Listed, Location, PageError, Take};
use crate::names::{FileName, PackageType, ProjectName, Requirement, is_version};
use crate::unit::{PACKAGE, document, say_digest};

/// Units handed over at a time.
const BATCH: usize = 200;

/// Reads the page of a project that came from the feed.
pub(super) fn read(
    page: Fetched,
    feed: &Base,
    requirement: Requirement,
    choice: Choice,
    bent: &Bent,
) -> Result<Batches<WantedUnit, PageError>, ContentError> {
    let url = Url::parse(&page.url).map_err(ContentError::other)?;
    let file = File::open(page.path())?;
    let (feed, bent) = (feed.clone(), bent.clone());
    Ok(Batches::of(BATCH, move |out| {
        let mut reader = Reader {
            feed,
            url,
            base: None,
            project: requirement.project.clone(),
            about: About::default(),
            requirement,
            choice,
            bent,
            seen: SeenHashes::default(),
            out,
        };
        let read = index::read(file, &mut reader);
        drop(page);
        read
    }))
}

/// A page at work.
struct Reader<'a> {
    feed: Base,
    url: Url,
    base: Option<String>,
    project: ProjectName,
    about: About,
    requirement: Requirement,
    choice: Choice,
    bent: Bent,
    /// Names of files so far.
    seen: SeenHashes,
    out: &'a mut Batcher<WantedUnit>,
}

impl Take for Reader<'_> {
    fn take(&mut self, item: Item) -> bool {
        match item {
            Item::About(about) => self.learn(about),
            Item::Base(base) => self.base = Some(base),
            Item::File(file) => {
                let unit = self.wanted(&file);
                return unit.is_none_or(|unit| self.out.put(unit));
            }
        }
        true
    }
}

impl Reader<'_> {
    /// Takes the facts of the project: its own spelling of its name, when it is the one that was asked for.
    fn learn(&mut self, about: About) {
        let named = about
            .name
            .as_deref()
            .and_then(|name| ProjectName::new(name).ok());
        let same = named.filter(|named| named.normal() == self.project.normal());
        if let Some(same) = same {
            self.project = same;
        }
        self.about = about;
    }

    /// The unit of a file; `None` for one that is not meant or cannot be kept.
    fn wanted(&mut self, listed: &Listed) -> Option<WantedUnit> {
        let name = match &listed.location {
            // A link without a text is called as it leads.
            Location::OfPage(location) if listed.filename.is_empty() => last_segment(location),
            _ => listed.filename.clone(),
        };
        let known = listed.package_type.as_deref();
        let file = FileName::new(&name).ok();
        let file = file.filter(|file| {
            known.is_none_or(|known| PackageType::named(known) == Some(file.kind()))
        });
        let Some(file) = file else {
            let sentence = "files were left out whose names are those of no package";
            self.bent
                .note("file_name", sentence, name.escape_debug().to_string());
            return None;
        };
        let told = listed
            .version
            .as_deref()
            .filter(|version| is_version(version));
        let Some(version) = told.or_else(|| file.version(&self.project)) else {
            let sentence = "files were left out whose names do not tell their version";
            self.bent.note("file_version", sentence, file.as_str());
            return None;
        };
        if !self.choice.takes(&file, version, &self.requirement) {
            return None;
        }
        let (urls, path) = self.location(&listed.location)?;
        if !self.seen.insert(file.as_str()) {
            let sentence = "files that a page lists more than once are there once";
            self.bent.note("file_twice", sentence, file.as_str());
            return None;
        }
        let doc = self.document(listed, &file, version, &path);
        let source = Source::download(urls, listed.size, listed.digests.clone());
        let unit = WantedUnit::new(PACKAGE.id, doc).with_file(source);
        Some(unit.replacing())
    }

    /// The addresses of a file, and the place as it is shown: without secrets.
    fn location(&self, location: &Location) -> Option<(Vec<Url>, String)> {
        let found = match location {
            Location::OfPackages(path) => {
                let plain = path.split(['?', '#']).next().unwrap_or_default();
                Some((
                    self.feed.join(&format!("packages/{path}")),
                    plain.to_owned(),
                ))
            }
            Location::OfPage(location) => {
                let url = index::resolve(&self.url, self.base.as_deref(), location);
                // By the feed, which adds its token where it belongs.
                url.map(|url| (self.feed.join(url.as_str()), shown(&url)))
            }
        };
        if found.is_none() {
            let sentence = "files were left out that links of pages do not lead to";
            self.bent.note("file_link", sentence, "");
        }
        found
    }

    fn document(&self, listed: &Listed, file: &FileName, version: &str, path: &str) -> Document {
        let mut doc = document(file, &self.project, version);
        doc.insert("path".to_owned(), json!(path));
        for digest in &listed.digests {
            say_digest(&mut doc, digest);
        }
        let optional = [
            ("author", &self.about.author),
            ("summary", &self.about.summary),
            ("requires_python", &listed.requires_python),
            ("yanked", &listed.yanked),
        ];
        for (field, value) in optional {
            if let Some(value) = value {
                doc.insert(field.to_owned(), json!(value));
            }
        }
        if let Some(size) = listed.size {
            doc.insert("size".to_owned(), json!(size));
        }
        doc
    }
}

/// The name at the end of a link.
fn last_segment(location: &str) -> String {
    let path = location.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    percent_encoding::percent_decode_str(last)
        .decode_utf8_lossy()
        .into_owned()
}
