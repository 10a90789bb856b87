//! A real dnf that sees one repository and writes into one folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::tools::run;

/// dnf with its configuration, caches, database and installation root in a folder of its own. Nothing of the machine
/// is read or changed.
#[derive(Debug)]
pub struct Dnf {
    folder: TempDir,
}

impl Dnf {
    /// A client of the repository at `url`, with the signature check off.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Self::with_configuration(&format!("[pith]\nname=pith\nbaseurl={url}\ngpgcheck=0\n"))
    }

    /// A client with this text as its only `.repo` file.
    ///
    /// # Errors
    /// When its folder cannot be made.
    pub fn with_configuration(text: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let main = "[main]\nplugins=0\ninstall_weak_deps=0\nbest=1\nskip_if_unavailable=0\n";
        fs::write(folder.path().join("dnf.conf"), main)?;
        fs::create_dir(folder.path().join("repos"))?;
        fs::write(folder.path().join("repos/pith.repo"), text)?;
        Ok(Self { folder })
    }

    /// Runs dnf with these arguments; what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let folder = self.folder.path().display();
        let mut command = self.program("dnf");
        command
            .args(["--quiet", "--assumeyes", "--releasever=1"])
            .arg(format!("--config={folder}/dnf.conf"))
            .arg(format!("--installroot={folder}/root"))
            .arg(format!("--setopt=reposdir={folder}/repos"))
            .arg("--setopt=varsdir=/dev/null")
            .args(arguments);
        run(&mut command)
    }

    /// Downloads the metadata anew.
    ///
    /// # Errors
    /// When dnf does not like it.
    pub fn makecache(&self) -> anyhow::Result<()> {
        self.run(&["makecache", "--refresh"]).map(drop)
    }

    /// Every package of the repository as `name-epoch:version-release.arch`, sorted.
    ///
    /// # Errors
    /// When dnf fails.
    pub fn packages(&self) -> anyhow::Result<Vec<String>> {
        let format = "--queryformat=%{name}-%{epoch}:%{version}-%{release}.%{arch}";
        Ok(lines(&self.run(&[
            "repoquery",
            "--show-duplicates",
            format,
        ])?))
    }

    /// Installs packages into the root of this client.
    ///
    /// # Errors
    /// When dnf fails.
    pub fn install(&self, names: &[&str]) -> anyhow::Result<()> {
        self.run(&[&["install"], names].concat()).map(drop)
    }

    /// The packages that are installed in the root of this client, as `name-version-release`, sorted.
    ///
    /// # Errors
    /// When rpm fails.
    pub fn installed(&self) -> anyhow::Result<Vec<String>> {
        let mut rpm = self.program("rpm");
        rpm.arg("--root")
            .arg(self.root())
            .args(["--query", "--all"]);
        rpm.args(["--queryformat", "%{name}-%{version}-%{release}\n"]);
        Ok(lines(&run(&mut rpm)?))
    }

    /// A program that knows nothing of the person who runs the test. dnf and rpm must agree on the home folder: Debian
    /// keeps the database of packages there.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// The installation root.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}
