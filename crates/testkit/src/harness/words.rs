//! The words of the command line for the harness: as few as a family can have, so that descriptors give the rest.

use pith_content::words::{
    Described, Given, Input, OnCreate, OptionGroup, OptionWords, UnitWords, UploadWords, Words,
    distributor, importer,
};
use serde_json::json;

use super::UNIT;

/// The words.
pub(super) static WORDS: Words = Words {
    section: "harness",
    about: "Work with repositories of the harness",
    note: "harness-repo",
    importer: "harness_importer",
    distributor: "harness_distributor",
    units: &[UnitWords {
        key_from_file: true,
        ..UnitWords::new("unit", UNIT.id, &["name"])
    }],
    settings: &[OptionGroup {
        heading: "Harness",
        options: &[
            OptionWords::of("num-units", const { &[importer("num_units")] }),
            OptionWords::of("write-files", const { &[distributor("write_files")] })
                .on_create(OnCreate::Flag(true)),
        ],
    }],
    uploads: &[UploadWords {
        word: "named",
        aliases: &[],
        about: "Add a unit of this name",
        unit_type: UNIT.id,
        file: None,
        options: &[OptionWords::new("name", Input::Text).required()],
        describe: named,
    }],
    ..Words::NONE
};

fn named(given: &Given) -> Described {
    Described {
        key: json!({ "name": given.value("name") }),
        metadata: json!({}),
    }
}
