//! The rules for configurations: messages word for word as Pulp's, first failure alone (reference: iso §2, §7).

use pith_content::publish::OtherDistributor;
use pith_content::settings::{faults, printed};
use pith_content::{Config, relative_url};

/// The platform's settings, in the order in which Pulp looked at them; those at the end it did not look at, and what it did not
/// understand it left out, so that a sync went without.
const CHECKED: [&str; 16] = [
    "feed",
    "max_speed",
    "max_downloads",
    "proxy_password",
    "proxy_port",
    "proxy_host",
    "proxy_username",
    "ssl_ca_cert",
    "ssl_client_cert",
    "ssl_client_key",
    "ssl_validation",
    "basic_auth_username",
    "basic_auth_password",
    "connect_timeout",
    "read_timeout",
    "auth_sites",
];

/// Checks the importer's configuration.
pub(crate) fn check_importer(config: &Config) -> Result<(), String> {
    let mut faults = CHECKED.iter().flat_map(|name| faults(config, name));
    if let Some(fault) = faults.next() {
        return Err(fault);
    }
    boolean(config, "remove_missing")?;
    boolean(config, "validate")
}

/// Checks the distributor's configuration for repository `repo_id`.
pub(crate) fn check_distributor(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), String> {
    boolean(config, "serve_http")?;
    boolean(config, "serve_https")?;
    boolean(config, "force_full")?;
    if let Some(pem) = config.get("ssl_auth_ca_cert") {
        let looks_right = pem
            .as_str()
            .is_some_and(|text| text.contains("-----BEGIN CERTIFICATE-----"));
        if !looks_right {
            return Err(
                "The SSL certificate <ssl_auth_ca_cert> is not a valid certificate.".to_owned(),
            );
        }
    }
    relative_url::check_form(config)?;
    relative_url::check_conflicts(repo_id, config, others).map_err(|conflicts| conflicts.join("\n"))
}

fn boolean(config: &Config, key: &str) -> Result<(), String> {
    if config.get(key).is_none() || config.flag(key).is_some() {
        return Ok(());
    }
    let shown = config.get(key).map(printed).unwrap_or_default();
    Err(format!(
        "The configuration parameter <{key}> may only be set to a boolean value, but is currently set to <{shown}>."
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn importer(value: Value) -> Result<(), String> {
        check_importer(&Config::new(serde_json::from_value(value).unwrap()))
    }

    fn distributor(value: Value) -> Result<(), String> {
        check_distributor(
            "r",
            &Config::new(serde_json::from_value(value).unwrap()),
            &[],
        )
    }

    #[test]
    fn importer_messages_are_those_recorded() {
        let refused = [
            (json!({"feed": 5}), "<feed> must be a string."),
            (
                json!({"max_speed": -1}),
                "The configuration parameter <max_speed> must be set to a positive numerical value, but is currently \
                 set to <-1.0>.",
            ),
            (
                json!({"max_downloads": 0}),
                "The configuration parameter <max_downloads> must be set to a positive integer, but is currently set \
                 to <0>.",
            ),
            (
                json!({"proxy_port": 1}),
                "The configuration parameter <proxy_host> is required when any of the following other parameters are \
                 defined: proxy_password, proxy_port, proxy_username.",
            ),
        ];
        for (config, message) in refused {
            assert_eq!(importer(config).unwrap_err(), message);
        }
        assert!(
            importer(
                json!({"feed": "http://x/", "validate": "true", "max_downloads": "3", "other": 1})
            )
            .is_ok()
        );
        assert!(importer(json!({"remove_missing": 1})).is_err());
    }

    #[test]
    fn distributor_messages_are_those_recorded() {
        assert_eq!(
            distributor(json!({"serve_http": "x", "serve_https": true})).unwrap_err(),
            "The configuration parameter <serve_http> may only be set to a boolean value, but is currently set to <x>."
        );
        assert_eq!(
            distributor(json!({"ssl_auth_ca_cert": "junk"})).unwrap_err(),
            "The SSL certificate <ssl_auth_ca_cert> is not a valid certificate."
        );
        assert!(distributor(json!({"serve_http": "false", "serve_https": false})).is_ok());
    }
}
