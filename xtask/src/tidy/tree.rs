//! The files of the work tree, read once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::rust::RustSource;

/// Every text file that git tracks or would add.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The folder of the workspace; empty for trees made in tests.
    pub(crate) root: PathBuf,
    /// Sorted by path.
    pub(crate) files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The views on it when it is Rust.
    pub(crate) rust: Option<RustSource>,
}

impl File {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        let rust = path.ends_with(".rs").then(|| RustSource::new(&text));
        Self { path, text, rust }
    }

    /// The folder of the crate that the file belongs to (`crates/core`, `types/rpm`, `xtask`).
    pub(crate) fn home(&self) -> &str {
        let depth =
            usize::from(self.path.starts_with("crates/") || self.path.starts_with("types/"));
        let end = self.path.match_indices('/').nth(depth).map(|(at, _)| at);
        end.map_or("", |end| &self.path[..end])
    }

    /// Tells whether the file is no part of what ships: an integration test, a module named `tests.rs`, an example.
    pub(crate) fn is_test(&self) -> bool {
        ["/tests/", "/examples/"]
            .iter()
            .any(|folder| self.path.contains(folder))
            || self.path.ends_with("/tests.rs")
            || self.path.ends_with("_tests.rs")
    }
}

impl Tree {
    /// Reads the work tree that holds the present folder.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let root =
            PathBuf::from(git(Path::new("."), &["rev-parse", "--show-toplevel"])?.trim_end());
        let listing = git(
            &root,
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?;
        let mut paths: Vec<&str> = listing.split_terminator('\0').collect();
        paths.sort_unstable();
        paths.dedup();
        let files = paths
            .into_iter()
            // Missing: deleted but not committed. Not UTF-8: an RPM or another binary. Neither is ours to judge.
            .filter_map(|path| {
                Some(File::new(
                    path,
                    std::fs::read_to_string(root.join(path)).ok()?,
                ))
            })
            .collect();
        Ok(Self { root, files })
    }

    /// A tree that exists only in a test.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            root: PathBuf::new(),
            files: files
                .iter()
                .map(|(path, text)| File::new(*path, *text))
                .collect(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust files, each with its views.
    pub(crate) fn rust(&self) -> impl Iterator<Item = (&File, &RustSource)> {
        self.files
            .iter()
            .filter_map(|file| Some((file, file.rust.as_ref()?)))
    }
}

fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .context("git did not start")?;
    ensure!(
        output.status.success(),
        "git {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_knows_its_crate() {
        let home = |path: &str| File::new(path, "").home().to_owned();
        assert_eq!(home("crates/core/src/lib.rs"), "crates/core");
        assert_eq!(home("types/rpm/Cargo.toml"), "types/rpm");
        assert_eq!(home("xtask/src/main.rs"), "xtask");
        assert_eq!(home("README.md"), "");
    }
}
