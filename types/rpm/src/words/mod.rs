//! The words of the command line for RPM repositories.

mod options;
mod upload;

use pith_content::words::{Hint, MirrorWords, ProgressWords, Served, SortIndex, UnitWords, Words};

use crate::metadata::sort_index;

/// The words.
pub(crate) static WORDS: Words = Words {
    section: "rpm",
    about: "Work with RPM repositories",
    order: 0,
    note: "rpm-repo",
    importer: "yum_importer",
    distributor: "yum_distributor",
    extra_distributor: Some("export_distributor"),
    units: UNITS,
    settings: options::SETTINGS,
    copy: options::COPY,
    upload_aliases: &["rpm", "srpm", "drpm"],
    uploads: upload::UPLOADS,
    mirror: Some(MirrorWords {
        names: &["rpm", "yum"],
        marker: "repodata/repomd.xml",
        settings: &[("http", true), ("https", true)],
        below: &["pulp", "repos"],
        client: dnf_configuration,
    }),
    progress: ProgressWords {
        phases: &[
            ("metadata", "Fetching metadata"),
            ("content", "Fetching packages"),
            ("distribution", "Fetching distribution files"),
            ("errata", "Importing errata"),
            ("modules", "Importing modules"),
            ("comps", "Importing package groups"),
            ("purge_duplicates", "Removing old packages"),
        ],
        files: None,
    },
    hints: &[
        Hint {
            codes: &["RPM1004", "RPM1006"],
            text: "check the feed: its repodata/repomd.xml must open from the server",
        },
        Hint {
            codes: &["RPM1005"],
            text: "give the repository a feed: `pith rpm repo update ID --feed URL`",
        },
        Hint {
            codes: &["RPM1013", "RPM1014"],
            text: "sign the package with an allowed key, or change --require-signature or --allowed-keys",
        },
    ],
    ..Words::NONE
};

const NEVRA: &[&str] = &["name", "epoch", "version", "release", "arch"];

const UNITS: &[UnitWords] = &[
    UnitWords {
        endings: &[".rpm"],
        ..package("rpm", crate::type_ids::RPM)
    },
    UnitWords {
        endings: &[".src.rpm", ".nosrc.rpm"],
        ..package("srpm", crate::type_ids::SRPM)
    },
    UnitWords {
        endings: &[".drpm"],
        signed: true,
        ..UnitWords::new(
            "drpm",
            crate::type_ids::DRPM,
            &["filename", "version", "release", "arch"],
        )
    },
    UnitWords::new(
        "errata",
        crate::type_ids::ERRATUM,
        &["id", "type", "severity", "title"],
    ),
    UnitWords::new("group", crate::type_ids::GROUP, &["id", "name"]),
    UnitWords::new("category", crate::type_ids::CATEGORY, &["id", "name"]),
    UnitWords::new("environment", crate::type_ids::ENVIRONMENT, &["id", "name"]),
    UnitWords::new("langpacks", crate::type_ids::LANGPACKS, &["repo_id"]),
    UnitWords::new(
        "distribution",
        crate::type_ids::DISTRIBUTION,
        &["family", "version", "variant", "arch"],
    ),
    UnitWords::new("metafile", crate::type_ids::METADATA_FILE, &["data_type"]),
    UnitWords::new(
        "module",
        crate::type_ids::MODULEMD,
        &["name", "stream", "version", "context", "arch"],
    ),
    UnitWords::new(
        "module-defaults",
        crate::type_ids::MODULEMD_DEFAULTS,
        &["name"],
    ),
];

/// A package: of what is copied the server needs the key, and what the signature policy looks at.
const fn package(word: &'static str, id: &'static str) -> UnitWords {
    UnitWords {
        picked: &[
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
        ],
        signed: true,
        sort_index: Some(SortIndex {
            fields: &["version", "release"],
            of: sort_index::encode,
        }),
        ..UnitWords::new(word, id, NEVRA)
    }
}

/// A dnf `.repo` file.
fn dnf_configuration(served: &Served<'_>) -> String {
    let Served { id, url } = served;
    format!(
        "# save as /etc/yum.repos.d/{id}.repo\n\
         [{id}]\n\
         name={id}\n\
         baseurl={url}\n\
         enabled=1\n\
         # set to 1, with gpgkey=..., when the packages are signed\n\
         gpgcheck=0\n"
    )
}
