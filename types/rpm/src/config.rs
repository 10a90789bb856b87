//! Validation of configurations, as pure functions (reference: rpm §5.2, §10).

use pith_content::publish::OtherDistributor;
use pith_content::{Config, relative_url};
use pith_core::error::type_printed;
use pith_core::{Algorithm, RelativePath};
use serde_json::Value;

use crate::types::{ON_DOWNLOAD_FAILURE, YUM_DISTRIBUTOR};

/// A value as it stands in a message.
fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => pith_core::error::printed(other),
    }
}

/// Checks the configuration of a yum importer.
///
/// # Errors
/// The message for the person (reference: rpm §5.2).
pub fn importer(config: &Config) -> Result<(), String> {
    let early = signature_policy(config);
    if !early.is_empty() {
        return Err(early.join("\n"));
    }
    let mut errors = Vec::new();
    feed_and_tls(config, &mut errors);
    proxy_and_limits(config, &mut errors);
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
        boolean(config, key, &mut errors);
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

fn boolean(config: &Config, key: &str, errors: &mut Vec<String>) {
    if let Some(value) = config.get(key)
        && config.flag(key).is_none()
    {
        errors.push(format!(
            "The configuration parameter <{key}> must be set to a boolean value, but is currently set to <{}>.",
            printed(value)
        ));
    }
}

fn text(config: &Config, key: &str, errors: &mut Vec<String>) {
    if let Some(value) = config.get(key)
        && !value.is_string()
    {
        errors.push(format!(
            "The configuration parameter <{key}> should be a string, but it was {}.",
            type_printed(value)
        ));
    }
}

fn positive_integer(config: &Config, key: &str, errors: &mut Vec<String>) {
    if let Some(value) = config.get(key)
        && config.integer(key).is_none_or(|n| n < 1)
    {
        errors.push(format!(
            "The configuration parameter <{key}> must be set to a positive integer, but is currently set to <{}>.",
            printed(value)
        ));
    }
}

fn pair(config: &Config, first: &str, second: &str, errors: &mut Vec<String>) {
    for (present, absent) in [(first, second), (second, first)] {
        if config.get(present).is_some() && config.get(absent).is_none() {
            errors.push(requires(present, absent));
        }
    }
}

fn requires(present: &str, absent: &str) -> String {
    format!(
        "The configuration parameter <{present}> requires the <{absent}> parameter to also be set."
    )
}

fn feed_and_tls(config: &Config, errors: &mut Vec<String>) {
    if config.get("feed").is_some_and(|feed| !feed.is_string()) {
        errors.push("<feed> must be a string.".to_owned());
    }
    text(config, "ssl_ca_cert", errors);
    text(config, "ssl_client_cert", errors);
    if config.get("ssl_client_key").is_some() && config.get("ssl_client_cert").is_none() {
        errors.push(requires("ssl_client_key", "ssl_client_cert"));
    }
    text(config, "ssl_client_key", errors);
    boolean(config, "ssl_validation", errors);
}

fn proxy_and_limits(config: &Config, errors: &mut Vec<String>) {
    let dependents: Vec<&str> = ["proxy_password", "proxy_port", "proxy_username"]
        .into_iter()
        .filter(|key| config.get(key).is_some())
        .collect();
    if config.get("proxy_host").is_none() && !dependents.is_empty() {
        errors.push(
            "The configuration parameter <proxy_host> is required when any of the following other parameters are \
             defined: proxy_password, proxy_port, proxy_username."
                .to_owned(),
        );
    }
    text(config, "proxy_host", errors);
    positive_integer(config, "proxy_port", errors);
    if config
        .integer("proxy_port")
        .is_some_and(|port| port > i64::from(u16::MAX))
    {
        errors.push(format!(
            "The configuration parameter <proxy_port> must be at most {}.",
            u16::MAX
        ));
    }
    pair(config, "proxy_username", "proxy_password", errors);
    text(config, "proxy_username", errors);
    text(config, "proxy_password", errors);
    pair(config, "basic_auth_username", "basic_auth_password", errors);
    text(config, "basic_auth_username", errors);
    text(config, "basic_auth_password", errors);
    if let Some(value) = config.get("max_speed")
        && config.number("max_speed").is_none_or(|n| n <= 0.0)
    {
        let shown = match config.number("max_speed") {
            Some(number) => format!("{number:?}"),
            None => printed(value),
        };
        errors.push(format!(
            "The configuration parameter <max_speed> must be set to a positive numerical value, but is currently set \
             to <{shown}>."
        ));
    }
    positive_integer(config, "max_downloads", errors);
    errors.extend(pith_content::config::timeouts(config));
    errors.extend(pith_content::config::auth_sites(config));
}

fn content_policy(config: &Config, errors: &mut Vec<String>) {
    boolean(config, "validate", errors);
    boolean(config, "remove_missing", errors);
    // Pulp took anything here, and what it did not understand was off: with a signature policy that is no answer.
    boolean(config, "require_signature", errors);
    boolean(config, "force_full", errors);
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
        if !YUM_DISTRIBUTOR.settings.iter().any(|s| s.name == key) {
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

/// Where a repository is served below `/pulp/repos/`: the setting, or the repository's id.
#[must_use]
pub fn served_path(repo_id: &str, config: &Config) -> Option<RelativePath> {
    RelativePath::new(relative_url::effective(repo_id, config)).ok()
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
