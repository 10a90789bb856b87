//! Names of projects and of their files, and what people write to choose projects.

use std::fmt;
use std::str::FromStr;

use pep440_rs::VersionSpecifiers;
use pith_core::RelativePath;

/// The name of a project, as its people spell it, and in the form in which names are compared (PEP 503).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectName {
    spelled: String,
    normal: String,
}

/// A text that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No name of a project.
    #[error(
        "'{0}' is not a name of a Python project: names have letters, digits, dots, dashes and underscores, and begin and end \
         with a letter or a digit"
    )]
    Project(String),
    /// No name of a file that can be kept and served.
    #[error("'{0}' is not a name that a file of a package can have")]
    File(String),
    /// The ending of the file's name is that of no package.
    #[error("Unknown distribution format: '{0}'")]
    Format(String),
    /// Versions that nobody can compare with.
    #[error("'{given}' does not say which versions are meant: {reason}")]
    Versions {
        /// The text.
        given: String,
        /// The fault in it.
        reason: String,
    },
}

/// Characters of a text that are repeated in an error.
const SHOWN: usize = 120;

fn shortened(text: &str) -> String {
    let cut: String = text.chars().take(SHOWN).collect();
    cut.escape_debug().to_string()
}

impl ProjectName {
    /// Longest name.
    const LONGEST: usize = 200;

    /// Reads a name.
    ///
    /// # Errors
    /// [`NameError::Project`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric();
        let bytes = text.as_bytes();
        let ends = bytes.first().zip(bytes.last());
        let is_name = ends.is_some_and(|(first, last)| plain(*first) && plain(*last))
            && bytes.len() <= Self::LONGEST
            && bytes
                .iter()
                .all(|byte| plain(*byte) || b"._-".contains(byte));
        match is_name {
            true => Ok(Self {
                spelled: text.to_owned(),
                normal: normalized(text),
            }),
            false => Err(NameError::Project(shortened(text))),
        }
    }

    /// The name as its people spell it.
    #[must_use]
    pub fn spelled(&self) -> &str {
        &self.spelled
    }

    /// The name in lower case, with one dash for each run of separators.
    #[must_use]
    pub fn normal(&self) -> &str {
        &self.normal
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled)
    }
}

/// A name in lower case, with one dash for each run of separators.
#[must_use]
pub fn normalized(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '.' | '_' | '-' if normal.ends_with('-') => {}
            '.' | '_' | '-' => normal.push('-'),
            other => normal.push(other.to_ascii_lowercase()),
        }
    }
    normal
}

/// The kind of a file, by which clients know how to install it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PackageType {
    /// Sources.
    Sdist,
    /// A wheel.
    Wheel,
    /// An egg.
    Egg,
    /// An installer for Windows.
    WinInst,
    /// A package of the Windows Installer.
    Msi,
    /// An RPM.
    Rpm,
}

/// Endings of names, the kind, and the word for it.
const ENDINGS: &[(&str, PackageType)] = &[
    (".whl", PackageType::Wheel),
    (".tar.gz", PackageType::Sdist),
    (".tgz", PackageType::Sdist),
    (".tar.bz2", PackageType::Sdist),
    (".zip", PackageType::Sdist),
    (".egg", PackageType::Egg),
    (".exe", PackageType::WinInst),
    (".msi", PackageType::Msi),
    (".rpm", PackageType::Rpm),
];

impl PackageType {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Sdist,
        Self::Wheel,
        Self::Egg,
        Self::WinInst,
        Self::Msi,
        Self::Rpm,
    ];

    /// The word for it in documents.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sdist => "sdist",
            Self::Wheel => "bdist_wheel",
            Self::Egg => "bdist_egg",
            Self::WinInst => "bdist_wininst",
            Self::Msi => "bdist_msi",
            Self::Rpm => "bdist_rpm",
        }
    }

    /// The kind that a word means.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

/// The name of a file of a package: one segment of a path, of which the ending tells the kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    text: String,
    kind: PackageType,
    ending: usize,
}

impl FileName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NameError::File`], [`NameError::Format`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        let is_segment = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            && !text.contains('/')
            && text.trim() == text
            && RelativePath::new(text).is_ok();
        if !is_segment {
            return Err(NameError::File(shortened(text)));
        }
        let lower = text.to_ascii_lowercase();
        let mut endings = ENDINGS.iter();
        let known =
            endings.find(|(ending, _)| lower.ends_with(ending) && lower.len() > ending.len());
        match known {
            Some((ending, kind)) => Ok(Self {
                text: text.to_owned(),
                kind: *kind,
                ending: ending.len(),
            }),
            None => Err(NameError::Format(shortened(text))),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind of the file.
    #[must_use]
    pub fn kind(&self) -> PackageType {
        self.kind
    }

    /// The version in the name of a file of `project`; `None` when the name is not made of the project's.
    #[must_use]
    pub fn version(&self, project: &ProjectName) -> Option<&str> {
        let stem = self.text.get(..self.text.len() - self.ending)?;
        let mut dashes = stem.match_indices('-').map(|(at, _)| at);
        let dash = dashes.find(|at| normalized(&stem[..*at]) == project.normal)?;
        let rest = &stem[dash + 1..];
        let version = match self.kind {
            PackageType::Sdist => rest,
            PackageType::Wheel | PackageType::Egg | PackageType::Rpm => rest.split('-').next()?,
            PackageType::WinInst | PackageType::Msi => {
                let end = rest.find(".win").or_else(|| rest.find(".linux"));
                &rest[..end.unwrap_or(rest.len())]
            }
        };
        is_version(version).then_some(version)
    }
}

/// Tells whether a text can be kept as a version, whether or not anybody can compare it.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+!*~".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(plain)
}

/// A project, and which of its versions are meant.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The project.
    pub project: ProjectName,
    /// The versions; all when empty.
    pub versions: VersionSpecifiers,
}

impl FromStr for Requirement {
    type Err = NameError;

    /// Reads a line of a list of requirements: a name, extras, which do not matter here, versions. Markers, options and comments at
    /// its end do not matter either: a mirror is for every machine.
    fn from_str(line: &str) -> Result<Self, NameError> {
        let end = line.find([';', '#']).unwrap_or(line.len());
        let end = line.find(" --").map_or(end, |option| option.min(end));
        let line = line[..end].trim();
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let (name, rest) = line.split_at(line.find(|c| !is_name(c)).unwrap_or(line.len()));
        let project = ProjectName::new(name).map_err(|_| NameError::Project(shortened(line)))?;
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((_, rest)) => rest.trim(),
            None => rest,
        };
        let inner = rest
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'));
        let versions = VersionSpecifiers::from_str(inner.unwrap_or(rest));
        let versions = versions.map_err(|error| NameError::Versions {
            given: shortened(line),
            reason: shortened(error.to_string().lines().next().unwrap_or_default()),
        })?;
        Ok(Self { project, versions })
    }
}

/// Splits a text of requirements at commas and line ends; a comma between versions of one project stays.
#[must_use]
pub fn split_requirements(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut is_first = true;
        for piece in line.split(',') {
            let goes_on = !is_first && piece.trim_start().starts_with(['<', '>', '=', '!', '~']);
            is_first = false;
            match found.last_mut().filter(|_| goes_on) {
                Some(last) => {
                    last.push(',');
                    last.push_str(piece);
                }
                None => found.push(piece.to_owned()),
            }
        }
    }
    let is_empty = |piece: &String| piece.trim().is_empty() || piece.trim_start().starts_with('#');
    found.retain(|piece| !is_empty(piece));
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_compared_in_one_form_and_hostile_ones_are_refused() {
        for name in [
            "Shelf-Reader",
            "shelf.reader",
            "SHELF__reader",
            "shelf-._reader",
        ] {
            assert_eq!(ProjectName::new(name).unwrap().normal(), "shelf-reader");
        }
        for bad in ["", "..", "-a", "a-", "a/b", "a b", "ä", "a\n"] {
            assert!(ProjectName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn files_tell_kind_and_version() {
        let project = ProjectName::new("Shelf.Reader").unwrap();
        let of = |name: &str| {
            let file = FileName::new(name).unwrap();
            let version = file.version(&project).map(str::to_owned);
            (file.kind().name(), version.unwrap_or_default())
        };
        let known = [
            ("shelf-reader-0.1.tar.gz", "sdist", "0.1"),
            ("shelf_reader-0.1-beta.zip", "sdist", "0.1-beta"),
            ("shelf_reader-0.1-py3-none-any.whl", "bdist_wheel", "0.1"),
            ("shelf_reader-0.1-1-py3-none-any.whl", "bdist_wheel", "0.1"),
            ("shelf.reader-0.1-py2.7.egg", "bdist_egg", "0.1"),
            ("shelf-reader-0.1.win32-py2.7.exe", "bdist_wininst", "0.1"),
            ("shelf-reader-0.1-1.noarch.rpm", "bdist_rpm", "0.1"),
            ("other-0.1.tar.gz", "sdist", ""),
        ];
        for (name, kind, version) in known {
            assert_eq!(of(name), (kind, version.to_owned()), "{name}");
        }
        for bad in [
            "../a-1.tar.gz",
            "a/b-1.zip",
            "a\n-1.whl",
            "..",
            ".whl",
            " a-1.whl",
            "a\\b.whl",
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
        let unknown = FileName::new("a-1.tar.xz").unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "Unknown distribution format: 'a-1.tar.xz'"
        );
    }

    #[test]
    fn requirements_are_read_as_lists_have_them() {
        let split = split_requirements(
            "a, b>=1,<2,c\n# note\nd[x]==3 --hash=sha256:00\n,\ne ; sys_platform == 'win32'",
        );
        assert_eq!(split.len(), 5);
        let read: Vec<Requirement> = split.iter().map(|one| one.parse().unwrap()).collect();
        let shown = read
            .iter()
            .map(|one| format!("{}{}", one.project, one.versions));
        let shown: Vec<String> = shown.collect();
        assert_eq!(shown, ["a", "b>=1, <2", "c", "d==3", "e"]);
        for bad in ["", "a b", "a @ https://example.com/", "../a", "a>=x"] {
            assert!(bad.parse::<Requirement>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in ".{0,60}") {
            let _ = FileName::new(&text).map(|file| file.version(&ProjectName::new("a").unwrap()).map(str::len));
            for one in split_requirements(&text) {
                let _ = one.parse::<Requirement>();
            }
        }
    }
}
