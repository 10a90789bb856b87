//! Feeds like those that the recorded server synced: the names that the recordings ask for, in as many units.

use std::path::Path;

use pith_e2e::Feed;
use pith_e2e::tools::sample_files;
use pith_testkit::replay::{Live, Prepared, Reply, Transport};
use pith_testkit::repos::{PackageSpec, Spec, build, write_repository};

/// The packages of the larger feeds. Only one has version 4.1.
const ANIMALS: &[(&str, &str)] = &[
    ("bear", "4.1"),
    ("camel", "0.1"),
    ("cat", "1.0"),
    ("cheetah", "1.25.3"),
    ("chimpanzee", "0.21"),
    ("cockateel", "3.1"),
    ("cow", "2.2"),
    ("crow", "0.8"),
    ("dog", "4.23"),
    ("dolphin", "3.10.232"),
    ("duck", "0.6"),
    ("elephant", "8.3"),
    ("fox", "1.1"),
    ("frog", "0.1"),
    ("giraffe", "0.67"),
    ("gorilla", "0.62"),
    ("horse", "0.22"),
    ("kangaroo", "0.2"),
    ("koala", "1.2"),
    ("lion", "0.4"),
    ("mole", "0.3"),
    ("mouse", "0.1.12"),
    ("newt", "2.0"),
    ("penguin", "0.9.1"),
    ("pike", "2.2"),
    ("shark", "0.1"),
    ("squirrel", "0.1"),
    ("stork", "0.12"),
    ("tiger", "1.0"),
    ("trout", "0.12"),
    ("walrus", "5.21"),
    ("walrus", "0.71"),
    ("whale", "0.2"),
    ("wolf", "9.4"),
    ("zebra", "0.1"),
];

/// Where an upload of the recordings is cut in two.
const CUT: usize = 1247;

/// The feeds, for as long as this lives.
pub(crate) struct Zoo {
    package: Vec<u8>,
    _folder: tempfile::TempDir,
}

impl Zoo {
    /// Serves the feeds below the paths that they have in the recordings.
    pub(crate) fn open(feed: &Feed) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let animals = Spec {
            packages: ANIMALS.len(),
            named: ANIMALS,
            errata: 4,
            environment: false,
            ..Spec::default()
        };
        let few = |packages| Spec {
            packages,
            errata: 0,
            groups: 0,
            ..Spec::default()
        };
        let specs = [
            ("rpm-signed", animals.clone()),
            (
                "rpm-unsigned",
                Spec {
                    seed: 1,
                    ..animals.clone()
                },
            ),
            (
                "srpm-signed",
                Spec {
                    sources: 3,
                    errata: 2,
                    groups: 2,
                    environment: false,
                    ..few(0)
                },
            ),
            ("drpm-signed", few(5)),
            (
                "rpm-with-modules",
                Spec {
                    modules: 3,
                    errata: 6,
                    ..animals.clone()
                },
            ),
            ("rpm-distribution-tree", few(1)),
            (
                "rpm-yum-metadata-file",
                Spec {
                    product_id: true,
                    ..few(3)
                },
            ),
            ("rpm-missing-primary", few(3)),
            ("rpm-many", few(3)),
        ];
        for (name, spec) in &specs {
            let path = folder.path().join(name);
            write_repository(&path, spec).unwrap();
            feed.serve(&format!("/{name}/"), &path);
        }
        lose_primary(&folder.path().join("rpm-missing-primary/repodata"));
        feed.serve("/file/", &sample_files());
        feed.replace("/badrepomd/repodata/repomd.xml", b"this is no XML");
        let (_, package) = build(&PackageSpec::of(&animals, 0)).unwrap();
        Self {
            package,
            _folder: folder,
        }
    }
}

fn lose_primary(repodata: &Path) {
    for entry in std::fs::read_dir(repodata).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains("primary.xml") {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// A server that is sent a real package where a recording only says which bytes were sent.
pub(crate) struct WithPackage<'a> {
    live: Live,
    package: &'a [u8],
}

impl<'a> WithPackage<'a> {
    /// Requests go to `live`.
    pub(crate) fn new(live: Live, zoo: &'a Zoo) -> Self {
        Self {
            live,
            package: &zoo.package,
        }
    }
}

impl Transport for WithPackage<'_> {
    async fn send(&self, mut request: Prepared) -> Reply {
        let (first, rest) = self.package.split_at(CUT.min(self.package.len()));
        match request.body.as_slice() {
            b"first 1247 bytes of bear-4.1-1.noarch.rpm" | b"first 1247 bytes again" => {
                request.body = first.to_vec();
            }
            b"remaining 1247 bytes" => request.body = rest.to_vec(),
            _ => {}
        }
        self.live.send(request).await
    }
}
