//! Damaged documents end in an error or in something read, never in a panic or a snippet that clients cannot read.

use pith_content::Bent;
use pith_testkit::repos::{Compression, Spec, write_repository};
use pith_type_rpm::metadata::comps;
use pith_type_rpm::metadata::package_file::IdStream;
use pith_type_rpm::metadata::primary::{self, PrimaryStream};
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::snippet;
use pith_type_rpm::metadata::updateinfo::ErratumStream;
use proptest::prelude::*;
use std::sync::LazyLock;

static DOCUMENTS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let spec = Spec {
        packages: 3,
        compression: Compression::Plain,
        ..Spec::default()
    };
    write_repository(folder.path(), &spec).unwrap();
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder.path().join("repodata"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let kind = name.rsplit('-').next().unwrap().to_owned();
            (kind, std::fs::read(path).unwrap())
        })
        .collect();
    all.sort();
    all
});

/// Reads a document to its end or to the first error.
fn read(kind: &str, bytes: &[u8]) {
    let mut text = Vec::new();
    match kind {
        "primary.xml" => {
            let Ok(mut stream) = PrimaryStream::open(bytes) else {
                return;
            };
            while let Ok(Some(_)) = stream.next(&mut text) {
                // What was accepted once is accepted again after rendering.
                let mut rendered = Vec::new();
                snippet::render(&text, &"a".repeat(64), "sha256", &mut rendered);
                primary::package(&rendered, &mut Vec::new()).unwrap();
            }
        }
        "filelists.xml" | "other.xml" => {
            let root = if kind == "other.xml" {
                "otherdata"
            } else {
                "filelists"
            };
            let Ok(mut stream) = IdStream::open(bytes, root) else {
                return;
            };
            while let Ok(Some(_)) = stream.next(&mut text) {}
        }
        "updateinfo.xml" => {
            let Ok(mut stream) = ErratumStream::open(bytes) else {
                return;
            };
            while let Ok(Some(_)) = stream.next_erratum() {}
        }
        "comps.xml" => {
            drop(comps::each(|| Ok(bytes), &Bent::default(), |_| Ok(())));
        }
        _ => drop(Repomd::read(bytes)),
    }
}

proptest! {
    #[test]
    fn damaged_documents_never_panic(
        which in 0usize..6,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), "[<>&;/a-z\"'={}% \u{1}]"), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let (kind, bytes) = &DOCUMENTS[which % DOCUMENTS.len()];
        let mut bytes = bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte.as_bytes()[0];
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read(kind, &bytes);
    }
}
