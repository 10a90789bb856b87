//! Small and large valid repositories, made from nothing.
//!
//! Packages are real RPMs that dnf installs; repodata is written here in the plainest way, so that it is no copy of what
//! it tests. Everything is made from a seed: the same [`Spec`] gives the same bytes.

mod packages;
mod repodata;

use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub use packages::{BUILD_TIME, MadePackage, PackageSpec, build};

/// The compression of repodata documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip.
    Gz,
    /// xz.
    Xz,
    /// Zstandard.
    Zst,
    /// bzip2.
    Bz2,
}

impl Compression {
    /// Returns what a compressed file's name ends with.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gz => ".gz",
            Self::Xz => ".xz",
            Self::Zst => ".zst",
            Self::Bz2 => ".bz2",
        }
    }

    /// Compresses `bytes`.
    ///
    /// # Errors
    /// Those of the compressor.
    pub fn compress(self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(bytes.to_vec()),
            Self::Gz => {
                let mut encoder =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Xz => {
                let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Zst => zstd::encode_all(bytes, 3),
            Self::Bz2 => {
                let mut encoder =
                    bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// The content that a repository is to have.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Binary packages.
    pub packages: usize,
    /// Names and versions of the first packages; the others have made-up ones.
    pub named: &'static [(&'static str, &'static str)],
    /// Source packages.
    pub sources: usize,
    /// Errata, each for some of the packages.
    pub errata: usize,
    /// Package groups; with any there are a category and langpacks too.
    pub groups: usize,
    /// Is true when there is an environment where there are groups.
    pub environment: bool,
    /// Modules, each with a default stream.
    pub modules: usize,
    /// Is true when there is a `productid` document, which no tool knows.
    pub product_id: bool,
    /// Digest algorithm of packages and documents: `sha1`, `sha256`, `sha384` or `sha512`.
    pub checksum: pith_core::Algorithm,
    /// Compression of the documents.
    pub compression: Compression,
    /// Bytes of payload in each package that compress badly.
    pub payload: usize,
    /// `revision` of `repomd.xml`.
    pub revision: u64,
    /// Makes other packages of the same names.
    pub seed: u64,
    /// Returns where primary says that a package is; its file lies at [`MadePackage::location`] all the same.
    pub location: fn(&MadePackage) -> String,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            packages: 10,
            named: &[],
            sources: 0,
            errata: 2,
            groups: 2,
            environment: true,
            modules: 0,
            product_id: false,
            checksum: pith_core::Algorithm::Sha256,
            compression: Compression::Gz,
            payload: 1024,
            revision: 1_700_000_000,
            seed: 0,
            location: MadePackage::location,
        }
    }
}

impl Spec {
    /// A repository of `packages` packages and the usual documents in proportion.
    #[must_use]
    pub fn of(packages: usize) -> Self {
        Self {
            packages,
            errata: packages / 20,
            groups: packages.div_ceil(100),
            ..Self::default()
        }
    }

    /// One of everything that a sync knows.
    #[must_use]
    pub fn full() -> Self {
        Self {
            sources: 2,
            modules: 2,
            product_id: true,
            ..Self::of(20)
        }
    }
}

/// Writes a repository below `folder` (made when missing) and tells what is in it.
///
/// # Errors
/// When a file cannot be written.
pub fn write_repository(folder: &Path, spec: &Spec) -> anyhow::Result<Vec<MadePackage>> {
    fs::create_dir_all(folder.join("Packages"))?;
    fs::create_dir_all(folder.join("repodata"))?;
    let mut writer = repodata::Writer::new(folder, spec);
    let mut made = Vec::with_capacity(spec.packages + spec.sources);
    for number in 0..spec.packages + spec.sources {
        let (package, bytes) = build(&PackageSpec::of(spec, number))?;
        fs::write(folder.join(package.location()), &bytes)?;
        writer.package(&package)?;
        made.push(package);
    }
    writer.finish(&made)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_same_spec_gives_the_same_bytes() {
        let spec = PackageSpec::of(&Spec::default(), 3);
        let (one, bytes) = build(&spec).unwrap();
        assert_eq!(build(&spec).unwrap().1, bytes);
        assert_eq!(one.size, bytes.len() as u64);
        let other = PackageSpec::of(
            &Spec {
                seed: 1,
                ..Spec::default()
            },
            3,
        );
        assert_ne!(build(&other).unwrap().1, bytes);
    }

    #[test]
    fn a_repository_has_its_packages_and_documents() {
        let folder = tempfile::tempdir().unwrap();
        let made = write_repository(folder.path(), &Spec::full()).unwrap();
        assert_eq!(made.len(), 22);
        assert!(
            made.iter()
                .all(|package| folder.path().join(package.location()).is_file())
        );
        let repomd = fs::read_to_string(folder.path().join("repodata/repomd.xml")).unwrap();
        for kind in [
            "primary",
            "filelists",
            "other",
            "updateinfo",
            "group",
            "modules",
            "productid",
        ] {
            assert!(
                repomd.contains(&format!("<data type=\"{kind}\">")),
                "{kind} is missing"
            );
        }
    }
}
