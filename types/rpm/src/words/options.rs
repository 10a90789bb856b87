//! pulp-admin's spellings of the settings, and of what a copy does with dependencies.

use pith_content::words::{
    Choice, DOWNLOAD_POLICY, FEED, Input, OnCreate, OptionGroup, OptionWords, REMOVE_MISSING,
    TRANSFER, VALIDATE, With, distributor, extra, importer, of_run, readers, serve_http,
    serve_https,
};

/// Options of `create` and `update`.
pub(super) const SETTINGS: &[OptionGroup] = &[
    OptionGroup {
        heading: "Feed",
        options: &[
            FEED,
            DOWNLOAD_POLICY.help("When packages are fetched"),
            VALIDATE.help(
                "Check size and checksum of what is downloaded, which pith always does, and work out every digest of \
                 packages",
            ),
            REMOVE_MISSING,
        ],
    },
    TRANSFER,
    OptionGroup {
        heading: "Publishing",
        options: &[
            OptionWords::of("relative-url", const { &[distributor("relative_url")] })
                .value("PATH")
                .help("Path below which it is served")
                .on_create(OnCreate::PathOfFeed),
            serve_http(const { &[distributor("http"), extra("http")] }),
            serve_https(const { &[distributor("https"), extra("https")] }),
        ],
    },
    OptionGroup {
        heading: "Packages",
        options: PACKAGES,
    },
];

const PACKAGES: &[OptionWords] = &[
    OptionWords::of("checksum-type", const { &[distributor("checksum_type")] })
        .value("TYPE")
        .input(Input::OneOf(&[
            Choice::new("sha256"),
            Choice::new("sha512"),
            Choice::new("sha1"),
            Choice::new("sha"),
            Choice::new("md5"),
        ]))
        .help("Digest in the published metadata"),
    OptionWords::of("retain-old-count", const { &[importer("retain_old_count")] })
        .input(Input::count(0))
        .help("Old versions to keep beside the newest"),
    OptionWords::of(
        "skip",
        const { &[importer("type_skip_list"), distributor("skip")] },
    )
    .value("TYPES")
    .input(Input::List(&["rpm", "srpm", "drpm", "distribution", "erratum"]))
    .help("Types to leave out, with commas between them"),
    OptionWords::of("require-signature", const { &[importer("require_signature")] })
        .help("Refuse packages without a signature"),
    OptionWords::of("allowed-keys", const { &[importer("allowed_keys")] })
        .value("IDS")
        .help("Short ids of the keys that packages may be signed with"),
    OptionWords::of("sign-metadata", const { &[distributor("gpg_sign_metadata")] })
        .help("Sign the published metadata, so that clients can check it (repo_gpgcheck)"),
    OptionWords::of("signing-key", const { &[distributor("signing_key")] })
        .value("KEY")
        .help("Name or fingerprint of the key that signs; the default one where there is none"),
    OptionWords::of("gpg-key", const { &[distributor("gpgkey")] })
        .input(Input::File)
        .help("File with the key that consumers check packages with; no effect on pith yet"),
    OptionWords::of("host-ca", const { &[distributor("https_ca")] }).help(
        "File with the certificate authority that consumers verify the server with; no effect on pith yet",
    ),
    readers(const { &[distributor("auth_ca"), distributor("protected").presence()] }),
    OptionWords::of("auth-cert", const { &[distributor("auth_cert")] }).help(
        "File with the entitlement certificate for consumers; no effect on pith yet: --auth-ca says who may read",
    ),
    OptionWords::of("generate-sqlite", const { &[distributor("generate_sqlite")] })
        .help("Publish SQLite files with the metadata; no effect on pith, which makes none"),
    // Pages to browse are made from the SQLite files.
    OptionWords::of(
        "repoview",
        const { &[distributor("repoview"), distributor("generate_sqlite").truth()] },
    )
    .help("Publish pages to browse (and SQLite files); no effect on pith, which makes none"),
];

/// Options that say how copies follow dependencies.
pub(super) const COPY: &[OptionGroup] = &[OptionGroup {
    heading: "Dependencies",
    options: &[
        OptionWords::of("recursive", const { &[of_run("recursive")] })
            .input(Input::Switch)
            .help(
                "Copy what the packages need, too: the newest that provides it (with the next option, that one counts)",
            ),
        OptionWords::of(
            "recursive-conservative",
            const { &[of_run("recursive_conservative")] },
        )
        .input(Input::Switch)
        .help(
            "Copy what the packages need, too, unless the other repository has something that provides it",
        ),
        OptionWords::of("additional-repo", const { &[of_run("additional_repos")] })
            .value("FROM=TO")
            .input(Input::Map {
                once: "a repository is copied from to one other",
            })
            .with(With {
                any_of: &["recursive", "recursive-conservative"],
                purpose: "copies that follow dependencies",
            })
            .help(
                "Look for what they need in this repository, too, and copy it to that one; can be repeated",
            ),
    ],
}];
