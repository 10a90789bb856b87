//! `relative_url`: where a repository is served below its family's mount, and how two of them get into each other's
//! way (reference: rpm §10, iso §7).

use pith_core::error::type_printed;
use serde_json::Value;

use crate::Config;
use crate::publish::OtherDistributor;

/// The path a repository is served at: `relative_url` without slashes at its ends, or the repository's id.
#[must_use]
pub fn effective<'a>(repo_id: &'a str, config: &'a Config) -> &'a str {
    match config.text("relative_url").map(|url| url.trim_matches('/')) {
        None | Some("") => repo_id,
        Some(url) => url,
    }
}

/// Checks the form of `relative_url`.
///
/// # Errors
/// The message for the person.
pub fn check_form(config: &Config) -> Result<(), String> {
    match config.get("relative_url") {
        None => Ok(()),
        Some(Value::String(url)) if url.starts_with('/') => Err(format!(
            "Value for [relative_url]  must be be a relative path: {url}"
        )),
        Some(Value::String(url)) => {
            let path = url.trim_matches('/');
            if path.is_empty() {
                return Ok(());
            }
            // Pulp's words, whatever makes the path unusable.
            pith_core::RelativePath::new(path)
                .map(|_| ())
                .map_err(|_| format!("Value for [relative_url]  must be be a relative path: {url}"))
        }
        Some(other) => Err(format!(
            "Configuration value for [relative_url] must be a string, but is a {}",
            type_printed(other)
        )),
    }
}

/// Checks that no other repository's path equals, holds or lies below the one of `repo_id`.
///
/// # Errors
/// One message for each conflict.
pub fn check_conflicts(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), Vec<String>> {
    let own = effective(repo_id, config);
    let conflicts: Vec<String> = others
        .iter()
        .filter(|other| other.repo_id != repo_id)
        .filter_map(|other| {
            let theirs = effective(&other.repo_id, &other.config);
            let named = other.config.text("relative_url").is_some_and(|url| !url.trim_matches('/').is_empty());
            let clash = own == theirs || is_below(own, theirs) || is_below(theirs, own);
            clash.then(|| {
                if named {
                    format!(
                        "Relative URL [{own}] for repository [{repo_id}] conflicts with existing relative URL \
                         [{theirs}] for repository [{}]",
                        other.repo_id
                    )
                } else {
                    format!(
                        "Relative URL [{own}] for repository [{repo_id}] conflicts with repo id for existing \
                         repository [{}]",
                        other.repo_id
                    )
                }
            })
        })
        .collect();
    if conflicts.is_empty() {
        Ok(())
    } else {
        Err(conflicts)
    }
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
            config: config(value),
        }
    }

    #[test]
    fn equal_and_nested_paths_conflict_and_neighbours_do_not() {
        let own = config(json!({"relative_url": "a/b"}));
        let clash = |value| check_conflicts("r", &own, &[other("o", value)]).is_err();
        assert!(clash(json!({"relative_url": "a/b"})));
        assert!(clash(json!({"relative_url": "a"})));
        assert!(clash(json!({"relative_url": "a/b/c/"})));
        assert!(!clash(json!({"relative_url": "a/bc"})));
        assert!(!clash(json!({})));
        assert!(check_conflicts("r", &own, &[other("a", json!({}))]).is_err());
        assert!(check_conflicts("r", &own, &[other("r", json!({"relative_url": "a/b"}))]).is_ok());
    }

    #[test]
    fn only_relative_texts_pass() {
        assert!(check_form(&config(json!({"relative_url": "a/b/"}))).is_ok());
        assert!(check_form(&config(json!({"relative_url": ""}))).is_ok());
        assert!(
            check_form(&config(json!({"relative_url": "/a"})))
                .unwrap_err()
                .ends_with("path: /a")
        );
        assert!(check_form(&config(json!({"relative_url": "a/../b"}))).is_err());
        assert!(
            check_form(&config(json!({"relative_url": 5})))
                .unwrap_err()
                .ends_with("<type 'int'>")
        );
    }
}
