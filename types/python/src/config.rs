//! Settings: what is refused, and what they mean.

use std::collections::BTreeSet;

use pep440_rs::Version;
use pith_content::settings::{boolean, parameter, printed, problems, rule};
use pith_content::{Config, Problem, Problems, Wording};
use serde_json::Value;

use crate::IMPORTER;
use crate::names::{FileName, NameError, PackageType, Requirement, split_requirements};

/// Checks the importer's configuration. Pulp took everything, and left it to the sync to fail.
pub(crate) fn check_importer(config: &Config) -> Result<(), Problems> {
    let mut found: Vec<Problem> = Vec::new();
    for setting in IMPORTER.settings() {
        found.extend(problems(config, setting.name));
    }
    found.extend(boolean(config, "prereleases"));
    found.extend(boolean(config, "remove_missing"));
    found.extend(choice(
        config,
        "download_policy",
        &["immediate", "background", "on_demand"],
    ));
    found.extend(choice(config, "on_download_failure", &["fail", "continue"]));
    found.extend(names(config));
    found.extend(types(config));
    Problems::check(found, Wording::First(1))
}

/// Bytes of all the names of projects: some ten thousand. They are read whenever settings are saved.
const MOST_NAMES: usize = 256 * 1024;

fn size_of_names(config: &Config) -> usize {
    config.list("package_names").into_iter().map(str::len).sum()
}

fn choice(config: &Config, key: &str, words: &[&str]) -> Option<Problem> {
    let holds = config.text(key).is_some_and(|word| words.contains(&word));
    let must = format!("must be one of {}", words.join(", "));
    rule(config, key, holds, &must)
}

fn names(config: &Config) -> Option<Problem> {
    let wrong = match config.get("package_names")? {
        Value::String(_) | Value::Array(_) if size_of_names(config) > MOST_NAMES => {
            format!("they are longer than {MOST_NAMES} bytes together")
        }
        Value::String(_) | Value::Array(_) => requirements(config).err()?.to_string(),
        other => format!("it is neither a text nor a list: {}", printed(other)),
    };
    Some(parameter(
        "package_names",
        format!("names no projects: {wrong}"),
    ))
}

fn types(config: &Config) -> Option<Problem> {
    let value = config.get("package_types")?;
    let words = config.list("package_types");
    let count = value.as_array().map_or(1, Vec::len);
    let is_known = |word: &&str| PackageType::named(word).is_some();
    let is_right = words.len() == count && words.iter().all(is_known);
    let known = PackageType::ALL.map(PackageType::name).join(", ");
    let must = format!("must be a list of {known}");
    rule(config, "package_types", is_right, &must)
}

/// The projects that are to be mirrored, as a text or as a list.
pub(crate) fn requirements(config: &Config) -> Result<Vec<Requirement>, NameError> {
    let texts = config.list("package_names");
    let lines = texts.into_iter().flat_map(split_requirements);
    lines.map(|line| line.parse()).collect()
}

/// The choice of files, beside that of projects and versions.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    types: BTreeSet<PackageType>,
    prereleases: bool,
}

impl Choice {
    /// Reads the settings.
    pub(crate) fn of(config: &Config) -> Self {
        let words = config.list("package_types");
        let types: BTreeSet<PackageType> =
            words.into_iter().filter_map(PackageType::named).collect();
        Self {
            types: match types.is_empty() {
                true => PackageType::ALL.into_iter().collect(),
                false => types,
            },
            prereleases: config.flag("prereleases").unwrap_or(true),
        }
    }

    /// Tells whether a file is meant. A version that nobody can compare is meant where all versions are.
    pub(crate) fn takes(&self, file: &FileName, version: &str, requirement: &Requirement) -> bool {
        if !self.types.contains(&file.kind()) {
            return false;
        }
        match version.parse::<Version>() {
            Ok(version) => {
                (self.prereleases || version.is_stable()) && requirement.versions.contains(&version)
            }
            Err(_) => self.prereleases && requirement.versions.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        Config::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn settings_that_cannot_work_are_refused_at_once() {
        let refused = [
            json!({"feed": 5}),
            json!({"package_names": 5}),
            json!({"package_names": "a b"}),
            json!({"package_names": ["a", "../b"]}),
            json!({"package_names": "a,".repeat(MOST_NAMES / 2 + 1)}),
            json!({"package_types": ["sdist", "bdist_dumb"]}),
            json!({"package_types": 5}),
            json!({"prereleases": "maybe"}),
            json!({"remove_missing": 5}),
            json!({"download_policy": "never"}),
            json!({"on_download_failure": true}),
            json!({"max_downloads": 0}),
        ];
        for wrong in refused {
            assert!(check_importer(&config(wrong.clone())).is_err(), "{wrong}");
        }
        let taken = json!({"feed": "https://e.example/", "package_names": "a, b>=1,<2", "package_types": ["sdist"], "x": 1});
        check_importer(&config(taken)).unwrap();
    }

    #[test]
    fn files_are_chosen_by_kind_and_version() {
        let requirement: Requirement = "a>=1,<2".parse().unwrap();
        let takes = |settings: Value, name: &str, version: &str| {
            let file = FileName::new(name).unwrap();
            Choice::of(&config(settings)).takes(&file, version, &requirement)
        };
        assert!(takes(json!({}), "a-1.5.zip", "1.5"));
        assert!(takes(json!({}), "a-1.5rc1.zip", "1.5rc1"));
        assert!(!takes(
            json!({"prereleases": false}),
            "a-1.5rc1.zip",
            "1.5rc1"
        ));
        assert!(!takes(json!({}), "a-2.zip", "2"));
        assert!(!takes(json!({}), "a-odd.zip", "odd"));
        assert!(!takes(
            json!({"package_types": ["bdist_wheel"]}),
            "a-1.5.zip",
            "1.5"
        ));
    }
}
