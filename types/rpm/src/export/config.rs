//! Validation of the configurations of exports: the first problem is told (pulp2/rpm-export#settings).

use std::path::Path;

use pith_content::group::OtherGroup;
use pith_content::publish::OtherDistributor;
use pith_content::settings::printed;
use pith_content::{Config, Problem, Problems, relative_url};
use pith_core::iso8601::DateTime;
use pith_core::{RelativePath, Timestamp};
use serde_json::Value;

use super::EXPORT_DIR;
use crate::plugins::EXPORT_DISTRIBUTOR;
use crate::publish::signed;
use crate::publish::steps::Step;

/// The settings that must be there.
const REQUIRED: [&str; 2] = ["http", "https"];

/// Checks the configuration of the export of a repository.
///
/// # Errors
/// The first thing that is wrong.
pub fn of_repository(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), Problems> {
    let conflict = || {
        let conflicts = relative_url::conflicts(repo_id, config, others);
        conflicts.into_iter().next()
    };
    match problem(config).or_else(conflict) {
        None => Ok(()),
        Some(problem) => Err(problem.into()),
    }
}

/// Checks the configuration of the export of a group.
///
/// # Errors
/// The first thing that is wrong.
pub fn of_group(group_id: &str, config: &Config, others: &[OtherGroup]) -> Result<(), Problems> {
    let own = relative_url::effective(group_id, config);
    let conflict = || {
        let mut others = others.iter();
        let other = others.find(|other| {
            let theirs = relative_url::of(&other.group_id, other.relative_url.as_deref());
            relative_url::meet(own, theirs)
        })?;
        let text = format!(
            "Relative URL [{own}] for group [{group_id}] conflicts with that of group [{}]",
            other.group_id
        );
        Some(Problem::new("relative_url", text))
    };
    match problem(config).or_else(conflict) {
        None => Ok(()),
        Some(problem) => Err(problem.into()),
    }
}

/// The first problem of a configuration by itself.
fn problem(config: &Config) -> Option<Problem> {
    let required = REQUIRED.into_iter().find_map(|key| {
        let value = config.get(key);
        if value.is_none() {
            let text = format!("Missing required configuration key: {key}");
            return Some(Problem::new(key, text));
        }
        boolean(key, value?)
    });
    let each = || {
        let mut settings = config.document().iter();
        settings.find_map(|(key, value)| of_key(key, value))
    };
    required.or_else(each)
}

fn boolean(key: &str, value: &Value) -> Option<Problem> {
    (!value.is_boolean()).then(|| {
        let text = format!("{key} should be a boolean; got {} instead", printed(value));
        Problem::new(key, text)
    })
}

fn of_key(key: &str, value: &Value) -> Option<Problem> {
    if EXPORT_DISTRIBUTOR.setting(key).is_none() {
        let text = format!("Configuration key '{key}' is not supported");
        return Some(Problem::new(key, text));
    }
    let wrong = match key {
        "http" | "https" | "incremental_export_repomd" | signed::SWITCH => {
            return boolean(key, value);
        }
        signed::KEY => (!value.is_string()).then(|| {
            format!(
                "signing_key should be a text; got {} instead",
                printed(value)
            )
        }),
        "skip" => (!value.is_array())
            .then(|| format!("skip should be a list; got {} instead", printed(value))),
        "iso_prefix" => (!is_prefix(value)).then(|| {
            "iso_prefix is not valid; valid characters include ^[_A-Za-z0-9-]+$".to_owned()
        }),
        "iso_size" => {
            (megabytes(value).is_none()).then(|| "iso_size is not a positive integer".to_owned())
        }
        "start_date" => date(value).is_none().then(|| no_date("Start")),
        "end_date" => date(value).is_none().then(|| no_date("End")),
        EXPORT_DIR => {
            let is_right = value
                .as_str()
                .is_some_and(|path| Path::new(path).is_absolute());
            let shown = printed(value);
            (!is_right).then(|| format!("Value for 'export_dir' must be an absolute path: {shown}"))
        }
        "relative_url" => {
            let shown = printed(value);
            (!is_place(value))
                .then(|| format!("Value for 'relative_url' must be be a relative path: {shown}"))
        }
        "manifest" => {
            (!value.is_boolean()).then(|| "Value for \"manifest\" must be a boolean.".to_owned())
        }
        _ => None,
    };
    wrong.map(|text| Problem::new(key, text))
}

fn is_prefix(value: &Value) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let is_name = |text: &str| !text.is_empty() && text.bytes().all(fits);
    value.as_str().is_some_and(is_name)
}

/// The size of an image in MiB, a number or its text.
fn megabytes(value: &Value) -> Option<u64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    number.filter(|number| *number > 0)
}

fn date(value: &Value) -> Option<Timestamp> {
    DateTime::parse(value.as_str()?)?.timestamp()
}

fn no_date(which: &str) -> String {
    format!("{which} date is not a valid iso8601 datetime. Format: yyyy-mm-ddThh:mm:ssZ")
}

/// Tells whether a value is a path that an export may have, or none.
fn is_place(value: &Value) -> bool {
    let is_path = |path: &str| {
        let inner = path.trim_end_matches('/');
        inner.is_empty() && path.is_empty() || RelativePath::new(inner).is_ok()
    };
    value.as_str().is_some_and(is_path)
}

/// A window of time: units that came into the repository outside of it are left out.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Is true when the units alone are exported, each with its document: no repository is made of them.
    pub is_bare: bool,
}

impl Window {
    /// Tells whether nothing is left out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    /// Tells whether a unit that came then is in it.
    #[must_use]
    pub fn has(&self, added: Timestamp) -> bool {
        // Both ends are seconds, as clients see the time at which a unit came.
        let second = added.as_second();
        self.from.is_none_or(|from| from.as_second() <= second)
            && self.until.is_none_or(|until| second <= until.as_second())
    }
}

/// The window that a configuration asks for.
///
/// # Errors
/// The first problem of the configuration.
pub fn window(config: &Config) -> Result<Window, Problems> {
    if let Some(problem) = problem(config) {
        return Err(problem.into());
    }
    let of = |key| config.get(key).and_then(date);
    let (from, until) = (of("start_date"), of("end_date"));
    let whole = config.flag("incremental_export_repomd") == Some(true);
    Ok(Window {
        from,
        until,
        is_bare: (from.is_some() || until.is_some()) && !whole,
    })
}

/// The size of an image when nothing is said, in MiB: what a DVD holds.
const DVD: u64 = 4380;

/// The most bytes of an image.
#[must_use]
pub fn image_size(config: &Config) -> u64 {
    let size = config.get("iso_size").and_then(megabytes);
    size.unwrap_or(DVD).saturating_mul(1 << 20)
}

/// The steps that take an export to its place.
#[must_use]
pub fn ends(config: &Config) -> Vec<Step> {
    let mut steps = vec![Step::SaveTar, Step::Listing];
    if config.get(EXPORT_DIR).is_none() {
        steps.push(Step::Images);
        steps.extend(has_manifest(config).then_some(Step::Manifest));
        steps.push(Step::Moved);
    }
    steps
}

/// Tells whether a manifest lists the images.
#[must_use]
pub fn has_manifest(config: &Config) -> bool {
    config.flag("manifest") == Some(true)
}

#[cfg(test)]
mod tests {
    use pith_core::Document;
    use serde_json::json;

    use super::*;

    fn config(value: Value) -> Config {
        let mut all: Document = serde_json::from_value(value).unwrap();
        for (key, value) in [("http", true), ("https", false)] {
            all.entry(key).or_insert_with(|| json!(value));
        }
        Config::new(all)
    }

    #[test]
    fn each_setting_is_checked_in_pulps_words() {
        for (wrong, words) in [
            (
                json!({"http": "x"}),
                "http should be a boolean; got x instead",
            ),
            (
                json!({"bogus": 1}),
                "Configuration key 'bogus' is not supported",
            ),
            (
                json!({"skip": "rpm"}),
                "skip should be a list; got rpm instead",
            ),
            (json!({"iso_size": 0}), "iso_size is not a positive integer"),
            (
                json!({"iso_size": "x"}),
                "iso_size is not a positive integer",
            ),
            (
                json!({"iso_prefix": "a b!"}),
                "iso_prefix is not valid; valid characters include ^[_A-Za-z0-9-]+$",
            ),
            (
                json!({"end_date": "2014-01-01"}),
                "End date is not a valid iso8601 datetime. Format: yyyy-mm-ddThh:mm:ssZ",
            ),
            (
                json!({"export_dir": "a"}),
                "Value for 'export_dir' must be an absolute path: a",
            ),
            (
                json!({"relative_url": "/a"}),
                "Value for 'relative_url' must be be a relative path: /a",
            ),
            (
                json!({"manifest": 1}),
                "Value for \"manifest\" must be a boolean.",
            ),
        ] {
            let told = of_repository("zoo", &config(wrong), &[]).unwrap_err();
            assert_eq!(told.to_string(), words);
        }
        let right = json!({
            "iso_size": "600", "iso_prefix": "a-B_1", "start_date": "2014-01-02T03:04:05Z",
            "export_dir": "/srv", "relative_url": "a/b/", "manifest": true, "skip": [],
        });
        of_repository("zoo", &config(right), &[]).unwrap();
    }

    #[test]
    fn both_ends_of_a_window_are_in_it() {
        let dates =
            json!({"start_date": "2014-01-02T03:04:05Z", "end_date": "2014-01-02T03:04:07Z"});
        let window = window(&config(dates)).unwrap();
        let has = |second: &str| {
            let at = format!("2014-01-02T03:04:{second}Z");
            window.has(at.parse().unwrap())
        };
        let inside = ["04.9", "05", "07.9", "08"].map(has);
        assert_eq!(inside, [false, true, true, false]);
        assert!(window.is_bare && !window.is_open());
    }
}
