//! Texts with names.

use pith_core::Sha256;
use serde_json::json;

use super::{Edition, Files, Promise, Sample, Upload, document};

/// A few notes.
pub(super) struct Texts;

impl Sample for Texts {
    fn family(&self) -> &'static str {
        "notes"
    }

    fn importer(&self) -> &'static str {
        "notes_importer"
    }

    fn distributor(&self) -> &'static str {
        "notes_distributor"
    }

    fn upstream(&self, edition: Edition) -> Files {
        let mut files = self.served(edition);
        let line = |(name, bytes): (&String, &Vec<u8>)| {
            format!("{name} {} {}\n", bytes.len(), Sha256::of(bytes))
        };
        let names: String = files.iter().map(line).collect();
        files.insert("names".to_owned(), names.into_bytes());
        files
    }

    fn mount(&self, repo_id: &str) -> String {
        format!("/notes/{repo_id}/")
    }

    fn served(&self, edition: Edition) -> Files {
        let all: &[(&str, &str)] = match edition {
            Edition::First => &[("ape", "eats fruit"), ("yak", "eats grass")],
            Edition::Second => &[
                ("ape", "eats leaves"),
                ("emu", "eats seeds"),
                ("yak", "eats grass"),
            ],
        };
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
        all.iter().map(file).collect()
    }

    fn entry(&self) -> &'static str {
        "names"
    }

    fn promised(&self, entry: &str) -> Vec<Promise> {
        let promise = |name: &str| Promise {
            path: name.to_owned(),
            sha256: None,
        };
        entry.lines().map(promise).collect()
    }

    fn upload(&self) -> Upload {
        Upload {
            type_id: "note",
            key: document(&json!({ "name": "owl" })),
            bytes: b"eats mice".to_vec(),
        }
    }
}
