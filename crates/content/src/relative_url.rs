//! `relative_url`: where a repository is served below its family's mount, and how two of them get into each other's
//! way (pulp2/rpm-publish#relative-url, pulp2/iso#distributor).

use pith_core::RelativePath;
use pith_core::error::type_printed;
use serde_json::Value;

use crate::publish::OtherDistributor;
use crate::{Config, Problem};

/// The path a repository is served at: `relative_url` without slashes at its ends, or the repository's id.
#[must_use]
pub fn effective<'a>(repo_id: &'a str, config: &'a Config) -> &'a str {
    of(repo_id, config.text(SETTING))
}

/// The same, of the setting alone.
#[must_use]
pub fn of<'a>(repo_id: &'a str, relative_url: Option<&'a str>) -> &'a str {
    match relative_url.map(|url| url.trim_matches('/')) {
        None | Some("") => repo_id,
        Some(url) => url,
    }
}

/// The setting.
const SETTING: &str = "relative_url";

/// The problem of the form of `relative_url`.
#[must_use]
pub fn form(config: &Config) -> Option<Problem> {
    let url = match config.get(SETTING)? {
        Value::String(url) => url,
        other => {
            let text = format!(
                "Configuration value for [{SETTING}] must be a string, but is a {}",
                type_printed(other)
            );
            return Some(Problem::new(SETTING, text));
        }
    };
    let path = url.trim_matches('/');
    let is_path = path.is_empty() || RelativePath::new(path).is_ok();
    // Pulp's words, whatever makes the path unusable.
    (url.starts_with('/') || !is_path).then(|| {
        let text = format!("Value for [{SETTING}]  must be be a relative path: {url}");
        Problem::new(SETTING, text)
    })
}

/// One problem for each other repository whose path equals, holds or lies below the one of `repo_id`.
#[must_use]
pub fn conflicts(repo_id: &str, config: &Config, others: &[OtherDistributor]) -> Vec<Problem> {
    let own = effective(repo_id, config);
    let elsewhere = others.iter().filter(|other| other.repo_id != repo_id);
    let clashes = elsewhere.filter(|other| {
        let theirs = of(&other.repo_id, other.relative_url.as_deref());
        meet(own, theirs)
    });
    let told = |other: &OtherDistributor| {
        let theirs = other.relative_url.as_deref();
        let theirs = theirs.map(|url| url.trim_matches('/'));
        let with = match theirs {
            None | Some("") => "repo id for existing".to_owned(),
            Some(theirs) => format!("existing relative URL [{theirs}] for"),
        };
        let text = format!(
            "Relative URL [{own}] for repository [{repo_id}] conflicts with {with} repository [{}]",
            other.repo_id
        );
        Problem::new(SETTING, text)
    };
    clashes.map(told).collect()
}

/// Tells whether two paths are equal, or one lies below the other.
#[must_use]
pub fn meet(path: &str, other: &str) -> bool {
    path == other || is_below(path, other) || is_below(other, path)
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        Config::new(serde_json::from_value(value).unwrap())
    }

    fn other(repo_id: &str, value: Value) -> OtherDistributor {
        OtherDistributor {
            repo_id: repo_id.into(),
            id: "d".into(),
            relative_url: config(value).text(SETTING).map(str::to_owned),
        }
    }

    #[test]
    fn equal_and_nested_paths_conflict_and_neighbours_do_not() {
        let own = config(json!({"relative_url": "a/b"}));
        let clash = |value| !conflicts("r", &own, &[other("o", value)]).is_empty();
        assert!(clash(json!({"relative_url": "a/b"})));
        assert!(clash(json!({"relative_url": "a"})));
        assert!(clash(json!({"relative_url": "a/b/c/"})));
        assert!(!clash(json!({"relative_url": "a/bc"})));
        assert!(!clash(json!({})));
        assert!(!conflicts("r", &own, &[other("a", json!({}))]).is_empty());
        assert!(conflicts("r", &own, &[other("r", json!({"relative_url": "a/b"}))]).is_empty());
    }

    #[test]
    fn only_relative_texts_pass() {
        let told = |value| form(&config(json!({ SETTING: value }))).map(|problem| problem.text);
        assert_eq!(told(json!("a/b/")), None);
        assert_eq!(told(json!("")), None);
        assert_eq!(
            told(json!("/")),
            Some("Value for [relative_url]  must be be a relative path: /".to_owned())
        );
        for (value, end) in [
            (json!("/a"), "path: /a"),
            (json!("a/../b"), "path: a/../b"),
            (json!(5), "<type 'int'>"),
        ] {
            assert!(told(value).unwrap().ends_with(end), "{end}");
        }
    }
}
