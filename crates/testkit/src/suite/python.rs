//! Python packages below a simple index.

use pith_core::{Document, Sha256};
use serde_json::json;

use super::{Edition, Files, Promise, Sample, Upload, document};
use crate::python::{wheel, wheel_name};

/// A few wheels of one project.
pub(super) struct Wheels;

const PROJECT: &str = "shelf-reader";
const FOLDER: &str = "packages/source/s/shelf-reader";

impl Sample for Wheels {
    fn family(&self) -> &'static str {
        "python"
    }

    fn importer(&self) -> &'static str {
        "python_importer"
    }

    fn distributor(&self) -> &'static str {
        "python_distributor"
    }

    fn importer_config(&self) -> Document {
        document(&json!({ "package_names": PROJECT, "remove_missing": true }))
    }

    fn deferring(&self) -> Option<Document> {
        Some(document(
            &json!({ "package_names": PROJECT, "download_policy": "on_demand" }),
        ))
    }

    fn upstream(&self, edition: Edition) -> Files {
        let mut files = self.served(edition);
        let listed = files.iter().map(|(path, bytes)| {
            json!({
                "filename": path.rsplit('/').next(),
                "url": format!("../../{path}"),
                "hashes": { "sha256": Sha256::of(bytes) },
                "size": bytes.len(),
                "requires-python": ">=3.6",
            })
        });
        let listed: Vec<_> = listed.collect();
        let page = json!({ "meta": { "api-version": "1.1" }, "name": PROJECT, "files": listed });
        files.insert(format!("simple/{PROJECT}/"), page.to_string().into_bytes());
        files
    }

    fn mount(&self, repo_id: &str) -> String {
        format!("/pulp/python/web/{repo_id}/")
    }

    fn served(&self, edition: Edition) -> Files {
        let all: &[(&str, &str)] = match edition {
            Edition::First => &[("0.1", "first"), ("0.2", "stays")],
            Edition::Second => &[("0.1", "second"), ("0.2", "stays"), ("0.3", "new")],
        };
        let file = |(version, text): &(&str, &str)| {
            let name = wheel_name(PROJECT, version);
            (format!("{FOLDER}/{name}"), wheel(PROJECT, version, text))
        };
        all.iter().map(file).collect()
    }

    fn entry(&self) -> &'static str {
        "simple/shelf-reader/index.html"
    }

    fn promised(&self, entry: &str) -> Vec<Promise> {
        let promise = |link: &str| {
            let (path, rest) = link.split_once("#sha256=")?;
            Some(Promise {
                path: path.to_owned(),
                sha256: rest.get(..64)?.parse().ok(),
            })
        };
        entry
            .split("href=\"../../")
            .skip(1)
            .filter_map(promise)
            .collect()
    }

    fn upload(&self) -> Upload {
        Upload {
            type_id: "python_package",
            key: document(&json!({ "filename": wheel_name("up", "1.0") })),
            bytes: wheel("up", "1.0", "uploaded"),
        }
    }
}
