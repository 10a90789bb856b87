//! The units that are uploaded as options of a command rather than as files.

use pith_content::words::{Choice, Described, FileUse, Given, Input, OptionWords, UploadWords};
use serde_json::{Value, json};

/// The metadata that repositories take beside packages.
pub(super) const UPLOADS: &[UploadWords] = &[
    UploadWords {
        options: ERRATUM,
        describe: erratum,
        ..unit("erratum", crate::type_ids::ERRATUM, "Add an erratum")
    },
    UploadWords {
        options: GROUP,
        describe: group,
        ..unit(
            "group",
            crate::type_ids::GROUP,
            "Add or change a package group",
        )
    },
    UploadWords {
        options: CATEGORY,
        describe: category,
        ..unit(
            "category",
            crate::type_ids::CATEGORY,
            "Add or change a category of package groups",
        )
    },
    UploadWords {
        options: ENVIRONMENT,
        describe: environment,
        ..unit(
            "environment",
            crate::type_ids::ENVIRONMENT,
            "Add or change an environment",
        )
    },
    UploadWords {
        options: LANGPACKS,
        describe: langpacks,
        ..unit(
            "langpacks",
            crate::type_ids::LANGPACKS,
            "Add or change the language packs",
        )
    },
    UploadWords {
        file: Some(FileUse::Read),
        ..unit(
            "comps",
            crate::type_ids::GROUP,
            "Add the groups, categories, environments and language packs of a comps.xml",
        )
    },
    UploadWords {
        aliases: &["modulemd"],
        file: Some(FileUse::Read),
        ..unit(
            "module",
            crate::type_ids::MODULEMD,
            "Add modules and their defaults from a modules.yaml",
        )
    },
    UploadWords {
        file: Some(FileUse::Verified),
        options: METAFILE,
        describe: metafile,
        ..unit(
            "metafile",
            crate::type_ids::METADATA_FILE,
            "Add a file of metadata to the repodata",
        )
    },
];

/// A unit of which the server finds everything in the file.
const fn unit(word: &'static str, unit_type: &'static str, about: &'static str) -> UploadWords {
    UploadWords {
        word,
        aliases: &[],
        about,
        unit_type,
        file: None,
        options: &[],
        describe: in_the_file,
    }
}

fn in_the_file(_: &Given) -> Described {
    Described {
        key: json!({}),
        metadata: json!({}),
    }
}

/// A text that may be left out.
const fn text(long: &'static str, help: &'static str) -> OptionWords {
    OptionWords::new(long, Input::Text).default("").help(help)
}

const NAME: OptionWords = OptionWords::new("name", Input::Text)
    .short('n')
    .required()
    .help("Name for people");
const DESCRIPTION: OptionWords = text("description", "Purpose, for people").short('d');
const DISPLAY_ORDER: OptionWords = OptionWords::new(
    "display-order",
    Input::Integer {
        least: i32::MIN as i64,
        most: i32::MAX as i64,
    },
)
.default("1024")
.help("Place in lists, smallest first");

const ERRATUM: &[OptionWords] = &[
    id("erratum-id", "Id of the erratum"),
    NAME_OF_ERRATUM,
    text("description", "Text for people").short('d'),
    text("version", "Version of the erratum").default("1"),
    text("release", "Release that it belongs to"),
    OptionWords::new(
        "type",
        Input::OneOf(&[
            Choice::new("enhancement"),
            Choice::new("bugfix"),
            Choice::new("security"),
        ]),
    )
    .short('t')
    .value("TYPE")
    .required()
    .help("Kind of change"),
    text("status", "Status")
        .short('s')
        .value("STATUS")
        .default("final"),
    text("updated", "When it was last changed").value("YYYY-MM-DD HH:MM:SS"),
    text("issued", "When it was issued").value("YYYY-MM-DD HH:MM:SS"),
    text("severity", "Severity of the problem"),
    text("rights", "Rights"),
    text("summary", "Summary"),
    text("solution", "Advice to the administrator"),
    text("from", "Who it comes from").value("ADDRESS"),
    OptionWords::new("pushcount", Input::count(0))
        .default("1")
        .help("Number of times that it was published"),
    OptionWords::new("reboot-suggested", Input::Switch).help("A reboot is needed"),
    OptionWords::new("restart-suggested", Input::Switch).help("A restart of the program is needed"),
    OptionWords::new("relogin-suggested", Input::Switch).help("A new login is needed"),
    OptionWords::new("reference-csv", Input::Table(REFERENCE))
        .short('r')
        .help("File with references, a line each: href,type,id,title"),
    OptionWords::new("pkglist-csv", Input::Table(LISTED_PACKAGE))
        .short('k')
        .help(
            "File with packages, a line each: name,version,release,epoch,arch,filename,checksum,checksum type,source \
             package",
        ),
];

const NAME_OF_ERRATUM: OptionWords = OptionWords::new("title", Input::Text)
    .short('n')
    .required()
    .help("Title");

const REFERENCE: &[&str] = &["href", "type", "id", "title"];

const LISTED_PACKAGE: &[&str] = &[
    "name",
    "version",
    "release",
    "epoch",
    "arch",
    "filename",
    "checksum",
    "checksum type",
    "source package",
];

fn erratum(given: &Given) -> Described {
    let value = |option| given.value(option);
    let references: Vec<Value> = given
        .list("reference-csv")
        .iter()
        .map(|row| named(REFERENCE, row))
        .collect();
    let metadata = json!({
        "title": value("title"), "description": value("description"), "version": value("version"),
        "release": value("release"), "type": value("type"), "status": value("status"),
        "updated": value("updated"), "issued": value("issued"), "severity": value("severity"),
        "rights": value("rights"), "summary": value("summary"), "solution": value("solution"),
        "from": value("from"), "pushcount": value("pushcount").to_string(),
        "reboot_suggested": value("reboot-suggested"),
        "restart_suggested": value("restart-suggested"),
        "relogin_suggested": value("relogin-suggested"),
        "references": references, "pkglist": pkglist(given),
    });
    Described {
        key: json!({ "id": value("erratum-id") }),
        metadata,
    }
}

fn pkglist(given: &Given) -> Value {
    const FIELDS: &[&str] = &[
        "name", "version", "release", "epoch", "arch", "filename", "sums", "type", "src",
    ];
    if given.value("pkglist-csv").is_null() {
        return json!([]);
    }
    let rows = given.list("pkglist-csv").iter();
    let packages: Vec<Value> = rows.map(|row| named(FIELDS, row)).collect();
    json!([{ "name": given.value("release"), "short": "", "packages": packages }])
}

/// The values of a line under the names of its columns.
fn named(columns: &[&str], row: &Value) -> Value {
    let values = row.as_array().into_iter().flatten().cloned();
    let pairs = columns.iter().map(|name| (*name).to_owned()).zip(values);
    Value::Object(pairs.collect())
}

/// Name, text and place in lists, as groups, categories and environments have them, with the fields of one of them.
fn described(given: &Given, own: Value) -> Value {
    let mut metadata = json!({
        "name": given.value("name"), "description": given.value("description"),
        "display_order": given.value("display-order"),
        "translated_name": {}, "translated_description": {},
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut metadata, own) {
        all.extend(own);
    }
    metadata
}

/// A unit that belongs to one repository.
fn in_repo(given: &Given, id: &str, metadata: Value) -> Described {
    Described {
        key: json!({ "id": given.value(id), "repo_id": given.repo_id() }),
        metadata,
    }
}

const fn id(long: &'static str, help: &'static str) -> OptionWords {
    OptionWords::new(long, Input::Text)
        .value("ID")
        .required()
        .help(help)
}

const fn names(long: &'static str, help: &'static str) -> OptionWords {
    OptionWords::new(long, Input::Texts)
        .value("NAME")
        .help(help)
}

const GROUP: &[OptionWords] = &[
    id("group-id", "Id of the package group").short('i'),
    NAME,
    DESCRIPTION,
    DISPLAY_ORDER,
    names(
        "mand-name",
        "Package that is installed with the group; can be repeated",
    ),
    names(
        "default-name",
        "Package that is installed unless somebody says otherwise; can be repeated",
    ),
    names(
        "opt-name",
        "Package that somebody may choose; can be repeated",
    ),
    OptionWords::new("cond-name", Input::Pairs)
        .value("NAME=OTHER")
        .help("Package that is installed when another one is; can be repeated"),
    OptionWords::new("default", Input::Bool)
        .default("false")
        .help("Group is chosen from the start"),
    OptionWords::new("user-visible", Input::Bool)
        .default("true")
        .help("Group is shown to people"),
    OptionWords::new("langonly", Input::Text)
        .value("LANGUAGE")
        .help("Language that the group is only for"),
];

fn group(given: &Given) -> Described {
    let value = |option| given.value(option);
    let own = json!({
        "mandatory_package_names": value("mand-name"), "default_package_names": value("default-name"),
        "optional_package_names": value("opt-name"), "conditional_package_names": value("cond-name"),
        "default": value("default"), "user_visible": value("user-visible"),
        "langonly": value("langonly"),
    });
    in_repo(given, "group-id", described(given, own))
}

const CATEGORY: &[OptionWords] = &[
    id("category-id", "Id of the category").short('i'),
    NAME,
    DESCRIPTION,
    DISPLAY_ORDER,
    groups("Package group of the category; can be repeated"),
];

const fn groups(help: &'static str) -> OptionWords {
    OptionWords::new("group", Input::Texts)
        .short('g')
        .value("ID")
        .help(help)
}

fn category(given: &Given) -> Described {
    let own = json!({ "packagegroupids": given.value("group") });
    in_repo(given, "category-id", described(given, own))
}

const ENVIRONMENT: &[OptionWords] = &[
    id("environment-id", "Id of the environment").short('i'),
    NAME,
    DESCRIPTION,
    DISPLAY_ORDER,
    groups("Package group of the environment; can be repeated"),
    OptionWords::new("option", Input::Texts)
        .value("ID")
        .help("Package group that somebody may choose; can be repeated"),
    OptionWords::new("default-option", Input::Texts)
        .value("ID")
        .help("Package group that is chosen unless somebody says otherwise; can be repeated"),
];

fn environment(given: &Given) -> Described {
    // The server keeps the text of the attribute, not a truth value.
    let usual = |id: &Value| json!({ "group": id, "default": "true" });
    let other = |id: &Value| json!({ "group": id, "default": false });
    let options: Vec<Value> = given
        .list("default-option")
        .iter()
        .map(usual)
        .chain(given.list("option").iter().map(other))
        .collect();
    let own = json!({ "group_ids": given.value("group"), "options": options });
    in_repo(given, "environment-id", described(given, own))
}

const LANGPACKS: &[OptionWords] = &[OptionWords::new("langpack", Input::Pairs)
    .value("NAME=PATTERN")
    .required()
    .help(
        "Package whose language packs are called so, with `%s` for the language; can be repeated",
    )];

fn langpacks(given: &Given) -> Described {
    let one = |pair: &Value| json!({ "name": pair[0], "install": pair[1] });
    let matches: Vec<Value> = given.list("langpack").iter().map(one).collect();
    Described {
        key: json!({ "repo_id": given.repo_id() }),
        metadata: json!({ "matches": matches }),
    }
}

const METAFILE: &[OptionWords] = &[OptionWords::new("data-type", Input::Text)
    .value("TYPE")
    .required()
    .help("Its type in repomd.xml")];

fn metafile(given: &Given) -> Described {
    Described {
        key: json!({ "data_type": given.value("data-type"), "repo_id": given.repo_id() }),
        metadata: json!({}),
    }
}
