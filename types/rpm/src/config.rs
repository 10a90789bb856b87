//! Validation of configurations, as pure functions (pulp2/rpm-importer#validation, pulp2/rpm-publish#settings).

use std::path::Path;

use pith_content::publish::OtherDistributor;
use pith_content::settings::{boolean, count, printed, problems};
use pith_content::{Config, Problem, Problems, Wording, relative_url};
use pith_core::Algorithm;
use pith_core::error::{printed_list, type_printed};
use serde_json::Value;

use crate::plugins::{ON_DOWNLOAD_FAILURE, YUM_DISTRIBUTOR};
use crate::publish::signed;

/// Checks the configuration of a yum importer. Clients are told of a signature policy that cannot work before anything else, and
/// of that alone.
///
/// # Errors
/// All that is wrong (pulp2/rpm-importer#validation).
pub fn importer(config: &Config) -> Result<(), Problems> {
    let mut found = signature_policy(config);
    let wording = match found.len() {
        0 => Wording::Under("Configuration errors:"),
        early => Wording::First(early),
    };
    found.extend(CHECKED.iter().flat_map(|name| problems(config, name)));
    found.extend(content_policy(config));
    Problems::check(found, wording)
}

/// Checks what copies and uploads look at, overrides included: what is not understood must not count as absent.
///
/// # Errors
/// All that is wrong.
pub fn of_call(config: &Config) -> Result<(), Problems> {
    let (mut found, _) = key_ids(config);
    let switches = [
        "require_signature",
        "recursive",
        "recursive_conservative",
        "skip_erratum_link",
    ];
    found.extend(switches.iter().filter_map(|key| boolean(config, key)));
    found.extend(count(config, "changelog_limit"));
    Problems::check(found, Wording::Lines)
}

/// The problems of `allowed_keys`, and whether there are any keys.
fn key_ids(config: &Config) -> (Vec<Problem>, bool) {
    let name = "allowed_keys";
    let keys: Vec<String> = match config.get(name) {
        Some(Value::Array(keys)) => keys.iter().map(printed).collect(),
        // One key without a list around it.
        Some(other) => vec![printed(other)],
        None => Vec::new(),
    };
    let texts = config.list(name).len();
    let wrong = |key: &&String| key.chars().count() != 8 || texts != keys.len();
    let told = |key| format!("Signature key ID {key} should be 8 characters long");
    let wrong = keys.iter().filter(wrong);
    let found = wrong.map(|key| Problem::new(name, told(key))).collect();
    (found, !keys.is_empty())
}

fn signature_policy(config: &Config) -> Vec<Problem> {
    let (mut found, any) = key_ids(config);
    let filtered = any || config.flag("require_signature") == Some(true);
    let policy = config.text("download_policy").unwrap_or("immediate");
    if filtered && policy != "immediate" {
        let text = format!("{policy} download policy and signature filter are not compatible");
        found.push(Problem::new("download_policy", text));
    }
    found
}

/// The values of `download_policy`.
const DOWNLOAD_POLICIES: [&str; 3] = ["immediate", "background", "on_demand"];

/// The platform's settings, in the order of Pulp's list of errors.
const CHECKED: [&str; 16] = [
    "feed",
    "ssl_ca_cert",
    "ssl_client_cert",
    "ssl_client_key",
    "ssl_validation",
    "proxy_host",
    "proxy_port",
    "proxy_username",
    "proxy_password",
    "basic_auth_username",
    "basic_auth_password",
    "max_speed",
    "max_downloads",
    "connect_timeout",
    "read_timeout",
    "auth_sites",
];

fn content_policy(config: &Config) -> impl Iterator<Item = Problem> + use<'_> {
    // Of the last two Pulp took anything, and what it did not understand was off: with a signature policy that is no answer.
    let switches = [
        "validate",
        "remove_missing",
        "require_signature",
        "force_full",
    ];
    let switches = switches.into_iter().filter_map(|key| boolean(config, key));
    let others = [
        count(config, "retain_old_count"),
        choice(config, "download_policy", &DOWNLOAD_POLICIES),
        choice(config, ON_DOWNLOAD_FAILURE, &["fail", "continue"]),
    ];
    switches.chain(others.into_iter().flatten())
}

/// The problem of a setting that must be one of these texts.
fn choice(config: &Config, key: &str, known: &[&str]) -> Option<Problem> {
    let value = config.get(key)?;
    let is_known = value.as_str().is_some_and(|text| known.contains(&text));
    (!is_known).then(|| {
        let known: Vec<Value> = known.iter().map(|text| Value::from(*text)).collect();
        Problem::new(key, format!("{key} must be: {}", printed_list(&known)))
    })
}

/// The file that lists the repositories of a directory, in each directory above them.
const LISTING: &str = "listing";
/// Algorithms that a publication's metadata may use.
const CHECKSUM_TYPES: [&str; 5] = ["sha256", "sha", "sha1", "md5", "sha512"];

/// Checks the configuration of a yum distributor in repository `repo_id`.
///
/// # Errors
/// All that is wrong (pulp2/rpm-publish#settings).
pub fn distributor(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), Problems> {
    let required = ["http", "relative_url", "https"].into_iter();
    let missing = required.filter(|key| config.get(key).is_none());
    let mut found: Vec<Problem> = missing
        .map(|key| about_key(key, "is required, but was not provided"))
        .collect();
    found.extend(keys_and_kinds(config));
    found.extend(place(repo_id, config, others));
    found.extend(served(config));
    if config.flag("repoview") == Some(true) && config.flag("generate_sqlite") != Some(true) {
        let text = "Repoview functionality depends on the sqlite files. If you want to enable `repoview` option, enable \
             `generate_sqlite` as well. If you want to disable `generate_sqlite` option, disable `repoview` as well.";
        found.push(Problem::new("repoview", text));
    }
    Problems::check(found, Wording::Lines)
}

/// A problem of a key, in the words that the yum distributor had.
fn about_key(key: &str, is_wrong: &str) -> Problem {
    Problem::new(key, format!("Configuration key [{key}] {is_wrong}"))
}

/// A problem of a value, in the words that the yum distributor had.
fn about_value(key: &str, is_wrong: impl std::fmt::Display) -> Problem {
    let text = format!("Configuration value for [{key}] {is_wrong}");
    Problem::new(key, text)
}

/// The problems of the path at which the repository is served.
fn place(repo_id: &str, config: &Config, others: &[OtherDistributor]) -> Vec<Problem> {
    let mut found = Vec::new();
    let url = relative_url::effective(repo_id, config);
    if url.split('/').any(|segment| segment == LISTING) {
        let text = format!(
            "Value for [relative_url] must have no segment '{LISTING}': {url} would stand in the place of a list of repositories"
        );
        found.push(Problem::new("relative_url", text));
    }
    match relative_url::form(config) {
        Some(problem) => found.push(problem),
        None => found.extend(relative_url::conflicts(repo_id, config, others)),
    }
    found
}

/// The problem of a repository that is served over no protocol.
fn served(config: &Config) -> Option<Problem> {
    let off = |key: &str| config.get(key).is_none() || config.get(key) == Some(&Value::Bool(false));
    let text = "Settings serve via http and https are both set to false. At least one option should be set to true.";
    (off("http") && off("https")).then(|| Problem::new("http", text))
}

fn keys_and_kinds(config: &Config) -> impl Iterator<Item = Problem> {
    config.document().iter().filter_map(|(key, value)| {
        if key == "gpg_cmd" {
            let is_overridden = config.overridden().contains_key(key);
            return Some(about_key(
                key,
                match is_overridden {
                    true => "is not allowed in override configuration",
                    false => "is not allowed in repository plugin configuration",
                },
            ));
        }
        match YUM_DISTRIBUTOR.setting(key) {
            None => Some(about_key(key, "is not supported")),
            Some(_) => wrong_kind(key, value),
        }
    })
}

fn wrong_kind(key: &str, value: &Value) -> Option<Problem> {
    let (is_right, wrong) = match key {
        "force_full" | "gpg_sign_metadata" | "remove_old_repodata" => (
            value.is_boolean() || is_boolean_text(value),
            no_boolean(value),
        ),
        "http" | "https" | "protected" | "skip_pkg_tags" | "generate_sqlite" | "repoview" => {
            (value.is_boolean(), no_boolean(value))
        }
        "remove_old_repodata_threshold" => {
            let number: Option<f64> = match value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            };
            let wrong = format!("should be a number of seconds, but is {}", printed(value));
            (number.is_some_and(|seconds| seconds >= 0.0), wrong)
        }
        "skip" => {
            let wrong = format!("should be a list, but is a {}", type_printed(value));
            (value.is_array(), wrong)
        }
        "auth_ca" | "auth_cert" | "https_ca" => {
            let is_right = value.as_str().is_some_and(is_certificate);
            (is_right, "is not a valid certificate".to_owned())
        }
        signed::KEY => {
            let wrong = format!("should be a text, but is a {}", type_printed(value));
            (value.is_string(), wrong)
        }
        "checksum_type" => {
            let is_right = value
                .as_str()
                .is_some_and(|name| CHECKSUM_TYPES.contains(&name));
            (is_right, format!("is not supported: {}", printed(value)))
        }
        "http_publish_dir" | "https_publish_dir" => {
            let is_right = value.as_str().is_some_and(|path| Path::new(path).is_dir());
            (is_right, "must be an existing directory".to_owned())
        }
        _ => return None,
    };
    (!is_right).then(|| about_value(key, wrong))
}

fn no_boolean(value: &Value) -> String {
    format!("should a boolean, but is a {}", type_printed(value))
}

fn is_boolean_text(value: &Value) -> bool {
    let words = ["true", "false"];
    let is_word = |text: &str| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    value.as_str().is_some_and(is_word)
}

/// Tells whether a text is a certificate in PEM form: the frame, and base64 of a DER sequence inside.
fn is_certificate(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("-----BEGIN CERTIFICATE-----") else {
        return false;
    };
    let Some((body, _)) = rest.split_once("-----END CERTIFICATE-----") else {
        return false;
    };
    let mut letters = body.chars().filter(|c| !c.is_whitespace()).peekable();
    letters.peek() == Some(&'M')
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
}

/// The algorithm of a publication's metadata: the setting, else that of the feed, else SHA-256 (pulp2/rpm-publish#settings).
///
/// # Errors
/// When the override names an unknown one.
pub fn checksum_type(config: &Config, scratchpad: Option<&str>) -> Result<Algorithm, Problems> {
    let name = config
        .text("checksum_type")
        .or(scratchpad)
        .unwrap_or("sha256");
    if !CHECKSUM_TYPES.contains(&name) && config.text("checksum_type").is_some() {
        let problem = about_value("checksum_type", format!("is not supported: {name}"));
        return Err(problem.into());
    }
    Ok(name.parse().unwrap_or(Algorithm::Sha256))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
