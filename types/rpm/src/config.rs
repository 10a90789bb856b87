//! Validation of configurations, as pure functions (reference: rpm §5.2, §10).

use pith_content::publish::OtherDistributor;
use pith_content::settings::{boolean, faults, printed};
use pith_content::{Config, relative_url};
use pith_core::Algorithm;
use pith_core::error::type_printed;
use serde_json::Value;

use crate::types::{ON_DOWNLOAD_FAILURE, YUM_DISTRIBUTOR};

/// Checks the configuration of a yum importer.
///
/// # Errors
/// The message for the person (reference: rpm §5.2).
pub fn importer(config: &Config) -> Result<(), String> {
    let early = signature_policy(config);
    if !early.is_empty() {
        return Err(early.join("\n"));
    }
    let mut errors: Vec<String> = CHECKED
        .iter()
        .flat_map(|name| faults(config, name))
        .collect();
    content_policy(config, &mut errors);
    if errors.is_empty() {
        return Ok(());
    }
    Err(format!("Configuration errors:\n{}", errors.join("\n")))
}

/// Checks what copies and uploads look at, overrides included: what is not understood must not count as absent.
///
/// # Errors
/// The message for the person.
pub fn of_call(config: &Config) -> Result<(), String> {
    let (mut errors, _) = key_ids(config);
    for key in [
        "require_signature",
        "recursive",
        "recursive_conservative",
        "skip_erratum_link",
    ] {
        errors.extend(boolean(config, key));
    }
    if let Some(value) = config.get("changelog_limit")
        && config.integer("changelog_limit").is_none_or(|n| n < 0)
    {
        errors.push(format!(
            "The configuration parameter <changelog_limit> must be set to an integer greater than or equal to zero, \
             but is currently set to <{}>.",
            printed(value)
        ));
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(errors.join("\n"))
}

/// The fault of `allowed_keys`, and whether there are any.
fn key_ids(config: &Config) -> (Vec<String>, bool) {
    let keys: Vec<String> = match config.get("allowed_keys") {
        Some(Value::Array(keys)) => keys.iter().map(printed).collect(),
        // One key without a list around it.
        Some(other) => vec![printed(other)],
        None => Vec::new(),
    };
    let texts = config.list("allowed_keys").len();
    let wrong = |key: &&String| key.chars().count() != 8 || texts != keys.len();
    let errors = keys
        .iter()
        .filter(wrong)
        .map(|key| format!("Signature key ID {key} should be 8 characters long"))
        .collect();
    (errors, !keys.is_empty())
}

fn signature_policy(config: &Config) -> Vec<String> {
    let (mut errors, any) = key_ids(config);
    let filtered = any || config.flag("require_signature") == Some(true);
    let policy = config.text("download_policy").unwrap_or("immediate");
    if filtered && policy != "immediate" {
        errors.push(format!(
            "{policy} download policy and signature filter are not compatible"
        ));
    }
    errors
}

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

fn content_policy(config: &Config, errors: &mut Vec<String>) {
    errors.extend(boolean(config, "validate"));
    errors.extend(boolean(config, "remove_missing"));
    // Pulp took anything here, and what it did not understand was off: with a signature policy that is no answer.
    errors.extend(boolean(config, "require_signature"));
    errors.extend(boolean(config, "force_full"));
    if let Some(value) = config.get("retain_old_count")
        && config.integer("retain_old_count").is_none_or(|n| n < 0)
    {
        errors.push(format!(
            "The configuration parameter <retain_old_count> must be set to an integer greater than or equal to zero, \
             but is currently set to <{}>.",
            printed(value)
        ));
    }
    if let Some(value) = config.get("download_policy")
        && !matches!(
            value.as_str(),
            Some("immediate" | "background" | "on_demand")
        )
    {
        errors.push("download_policy must be: ['immediate', 'background', 'on_demand']".to_owned());
    }
    if let Some(value) = config.get(ON_DOWNLOAD_FAILURE)
        && !matches!(value.as_str(), Some("fail" | "continue"))
    {
        errors.push(format!(
            "{ON_DOWNLOAD_FAILURE} must be: ['fail', 'continue']"
        ));
    }
}

/// Algorithms that a publication's metadata may use.
/// The file that lists the repositories of a directory, in each directory above them.
const LISTING: &str = "listing";
const CHECKSUM_TYPES: [&str; 5] = ["sha256", "sha", "sha1", "md5", "sha512"];

/// Checks the configuration of a yum distributor in repository `repo_id`.
///
/// # Errors
/// The message for the person (reference: rpm §10).
pub fn distributor(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), String> {
    let mut errors = Vec::new();
    for key in ["http", "relative_url", "https"] {
        if config.get(key).is_none() {
            errors.push(format!(
                "Configuration key [{key}] is required, but was not provided"
            ));
        }
    }
    keys_and_kinds(config, &mut errors);
    let url = relative_url::effective(repo_id, config);
    if url.split('/').any(|segment| segment == LISTING) {
        errors.push(format!(
            "Value for [relative_url] must have no segment '{LISTING}': {url} would stand in the place of a list of repositories"
        ));
    }
    match relative_url::check_form(config) {
        Err(message) => errors.push(message),
        Ok(()) => errors.extend(
            relative_url::check_conflicts(repo_id, config, others)
                .err()
                .unwrap_or_default(),
        ),
    }
    let off = |key: &str| config.get(key).is_none() || config.get(key) == Some(&Value::Bool(false));
    if off("http") && off("https") {
        errors.push(
            "Settings serve via http and https are both set to false. At least one option should be set to true."
                .to_owned(),
        );
    }
    if config.flag("repoview") == Some(true) && config.flag("generate_sqlite") != Some(true) {
        errors.push(
            "Repoview functionality depends on the sqlite files. If you want to enable `repoview` option, enable \
             `generate_sqlite` as well. If you want to disable `generate_sqlite` option, disable `repoview` as well."
                .to_owned(),
        );
    }
    if errors.is_empty() {
        return Ok(());
    }
    Err(errors.join("\n"))
}

fn keys_and_kinds(config: &Config, errors: &mut Vec<String>) {
    for (key, value) in config.document() {
        if key == "gpg_cmd" {
            let place = if config.overridden().contains_key(key) {
                "override"
            } else {
                "repository plugin"
            };
            errors.push(format!(
                "Configuration key [gpg_cmd] is not allowed in {place} configuration"
            ));
            continue;
        }
        if YUM_DISTRIBUTOR.setting(key).is_none() {
            errors.push(format!("Configuration key [{key}] is not supported"));
            continue;
        }
        errors.extend(wrong_kind(key, value));
    }
}

fn wrong_kind(key: &str, value: &Value) -> Option<String> {
    match key {
        "force_full" | "gpg_sign_metadata" | "remove_old_repodata" => {
            let known = value.is_boolean()
                || value.as_str().is_some_and(|text| {
                    ["true", "false"]
                        .iter()
                        .any(|word| text.eq_ignore_ascii_case(word))
                });
            (!known).then(|| {
                format!(
                    "Configuration value for [{key}] should a boolean, but is a {}",
                    type_printed(value)
                )
            })
        }
        "remove_old_repodata_threshold" => {
            let number = match value {
                Value::String(text) => text.trim().parse().ok(),
                other => other.as_f64(),
            };
            (!number.is_some_and(|seconds: f64| seconds >= 0.0)).then(|| {
                format!(
                    "Configuration value for [{key}] should be a number of seconds, but is {}",
                    printed(value)
                )
            })
        }
        "http" | "https" | "protected" | "skip_pkg_tags" | "generate_sqlite" | "repoview" => {
            (!value.is_boolean()).then(|| {
                format!(
                    "Configuration value for [{key}] should a boolean, but is a {}",
                    type_printed(value)
                )
            })
        }
        "skip" => (!value.is_array()).then(|| {
            format!(
                "Configuration value for [skip] should be a list, but is a {}",
                type_printed(value)
            )
        }),
        "auth_ca" | "auth_cert" | "https_ca" => (!value.as_str().is_some_and(is_certificate))
            .then(|| format!("Configuration value for [{key}] is not a valid certificate")),
        "checksum_type" => {
            let known = value.as_str().is_some_and(|t| CHECKSUM_TYPES.contains(&t));
            (!known).then(|| {
                format!(
                    "Configuration value for [checksum_type] is not supported: {}",
                    printed(value)
                )
            })
        }
        "http_publish_dir" | "https_publish_dir" => {
            let exists = value
                .as_str()
                .is_some_and(|p| std::path::Path::new(p).is_dir());
            (!exists)
                .then(|| format!("Configuration value for [{key}] must be an existing directory"))
        }
        _ => None,
    }
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

/// The algorithm of a publication's metadata: the setting, else that of the feed, else SHA-256 (reference: rpm §10).
///
/// # Errors
/// The message for the person when the override names an unknown one.
pub fn checksum_type(config: &Config, scratchpad: Option<&str>) -> Result<Algorithm, String> {
    let name = config
        .text("checksum_type")
        .or(scratchpad)
        .unwrap_or("sha256");
    if !CHECKSUM_TYPES.contains(&name) && config.text("checksum_type").is_some() {
        return Err(format!(
            "Configuration value for [checksum_type] is not supported: {name}"
        ));
    }
    Ok(name.parse().unwrap_or(Algorithm::Sha256))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
