//! The repository that everything is measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use pith_e2e::tools::{run, workspace};
use rpm::{BuildConfig, CompressionType, Dependency, FileOptions, PackageBuilder};

/// A folder of packages with metadata made by createrepo_c.
#[derive(Debug)]
pub(crate) struct Packages {
    pub(crate) folder: PathBuf,
    pub(crate) count: usize,
}

impl Packages {
    /// Makes `count` packages, or finds those that an earlier run made.
    pub(crate) fn generate(count: usize) -> anyhow::Result<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace().join("target"), PathBuf::from);
        let folder = target.join(format!("bench/rpm-{count}"));
        let packages = Self { folder, count };
        if !packages.folder.join("repodata/repomd.xml").is_file() {
            eprintln!("making {count} packages in {}", packages.folder.display());
            packages.write()?;
        }
        Ok(packages)
    }

    fn write(&self) -> anyhow::Result<()> {
        let _ = fs::remove_dir_all(&self.folder);
        fs::create_dir_all(&self.folder)?;
        for number in 0..self.count {
            write_package(&self.folder, number)?;
        }
        run(createrepo(&self.folder).arg("--no-database")).map(drop)
    }

    /// A folder with hard links to all packages, for a peer that changes its folder.
    pub(crate) fn linked_into(&self, folder: &Path) -> anyhow::Result<()> {
        for path in self.files()? {
            let name = path.file_name().context("a package without a name")?;
            // Another file system takes a copy.
            if fs::hard_link(&path, folder.join(name)).is_err() {
                fs::copy(&path, folder.join(name))?;
            }
        }
        Ok(())
    }

    /// The packages, sorted.
    pub(crate) fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut files = Vec::with_capacity(self.count);
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "rpm") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// `createrepo_c` with two workers on a folder.
pub(crate) fn createrepo(folder: &Path) -> Command {
    let mut command = Command::new("createrepo_c");
    command.args(["--quiet", "--workers", "2"]).arg(folder);
    command
}

/// The name of a package.
pub(crate) fn name(number: usize) -> String {
    const FAMILIES: [&str; 8] = [
        "lib", "python3-", "perl-", "golang-", "rust-", "texlive-", "kde-", "php-",
    ];
    format!("{}sample{number:05}", FAMILIES[number % FAMILIES.len()])
}

/// One package with about as much in its header as a distribution's have: twenty files, a dozen dependencies, some
/// change log.
fn write_package(folder: &Path, number: usize) -> anyhow::Result<()> {
    let name = name(number);
    let version = format!("{}.{}.{}", 1 + number % 9, number % 17, number % 5);
    let mut builder = PackageBuilder::new(
        &name,
        &version,
        "MIT",
        "noarch",
        "A package to measure with",
    );
    builder
        .using_config(BuildConfig::v4().compression(CompressionType::None).source_date(1_767_225_600_u32))
        .release("1.el9")
        .url(format!("https://example.org/{name}"))
        .vendor("Example Software")
        .packager("Sample Maker <samples@example.org>")
        .description("A package that was made to be measured with. Its description has two sentences, as most have.");
    for file in 0..20 {
        let path = format!("/usr/share/{name}/part-{}/file-{file:02}.txt", file / 5);
        let bytes = format!("{name} {version} {file}\n").repeat(16);
        builder.with_file_contents(bytes, FileOptions::new(path))?;
    }
    for other in 1..=8 {
        builder.requires(Dependency::greater_eq(
            self::name(number / (other + 1)),
            "1.0",
        ));
    }
    for part in 0..4 {
        builder.provides(Dependency::eq(
            format!("{name}(part-{part})"),
            version.clone(),
        ));
    }
    for entry in 0..6_u32 {
        builder.add_changelog_entry(
            format!("Sample Maker <samples@example.org> - {version}-{entry}"),
            "- Rebuilt with another compiler\n- Fixed what the last change broke",
            1_767_225_600_u32 - entry * 2_592_000,
        );
    }
    builder
        .build()?
        .write_file(folder.join(format!("{name}-{version}-1.el9.noarch.rpm")))?;
    Ok(())
}
