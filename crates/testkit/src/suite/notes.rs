//! Texts with names, and papers in a binder.

use pith_core::Sha256;
use serde_json::json;

use super::{Edition, Files, Promise, Sample, Upload, document};

/// The papers of a binder: many small ones, in folders, and a large one.
fn papers(edition: Edition) -> Files {
    let (count, text) = match edition {
        Edition::First => (30, "was here"),
        Edition::Second => (31, "has gone"),
    };
    let small = (0..count).map(|day| {
        let text = if day == 7 { text } else { "as ever" };
        let path = format!("log/{}/{day}", day % 3);
        (path, format!("day {day}: {text}").into_bytes())
    });
    let large = ("log/map".to_owned(), b"swamp ".repeat(20_000));
    small.chain([large]).collect()
}

/// A few notes, and a binder.
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
        let line = |(path, bytes): (&String, &Vec<u8>)| {
            // A paper is said to be in its binder.
            let path = path.replacen('/', " ", 1);
            format!("{path} {} {}\n", bytes.len(), Sha256::of(bytes))
        };
        let (papers, notes): (Files, Files) = files
            .clone()
            .into_iter()
            .partition(|(path, _)| path.contains('/'));
        let names: String = notes.iter().map(line).collect();
        let binders: String = papers.iter().map(line).collect();
        files.insert("names".to_owned(), names.into_bytes());
        files.insert("binders".to_owned(), binders.into_bytes());
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
        all.iter().map(file).chain(papers(edition)).collect()
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
