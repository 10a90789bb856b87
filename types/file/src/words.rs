//! The words of the command line for plain files, which Pulp calls ISOs.

use pith_content::words::{
    DOWNLOAD_POLICY, FEED, FileCounters, MirrorWords, OptionGroup, OptionWords, ProgressWords,
    REMOVE_MISSING, Served, TRANSFER, UnitWords, VALIDATE, Words, distributor, readers, serve_http,
    serve_https,
};

/// The words.
pub(crate) static WORDS: Words = Words {
    section: "iso",
    aliases: &["file"],
    about: "Work with repositories of files (Pulp calls them ISOs)",
    order: 1,
    note: "iso-repo",
    importer: "iso_importer",
    distributor: "iso_distributor",
    units: &[UnitWords {
        key_from_file: true,
        ..UnitWords::new("iso", "iso", &["name", "size", "checksum"])
    }],
    content_aliases: &["isos"],
    settings: SETTINGS,
    mirror: Some(MirrorWords {
        names: &["file", "iso"],
        marker: "PULP_MANIFEST",
        settings: &[("serve_http", true), ("serve_https", true)],
        below: &["pulp", "isos"],
        client: download_commands,
    }),
    progress: ProgressWords {
        phases: &[],
        files: Some(FileCounters {
            total: "num_isos",
            done: "num_isos_finished",
            failed: "iso_error_messages",
            at_work: "isos_in_progress",
        }),
    },
    ..Words::NONE
};

const SETTINGS: &[OptionGroup] = &[
    OptionGroup {
        heading: "Feed",
        options: &[FEED, DOWNLOAD_POLICY, VALIDATE, REMOVE_MISSING],
    },
    TRANSFER,
    OptionGroup {
        heading: "Publishing",
        options: &[
            OptionWords::of("relative-url", const { &[distributor("relative_url")] }).value("PATH"),
            serve_http(const { &[distributor("serve_http")] }),
            serve_https(const { &[distributor("serve_https")] }),
            readers(const { &[distributor("ssl_auth_ca_cert")] }),
        ],
    },
];

/// Commands that fetch the files.
fn download_commands(served: &Served<'_>) -> String {
    let url = served.url;
    // wget leaves out as many directories as the address has before the files.
    let parts = url.trim_end_matches('/').split('/').count();
    let depth = parts.saturating_sub(3);
    format!(
        "# everything\n\
         wget --recursive --no-parent --no-host-directories --cut-dirs={depth} '{url}'\n\
         # names, digests and sizes; one file is '{url}' and its name\n\
         curl --fail --location '{url}PULP_MANIFEST'\n"
    )
}
