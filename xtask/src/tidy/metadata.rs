//! The crates of the workspace and what each depends on, from `cargo metadata`.

use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::tree::Tree;

/// The members of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    pub(crate) members: Vec<Member>,
}

/// One crate.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// The crates that it is built from.
    pub(crate) uses: Vec<String>,
    /// The crates that only its tests are built from.
    pub(crate) tests_use: Vec<String>,
}

impl Workspace {
    pub(crate) fn read(tree: &Tree) -> anyhow::Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .current_dir(&tree.root)
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--offline",
            ])
            .output()
            .context("cargo did not start")?;
        ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self::parse(&serde_json::from_slice(&output.stdout)?)
            .context("cargo metadata has another shape")
    }

    fn parse(metadata: &Value) -> Option<Self> {
        let members = metadata["packages"]
            .as_array()?
            .iter()
            .map(|package| {
                let dependencies = package["dependencies"].as_array()?;
                let named = |dev: bool| {
                    dependencies
                        .iter()
                        .filter(|dependency| (dependency["kind"] == "dev") == dev)
                        .filter_map(|dependency| Some(dependency["name"].as_str()?.to_owned()))
                        .collect()
                };
                Some(Member {
                    name: package["name"].as_str()?.to_owned(),
                    uses: named(false),
                    tests_use: named(true),
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { members })
    }

    /// A workspace that exists only in a test: each crate with what it uses and what its tests use.
    #[cfg(test)]
    pub(crate) fn of(members: &[(&str, &[&str], &[&str])]) -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            members: members
                .iter()
                .map(|(name, uses, tests_use)| Member {
                    name: (*name).to_owned(),
                    uses: owned(uses),
                    tests_use: owned(tests_use),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_sorted_by_who_needs_them() {
        let metadata = serde_json::json!({"packages": [{"name": "pith-core", "dependencies": [
            {"name": "serde", "kind": null},
            {"name": "cc", "kind": "build"},
            {"name": "proptest", "kind": "dev"},
        ]}]});
        let workspace = Workspace::parse(&metadata).unwrap();
        assert_eq!(workspace.members[0].uses, ["serde", "cc"]);
        assert_eq!(workspace.members[0].tests_use, ["proptest"]);
    }
}
