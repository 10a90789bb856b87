//! Packages with their metadata.

use std::path::Path;

use pith_core::Document;
use serde_json::json;

use super::{Edition, Files, Promise, Sample, Upload, document};
use crate::repos::{Compression, MadePackage, PackageSpec, Spec, build, write_repository};

/// A few packages, with advisories and groups.
pub(super) struct Packages;

fn spec(edition: Edition) -> Spec {
    let (packages, seed) = match edition {
        Edition::First => (2, 0),
        // Packages have other bytes under the names of before.
        Edition::Second => (3, 1),
    };
    Spec {
        packages,
        seed,
        errata: 1,
        groups: 1,
        compression: Compression::Plain,
        payload: 64,
        ..Spec::default()
    }
}

/// Writes the repository into a folder that goes away, and has it looked at.
fn with<T>(edition: Edition, look: impl FnOnce(&Path, &[MadePackage]) -> anyhow::Result<T>) -> T {
    let made = || {
        let folder = tempfile::tempdir()?;
        let packages = write_repository(folder.path(), &spec(edition))?;
        look(folder.path(), &packages)
    };
    match made() {
        Ok(found) => found,
        Err(error) => panic!("cannot make a repository: {error}"),
    }
}

impl Sample for Packages {
    fn family(&self) -> &'static str {
        "rpm"
    }

    fn importer(&self) -> &'static str {
        "yum_importer"
    }

    fn distributor(&self) -> &'static str {
        "yum_distributor"
    }

    fn importer_config(&self) -> Document {
        document(&json!({ "remove_missing": true }))
    }

    fn distributor_config(&self, repo_id: &str) -> Document {
        document(&json!({ "http": true, "https": false, "relative_url": repo_id }))
    }

    fn upstream(&self, edition: Edition) -> Files {
        with(edition, |folder, _| {
            let mut files = Files::new();
            for below in ["Packages", "repodata"] {
                for file in std::fs::read_dir(folder.join(below))? {
                    let file = file?;
                    let path = format!("{below}/{}", file.file_name().display());
                    files.insert(path, std::fs::read(file.path())?);
                }
            }
            Ok(files)
        })
    }

    fn mount(&self, repo_id: &str) -> String {
        format!("/pulp/repos/{repo_id}/")
    }

    fn served(&self, edition: Edition) -> Files {
        with(edition, |folder, packages| {
            let file = |package: &MadePackage| {
                let (name, location) = (package.file_name(), package.location());
                let path = format!("Packages/{}/{name}", &name[..1]);
                Ok((path, std::fs::read(folder.join(location))?))
            };
            packages.iter().map(file).collect()
        })
    }

    fn entry(&self) -> &'static str {
        "repodata/repomd.xml"
    }

    fn promised(&self, entry: &str) -> Vec<Promise> {
        let between = |text: &str, head: &str, tail: &str| {
            let (_, rest) = text.split_once(head)?;
            let (found, _) = rest.split_once(tail)?;
            Some(found.to_owned())
        };
        let promise = |data: &str| {
            let digest = between(data, "<checksum type=\"sha256\">", "<");
            Some(Promise {
                path: between(data, "<location href=\"", "\"")?,
                sha256: digest.and_then(|hex| hex.parse().ok()),
            })
        };
        entry.split("<data ").skip(1).filter_map(promise).collect()
    }

    fn upload(&self) -> Upload {
        let spec = Spec {
            named: &[("uploaded", "1.0")],
            ..spec(Edition::First)
        };
        match build(&PackageSpec::of(&spec, 0)) {
            Ok((_, bytes)) => Upload {
                type_id: "rpm",
                key: Document::new(),
                bytes,
            },
            Err(error) => panic!("cannot make a package: {error}"),
        }
    }
}
