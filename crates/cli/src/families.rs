//! The families of repositories that this program knows: their words, and the settings of their plugins.

use pith_content::words::{Family, FileCounters, MirrorWords, Words};

/// All families, in the order of their words.
#[derive(Debug)]
pub struct Families(Vec<Family>);

impl Families {
    /// Takes these families.
    #[must_use]
    pub fn new(mut all: Vec<Family>) -> Self {
        all.sort_by_key(|family| family.words.order);
        Self(all)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Family> {
        self.0.iter()
    }

    fn words(&self) -> impl Iterator<Item = &'static Words> {
        self.0.iter().map(|family| family.words)
    }

    /// The family of a section of the command line.
    pub(crate) fn section(&self, name: &str) -> Option<&Family> {
        self.iter().find(|family| family.words.section == name)
    }

    /// A section for examples of commands that every section has.
    pub(crate) fn usual_section(&self) -> &'static str {
        self.words().next().map_or("SECTION", |words| words.section)
    }

    /// The family whose repositories have this note.
    pub(crate) fn of_note(&self, note: &str) -> Option<&'static Words> {
        self.words().find(|words| words.note == note)
    }

    /// The family whose repositories have this importer.
    pub(crate) fn of_importer(&self, type_id: &str) -> Option<&'static Words> {
        self.words().find(|words| words.importer == type_id)
    }

    /// Tells whether a policy on signatures keeps units of this type out.
    pub(crate) fn is_signed(&self, type_id: &str) -> bool {
        let mut units = self.words().flat_map(|words| words.units);
        units.any(|unit| unit.signed && unit.id == type_id)
    }

    /// Phases of progress reports in the order in which they run, with their labels.
    pub(crate) fn phases(&self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        self.words().flat_map(|words| words.progress.phases)
    }

    /// Names in progress reports that count files.
    pub(crate) fn file_counters(&self) -> impl Iterator<Item = &'static FileCounters> {
        self.words()
            .filter_map(|words| words.progress.files.as_ref())
    }

    /// Advice on an error of a task.
    pub(crate) fn hint(&self, code: &str) -> Option<&'static str> {
        let mut hints = self.words().flat_map(|words| words.hints);
        let hint = hints.find(|hint| hint.codes.contains(&code))?;
        Some(hint.text)
    }

    /// Families that follow feeds.
    pub(crate) fn mirrored(&self) -> impl Iterator<Item = (&'static Words, &'static MirrorWords)> {
        self.words()
            .filter_map(|words| Some((words, words.mirror.as_ref()?)))
    }

    /// The words that `pith mirror` takes for its type, one a family.
    pub fn mirror_types(&self) -> impl Iterator<Item = &'static str> {
        self.mirrored()
            .filter_map(|(_, mirror)| mirror.names.first().copied())
    }

    /// The family that `pith mirror` calls so.
    ///
    /// # Errors
    ///
    /// When none is called so.
    pub fn mirror_type(&self, name: &str) -> Result<&'static Words, NotAType> {
        self.mirrored()
            .find(|(_, mirror)| mirror.names.contains(&name))
            .map(|(words, _)| words)
            .ok_or_else(|| NotAType {
                name: name.to_owned(),
                types: self.mirror_types().collect::<Vec<_>>().join(" and "),
            })
    }
}

/// A word that names no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is no type that can be mirrored; there are {types}")]
pub struct NotAType {
    name: String,
    types: String,
}

/// The families of the program, for tests.
#[cfg(test)]
pub(crate) mod samples {
    use std::sync::LazyLock;

    use super::*;

    /// All families.
    pub(crate) fn families() -> &'static Families {
        static ALL: LazyLock<Families> = LazyLock::new(|| {
            let all = [
                Family::of(&pith_type_file::File),
                Family::of(&pith_type_rpm::Rpm),
            ];
            Families::new(all.into_iter().flatten().collect())
        });
        &ALL
    }

    /// The family of a section.
    pub(crate) fn family(section: &str) -> &'static Family {
        families().section(section).unwrap()
    }
}
