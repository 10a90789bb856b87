//! Plain files under a `PULP_MANIFEST`.

use pith_core::{Document, Sha256};
use serde_json::json;

use super::{Edition, Files, Promise, Sample, Upload, document};

const MANIFEST: &str = "PULP_MANIFEST";

/// A few files.
pub(super) struct Isos;

impl Sample for Isos {
    fn family(&self) -> &'static str {
        "file"
    }

    fn importer(&self) -> &'static str {
        "iso_importer"
    }

    fn distributor(&self) -> &'static str {
        "iso_distributor"
    }

    fn importer_config(&self) -> Document {
        document(&json!({ "remove_missing": true }))
    }

    fn distributor_config(&self, _repo_id: &str) -> Document {
        document(&json!({ "serve_http": true, "serve_https": false }))
    }

    fn upstream(&self, edition: Edition) -> Files {
        let mut files = self.served(edition);
        let line = |(name, bytes): (&String, &Vec<u8>)| {
            format!("{name},{},{}\n", Sha256::of(bytes), bytes.len())
        };
        let manifest: String = files.iter().map(line).collect();
        files.insert(MANIFEST.to_owned(), manifest.into_bytes());
        files
    }

    fn mount(&self, repo_id: &str) -> String {
        format!("/pulp/isos/{repo_id}/")
    }

    fn served(&self, edition: Edition) -> Files {
        let all: &[(&str, &str)] = match edition {
            Edition::First => &[("a.iso", "first"), ("b.iso", "stays")],
            Edition::Second => &[("a.iso", "second"), ("b.iso", "stays"), ("c.iso", "new")],
        };
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
        all.iter().map(file).collect()
    }

    fn entry(&self) -> &'static str {
        MANIFEST
    }

    fn promised(&self, entry: &str) -> Vec<Promise> {
        let promise = |line: &str| {
            let mut cells = line.split(',');
            Some(Promise {
                path: cells.next()?.to_owned(),
                sha256: cells.next()?.parse().ok(),
            })
        };
        entry.lines().filter_map(promise).collect()
    }

    fn upload(&self) -> Upload {
        let bytes = b"uploaded".to_vec();
        let key = json!({
            "name": "up.iso",
            "checksum": Sha256::of(&bytes),
            "size": bytes.len(),
        });
        Upload {
            type_id: "iso",
            key: document(&key),
            bytes,
        }
    }
}
