//! Measures parsing and writing of the metadata of N packages: `cargo run --release --example measure -- 10000`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write;
use std::time::Instant;

use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::metadata::compression;
use pith_type_rpm::metadata::package_file::IdStream;
use pith_type_rpm::metadata::primary::PrimaryStream;
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::snippet::Packer;
use pith_type_rpm::metadata::writer::{Kind, PackageWriter};
use pith_type_rpm::units;

fn main() {
    let packages = std::env::args()
        .nth(1)
        .map_or(10_000, |n| n.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let at = Instant::now();
    write_repository(folder.path(), &Spec::of(packages)).unwrap();
    println!("made {packages} packages in {:?}", at.elapsed());
    let repomd = std::fs::read(folder.path().join("repodata/repomd.xml")).unwrap();
    let repomd = Repomd::read(repomd.as_slice()).unwrap();
    let open = |kind: &str| {
        let path = folder.path().join(repomd.get(kind).unwrap().href.as_str());
        compression::open(std::fs::File::open(path).unwrap(), 1 << 40).unwrap()
    };
    let mut packer = Packer::new().unwrap();
    let mut snippet = Vec::new();
    let mut stored = Vec::new();
    let at = Instant::now();
    let mut stream = PrimaryStream::open(open("primary")).unwrap();
    let mut fields = 0;
    while let Some(package) = stream.next(&mut snippet).unwrap() {
        fields += units::package_document(&package).len();
        stored.push(packer.pack(&snippet).unwrap());
    }
    let kept: usize = stored.iter().map(bytes::Bytes::len).sum();
    println!(
        "primary: {:?}, {fields} fields, {kept} bytes kept",
        at.elapsed()
    );
    for (kind, root) in [("filelists", "filelists"), ("other", "otherdata")] {
        let at = Instant::now();
        let mut stream = IdStream::open(open(kind), root).unwrap();
        let mut kept = 0;
        while stream.next(&mut snippet).unwrap().is_some() {
            kept += packer.pack(&snippet).unwrap().len();
        }
        println!("{kind}: {:?}, {kept} bytes kept", at.elapsed());
    }
    for level in [1, 2, 3, 4, 6] {
        let at = Instant::now();
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
        let mut writer = PackageWriter::new(gzip, Kind::Primary, packages as u64).unwrap();
        for snippet in &stored {
            writer.push(snippet, "abcdef", "sha256").unwrap();
        }
        let mut gzip = writer.finish().unwrap();
        gzip.flush().unwrap();
        let bytes = gzip.finish().unwrap();
        println!(
            "write primary at level {level}: {:?}, {} bytes",
            at.elapsed(),
            bytes.len()
        );
    }
}
