//! The words of the command line for Python packages.

use pith_content::words::{
    Choice, DOWNLOAD_POLICY, FEED, Hint, Input, OptionGroup, OptionWords, REMOVE_MISSING, TRANSFER,
    UnitWords, Words, importer,
};

/// The words.
pub(crate) static WORDS: Words = Words {
    section: "python",
    about: "Work with repositories of Python packages",
    order: 2,
    note: "PYTHON",
    importer: "python_importer",
    distributor: "python_distributor",
    units: &[UnitWords {
        endings: &[
            ".whl", ".egg", ".exe", ".tar.gz", ".tgz", ".tar.bz2", ".zip",
        ],
        name_field: Some("filename"),
        ..UnitWords::new(
            "package",
            "python_package",
            &["name", "version", "filename"],
        )
    }],
    content_aliases: &["packages"],
    settings: SETTINGS,
    hints: &[Hint {
        codes: &["PLP0016"],
        text: "set the feed and the names of projects: --feed https://pypi.org/ --package-names NAME,NAME",
    }],
    ..Words::NONE
};

const SETTINGS: &[OptionGroup] = &[
    OptionGroup {
        heading: "Feed",
        options: &[
            FEED,
            OptionWords::of("package-names", const { &[importer("package_names")] })
                .value("NAMES")
                .help("Projects to mirror, with commas between them, each with its versions where not all are meant"),
            OptionWords::of("package-types", const { &[importer("package_types")] })
                .value("TYPES")
                .input(Input::List(&[
                    "sdist",
                    "bdist_wheel",
                    "bdist_egg",
                    "bdist_wininst",
                    "bdist_msi",
                    "bdist_rpm",
                ]))
                .help("Kinds of files to mirror"),
            OptionWords::of("prereleases", const { &[importer("prereleases")] })
                .help("Mirror versions before a release too"),
            DOWNLOAD_POLICY,
            REMOVE_MISSING,
            OptionWords::of("on-download-failure", const { &[importer("on_download_failure")] })
                .value("POLICY")
                .input(Input::OneOf(const { &[Choice::new("fail"), Choice::new("continue")] }))
                .help("Fail, or continue without what cannot be had"),
        ],
    },
    TRANSFER,
];
