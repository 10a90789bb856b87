//! A project as its pages show it.

use std::cmp::Ordering;

use pep440_rs::Version;
use pith_content::ContentError;
use pith_content::unit::RepoUnit;
use serde_json::Value;

/// A project with its files.
#[derive(Debug)]
pub(super) struct Project {
    /// Its name in the form in which names are compared.
    pub(super) normal: String,
    /// Its files; once they are sorted, those of the highest version are the last.
    pub(super) files: Vec<File>,
    /// The facts that the file of the highest version tells.
    pub(super) about: About,
    highest: Option<Order>,
}

/// The facts of a project.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) name: String,
    pub(super) author: Option<String>,
    pub(super) summary: Option<String>,
}

/// A file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) filename: String,
    /// The name of the project as this file has it.
    pub(super) name: String,
    pub(super) version: String,
    pub(super) packagetype: String,
    pub(super) size: Option<u64>,
    pub(super) sha256: Option<String>,
    pub(super) sha512: Option<String>,
    pub(super) md5: Option<String>,
    pub(super) requires_python: Option<String>,
    pub(super) yanked: Option<String>,
}

/// The place of a version among others; those that nobody can compare come first, as texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Order(Option<Version>, String);

impl Order {
    fn of(version: &str) -> Self {
        Self(version.parse().ok(), version.to_owned())
    }
}

impl Project {
    pub(super) fn new(normal: String) -> Self {
        Self {
            normal,
            files: Vec::new(),
            about: About::default(),
            highest: None,
        }
    }

    /// Notes a file.
    pub(super) fn note(&mut self, unit: &RepoUnit) -> Result<&File, ContentError> {
        let own = |field: &str| unit.text(field).map(str::to_owned);
        let needed = |field: &str| {
            let missing =
                || ContentError::other(format!("the Python package {} has no {field}", unit.id));
            own(field).ok_or_else(missing)
        };
        let sha256 = unit.blob.or(unit.promised).map(|digest| digest.to_string());
        let file = File {
            filename: needed("filename")?,
            name: needed("name")?,
            version: needed("version")?,
            packagetype: needed("packagetype")?,
            size: unit
                .size
                .or_else(|| unit.doc.get("size").and_then(Value::as_u64)),
            sha256: sha256.or_else(|| own("sha256_digest")),
            sha512: own("_checksum").or_else(|| own("sha512_digest")),
            md5: own("md5_digest"),
            requires_python: own("requires_python"),
            yanked: own("yanked"),
        };
        let order = Order::of(&file.version);
        if self.highest.as_ref().is_none_or(|highest| order > *highest) {
            self.about = About {
                name: file.name.clone(),
                author: own("author"),
                summary: own("summary"),
            };
            self.highest = Some(order);
        }
        let at = self.files.len();
        self.files.push(file);
        Ok(&self.files[at])
    }

    /// Sorts files by version and name.
    pub(super) fn sort(&mut self) {
        self.files
            .sort_by_cached_key(|file| (Order::of(&file.version), file.filename.clone()));
    }
}

impl File {
    /// The path below the mount.
    pub(super) fn path(&self) -> String {
        let initial = self.name.chars().next().unwrap_or('_');
        format!("packages/source/{initial}/{}/{}", self.name, self.filename)
    }

    /// The best digest that is known, as a link has it.
    pub(super) fn digest(&self) -> Option<(&'static str, &str)> {
        let known = [
            ("sha256", &self.sha256),
            ("sha512", &self.sha512),
            ("md5", &self.md5),
        ];
        known
            .into_iter()
            .find_map(|(algorithm, hex)| Some((algorithm, hex.as_deref()?)))
    }

    /// Compares versions.
    pub(super) fn by_version(&self, other: &Self) -> Ordering {
        Order::of(&self.version).cmp(&Order::of(&other.version))
    }
}
