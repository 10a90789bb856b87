//! The plugins of the family as data: importer and distributors, with their settings.

use pith_content::descriptor::SettingKind::{Bool, Choice, Integer, List, Number, Pem, Text};
use pith_content::descriptor::{PluginDescriptor, Setting};
use pith_content::rsync;
use pith_content::settings::{self, DOWNLOAD_POLICY, FORCE_FULL, NETWORK, REMOVE_MISSING, readers};

use crate::publish::signed;
use crate::type_ids::{
    CATEGORY, DISTRIBUTION, DRPM, ENVIRONMENT, ERRATUM, GROUP, LANGPACKS, METADATA_FILE,
    MODULE_DOCUMENT, MODULEMD, MODULEMD_DEFAULTS, RPM, SRPM,
};

/// The importer.
pub static YUM_IMPORTER: PluginDescriptor = PluginDescriptor {
    id: "yum_importer",
    display_name: "Yum Importer",
    types: &[
        DISTRIBUTION,
        DRPM,
        ERRATUM,
        GROUP,
        CATEGORY,
        RPM,
        SRPM,
        METADATA_FILE,
        ENVIRONMENT,
        LANGPACKS,
        MODULEMD,
        MODULEMD_DEFAULTS,
        MODULE_DOCUMENT,
    ],
    platform: &[NETWORK],
    own: IMPORTER_SETTINGS,
};

/// The distributor.
pub static YUM_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "yum_distributor",
    display_name: "Yum Distributor",
    types: &[
        RPM,
        SRPM,
        DRPM,
        ERRATUM,
        GROUP,
        CATEGORY,
        DISTRIBUTION,
        METADATA_FILE,
    ],
    platform: &[],
    own: DISTRIBUTOR_SETTINGS,
};

/// The types that exports say they take.
const EXPORTED: &[&str] = &[RPM, SRPM, DRPM, ERRATUM, DISTRIBUTION, CATEGORY, GROUP];

/// The export distributor.
pub static EXPORT_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "export_distributor",
    display_name: "Export Distributor",
    types: EXPORTED,
    platform: &[],
    own: EXPORT_SETTINGS,
};

/// The export distributor of groups.
pub static GROUP_EXPORT_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "group_export_distributor",
    display_name: "Group Export Distributor",
    types: EXPORTED,
    platform: &[],
    own: EXPORT_SETTINGS,
};

/// Katello's clone distributor.
pub static YUM_CLONE_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "yum_clone_distributor",
    display_name: "Yum Clone Distributor",
    types: EXPORTED,
    platform: &[],
    own: CLONE_SETTINGS,
};

/// The rsync distributor.
pub static RPM_RSYNC_DISTRIBUTOR: PluginDescriptor = PluginDescriptor {
    id: "rpm_rsync_distributor",
    display_name: "RPM Rsync Distributor",
    types: &[
        RPM,
        SRPM,
        DRPM,
        ERRATUM,
        GROUP,
        CATEGORY,
        DISTRIBUTION,
        METADATA_FILE,
    ],
    platform: &[rsync::SETTINGS],
    own: &[Setting::new(
        rsync::SKIP_DOCUMENTS,
        Bool,
        "send packages and links to them, and no repodata (default false)",
    )],
};

/// The setting for what happens when packages cannot be downloaded or do not verify.
pub const ON_DOWNLOAD_FAILURE: &str = settings::ON_DOWNLOAD_FAILURE.name;

const IMPORTER_SETTINGS: &[Setting] = &[
    Setting::new(
        "feed",
        Text,
        "URL of the repository, or of a list of its mirrors",
    ),
    Setting::new(
        "validate",
        Bool,
        "work out every digest of downloaded packages (default false); size and checksum are always verified",
    ),
    Setting::new(
        "type_skip_list",
        List,
        "types left out: rpm, srpm, drpm, distribution, erratum",
    ),
    REMOVE_MISSING.help("remove units that the feed does not have any more (default false)"),
    Setting::new(
        "retain_old_count",
        Integer,
        "old versions kept beside the newest of each package (default all)",
    ),
    DOWNLOAD_POLICY.help("when packages are downloaded (default immediate)"),
    settings::ON_DOWNLOAD_FAILURE.help(
        "when packages cannot be downloaded or do not verify: fail the sync and leave the repository as it was \
         (default), or continue without them",
    ),
    Setting::new(
        "require_signature",
        Bool,
        "leave out unsigned packages (default false)",
    ),
    Setting::new(
        "allowed_keys",
        List,
        "leave out packages signed by other keys than these 8-digit ids",
    ),
    Setting::secret(
        "query_auth_token",
        "query string sent with every request to the feed",
    ),
    Setting::new(
        "force_full",
        Bool,
        "sync even when the feed has not changed (default false)",
    ),
];

const SIGN_METADATA: Setting = Setting::new(
    signed::SWITCH,
    Bool,
    "sign repomd.xml: the signature is repomd.xml.asc, the key to check it with repomd.xml.key (default false)",
);
const SIGNING_KEY: Setting = Setting::new(
    signed::KEY,
    Text,
    "name or fingerprint of the key that signs (default: the server's default key); only super-users name another than that",
);

const DISTRIBUTOR_SETTINGS: &[Setting] = &[
    Setting::new(
        "relative_url",
        Text,
        "where the repository is served, below /pulp/repos/ (default: the repository id)",
    ),
    Setting::new("http", Bool, "serve over plain HTTP"),
    Setting::new("https", Bool, "serve over HTTPS"),
    Setting::without_effect(
        "gpgkey",
        Text,
        "no effect yet: public key for consumers, which cannot be registered yet",
    ),
    readers("auth_ca"),
    Setting::without_effect(
        "auth_cert",
        Pem,
        "no effect yet: entitlement certificate for consumers, which cannot be registered yet; auth_ca alone guards",
    ),
    Setting::without_effect(
        "https_ca",
        Pem,
        "no effect yet: CA of the server's certificate for consumers, which cannot be registered yet",
    ),
    Setting::new(
        "checksum_type",
        Choice(&["sha256", "sha", "sha1", "md5", "sha512"]),
        "algorithm of the metadata (default: that of the feed, else sha256)",
    ),
    Setting::new(
        "updateinfo_checksum_type",
        Text,
        "algorithm of package checksums in updateinfo",
    ),
    Setting::without_effect(
        "http_publish_dir",
        Text,
        "no effect: a publication is no folder; an existing folder, as in Pulp",
    ),
    Setting::without_effect(
        "https_publish_dir",
        Text,
        "no effect: a publication is no folder; an existing folder, as in Pulp",
    ),
    Setting::without_effect(
        "protected",
        Bool,
        "no effect, in Pulp neither: auth_ca guards",
    ),
    Setting::without_effect(
        "skip",
        List,
        "no effect, in Pulp neither; the importer has type_skip_list",
    ),
    Setting::without_effect("skip_pkg_tags", Bool, "no effect, in Pulp neither"),
    Setting::without_effect(
        "generate_sqlite",
        Bool,
        "no effect: no client needs SQLite files any more",
    ),
    Setting::without_effect("repoview", Bool, "no effect: no pages to browse are made"),
    FORCE_FULL,
    SIGN_METADATA,
    SIGNING_KEY,
    Setting::without_effect(
        "gpg_key_id",
        Text,
        "no effect: the keys of a program on the server; signing_key names one of pith's",
    ),
    Setting::new(
        "remove_old_repodata",
        Bool,
        "let go of metadata that was replaced (default true)",
    ),
    Setting::new(
        "remove_old_repodata_threshold",
        Number,
        "seconds that replaced metadata is kept for clients in mid-run (default 14 days)",
    ),
];

const EXPORT_SETTINGS: &[Setting] = &[
    Setting::new("http", Bool, "serve the images over plain HTTP"),
    Setting::new("https", Bool, "serve the images over HTTPS"),
    Setting::new(
        "relative_url",
        Text,
        "where the export is, below /pulp/exports/repos/ or the export folder (default: the repository id)",
    ),
    Setting::new(
        "export_dir",
        Text,
        "folder of the server that the export is written to, instead of images; the server must allow it (--allow-exports-to)",
    ),
    Setting::new(
        "start_date",
        Text,
        "only packages and advisories that came into the repository at this time or later, such as 2014-01-02T03:04:05Z",
    ),
    Setting::new(
        "end_date",
        Text,
        "only packages and advisories that came into the repository at this time or before",
    ),
    Setting::new(
        "incremental_export_repomd",
        Bool,
        "make a repository of what start_date and end_date leave, instead of files with a document each (default false)",
    ),
    Setting::new(
        "iso_prefix",
        Text,
        "beginning of the names of the images (default: the id of the repository or group)",
    ),
    Setting::new("iso_size", Integer, "MiB of an image (default 4380)"),
    Setting::new(
        "manifest",
        Bool,
        "write a PULP_MANIFEST beside the images (default false)",
    ),
    Setting::new(
        "checksum_type",
        Choice(&["sha256", "sha", "sha1", "md5", "sha512"]),
        "digests in the repository's metadata (default that of the feed, else sha256)",
    ),
    Setting::new(
        "updateinfo_checksum_type",
        Text,
        "digests in updateinfo.xml (default checksum_type)",
    ),
    Setting::new(
        "force_full",
        Bool,
        "write images again though nothing has changed (default false)",
    ),
    SIGN_METADATA,
    SIGNING_KEY,
    Setting::without_effect(
        "generate_sqlite",
        Bool,
        "no effect yet: write SQLite documents",
    ),
    Setting::without_effect("skip", List, "no effect, as in Pulp"),
];

const CLONE_SETTINGS: &[Setting] = &[
    Setting::new(
        "source_repo_id",
        Text,
        "repository whose publication is taken; only super-users name another one",
    ),
    Setting::new(
        "source_distributor_id",
        Text,
        "distributor of that repository that has published",
    ),
    Setting::new(
        "destination_distributor_id",
        Text,
        "distributor of this repository that serves it, at the path of its own settings",
    ),
];
