//! Measures parsing and writing of the metadata of N packages: `cargo run --release --example measure -- 10000`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Instant;

use pith_testkit::repos::{Spec, write_repository};
use pith_type_rpm::metadata::compression;
use pith_type_rpm::metadata::package_file::IdStream;
use pith_type_rpm::metadata::primary::PrimaryStream;
use pith_type_rpm::metadata::repomd::Repomd;
use pith_type_rpm::metadata::snippet::Packer;
use pith_type_rpm::metadata::writer::{PackageDocument, PackageWriter, Sink};
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
    let at = Instant::now();
    let mut writer =
        PackageWriter::new(Size(0), PackageDocument::Primary, packages as u64).unwrap();
    for (number, chunk) in stored.chunks(128).enumerate() {
        writer.begin([u8::try_from(number % 255).unwrap() + 1; 32]);
        for snippet in chunk {
            writer.push(snippet, "abcdef", "sha256").unwrap();
        }
        writer.end().unwrap();
    }
    let size = writer.finish().unwrap().0;
    println!("write primary: {:?}, {size} bytes", at.elapsed());
}

struct Size(usize);

impl Sink for Size {
    fn member(&mut self, _: &[u8], packed: &[u8]) -> std::io::Result<()> {
        self.0 += packed.len();
        Ok(())
    }
}
