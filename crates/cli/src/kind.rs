//! All that the client knows of each type of repository, as data: commands ask a kind, never its name.

use std::fmt;
use std::str::FromStr;

/// A unit type as a command lists it.
#[derive(Debug, PartialEq, Eq)]
pub struct UnitType {
    /// The word on the command line.
    pub word: &'static str,
    /// The type id of the API.
    pub id: &'static str,
    /// Fields that a table shows.
    pub fields: &'static [&'static str],
    /// Fields that the server needs of what is copied or removed; empty for all. Whole packages are large.
    pub picked: &'static [&'static str],
}

impl UnitType {
    /// Tells whether the units keep a sort index of this field, since versions do not compare as texts.
    pub(crate) fn has_sort_index(&self, field: &str) -> bool {
        matches!(self.id, "rpm" | "srpm") && matches!(field, "version" | "release")
    }
}

/// The sort index of a version or release (reference: rpm.md §3.2). Indexes compare as texts the way versions do.
pub(crate) fn sort_index(version: &str) -> String {
    let mut pieces: Vec<String> = Vec::new();
    for part in version.split('.') {
        let mut rest = part;
        while let Some(first) = rest.chars().next() {
            let digits = first.is_ascii_digit();
            let end = rest
                .find(|c: char| c.is_ascii_digit() != digits)
                .unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            rest = after;
            pieces.push(if digits {
                let number = match run.trim_start_matches('0') {
                    "" => "0",
                    number => number,
                };
                format!("{:02}-{number}", number.len())
            } else {
                let letters = run.chars().filter(char::is_ascii_alphabetic);
                std::iter::once('$').chain(letters).collect()
            });
        }
    }
    pieces.join(".")
}

/// A type of repository: what its importer and distributors are called and how they spell their settings.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The command's section: `pith rpm …`.
    pub section: &'static str,
    /// The note `_repo-type`, by which repositories of a kind are found.
    pub note: &'static str,
    /// Importer type.
    pub importer: &'static str,
    /// The distributor that publishes over HTTP; its id is its type.
    pub distributor: &'static str,
    /// A second distributor that pulp-admin adds, where the server has it.
    pub extra_distributor: Option<&'static str>,
    /// Setting that serves over HTTP.
    pub http_key: &'static str,
    /// Setting that serves over HTTPS.
    pub https_key: &'static str,
    /// Is true when the distributor refuses to be without `relative_url`.
    pub needs_relative_url: bool,
    /// Where published repositories appear below the server's root.
    pub served_below: &'static [&'static str],
    /// The file whose presence in a feed tells this kind.
    pub marker: &'static str,
    /// Unit types, the usual one first.
    pub units: &'static [UnitType],
}

const NVR: &[&str] = &["name", "epoch", "version", "release", "arch"];

/// The key of a package, and what the signature policy looks at (reference: rpm.md §9.3).
const PICKED: &[&str] = &[
    "name",
    "epoch",
    "version",
    "release",
    "arch",
    "checksum",
    "checksumtype",
    "downloaded",
    "signing_key",
    "filename",
];

/// RPM repositories (reference: rpm.md).
pub(crate) static RPM: Kind = Kind {
    section: "rpm",
    note: "rpm-repo",
    importer: "yum_importer",
    distributor: "yum_distributor",
    extra_distributor: Some("export_distributor"),
    http_key: "http",
    https_key: "https",
    needs_relative_url: true,
    served_below: &["pulp", "repos"],
    marker: "repodata/repomd.xml",
    units: &[
        UnitType {
            word: "rpm",
            id: "rpm",
            fields: NVR,
            picked: PICKED,
        },
        UnitType {
            word: "srpm",
            id: "srpm",
            fields: NVR,
            picked: PICKED,
        },
        UnitType {
            word: "drpm",
            id: "drpm",
            fields: &["filename", "version", "release", "arch"],
            picked: &[],
        },
        UnitType {
            word: "errata",
            id: "erratum",
            fields: &["id", "type", "severity", "title"],
            picked: &[],
        },
        UnitType {
            word: "group",
            id: "package_group",
            fields: &["id", "name"],
            picked: &[],
        },
        UnitType {
            word: "category",
            id: "package_category",
            fields: &["id", "name"],
            picked: &[],
        },
        UnitType {
            word: "environment",
            id: "package_environment",
            fields: &["id", "name"],
            picked: &[],
        },
        UnitType {
            word: "langpacks",
            id: "package_langpacks",
            fields: &["repo_id"],
            picked: &[],
        },
        UnitType {
            word: "distribution",
            id: "distribution",
            fields: &["family", "version", "variant", "arch"],
            picked: &[],
        },
        UnitType {
            word: "metafile",
            id: "yum_repo_metadata_file",
            fields: &["data_type"],
            picked: &[],
        },
        UnitType {
            word: "module",
            id: "modulemd",
            fields: &["name", "stream", "version", "context", "arch"],
            picked: &[],
        },
        UnitType {
            word: "module-defaults",
            id: "modulemd_defaults",
            fields: &["name"],
            picked: &[],
        },
    ],
};

/// Repositories of plain files, which Pulp calls ISOs (reference: iso.md).
pub(crate) static ISO: Kind = Kind {
    section: "iso",
    note: "iso-repo",
    importer: "iso_importer",
    distributor: "iso_distributor",
    extra_distributor: None,
    http_key: "serve_http",
    https_key: "serve_https",
    needs_relative_url: false,
    served_below: &["pulp", "isos"],
    marker: "PULP_MANIFEST",
    units: &[UnitType {
        word: "iso",
        id: "iso",
        fields: &["name", "size", "checksum"],
        picked: &[],
    }],
};

impl Kind {
    /// The unit type of a word or type id.
    #[must_use]
    pub fn unit(&self, word: &str) -> Option<&'static UnitType> {
        self.units
            .iter()
            .find(|unit| unit.word == word || unit.id == word)
    }

    /// The kind whose repositories have this note.
    pub(crate) fn of_note(note: &str) -> Option<&'static Self> {
        [&RPM, &ISO].into_iter().find(|kind| kind.note == note)
    }

    /// The kind whose repositories have this importer.
    pub(crate) fn of_importer(type_id: &str) -> Option<&'static Self> {
        let all = [&RPM, &ISO];
        all.into_iter().find(|kind| kind.importer == type_id)
    }

    /// The words of all unit types.
    #[must_use]
    pub fn words(&self) -> Vec<&'static str> {
        self.units.iter().map(|unit| unit.word).collect()
    }
}

/// The content of a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentType {
    /// RPM packages and their repodata.
    Rpm,
    /// Files with a PULP_MANIFEST.
    File,
}

impl ContentType {
    /// Every type that can be mirrored.
    pub const ALL: [Self; 2] = [Self::Rpm, Self::File];

    /// The kind of repository that holds it.
    #[must_use]
    pub fn kind(self) -> &'static Kind {
        match self {
            Self::Rpm => &RPM,
            Self::File => &ISO,
        }
    }

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rpm => "rpm",
            Self::File => "file",
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no type that can be mirrored; there are rpm and file")]
pub struct NotAType(String);

impl FromStr for ContentType {
    type Err = NotAType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rpm" | "yum" => Ok(Self::Rpm),
            "file" | "iso" => Ok(Self::File),
            other => Err(NotAType(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sort_indexes_are_those_of_the_reference() {
        let cases = [
            ("3.9", "01-3.01-9"),
            ("1.el7", "01-1.$el.01-7"),
            ("007", "01-7"),
            ("1.0~rc1", "01-1.01-0.$rc.01-1"),
            ("1.2-3", "01-1.01-2.$.01-3"),
            ("1.0^git", "01-1.01-0.$git"),
            ("0", "01-0"),
        ];
        for (version, index) in cases {
            assert_eq!(sort_index(version), index);
        }
    }

    proptest! {
        #[test]
        fn numbers_in_versions_compare_as_numbers(a: u32, b: u32) {
            let index = |n: u32| sort_index(&format!("1.{n}"));
            prop_assert_eq!(a.cmp(&b), index(a).cmp(&index(b)));
        }
    }
}
