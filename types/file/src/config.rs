//! The rules for configurations: messages word for word as Pulp's, first failure alone (reference: iso §2, §7).

use pith_content::publish::OtherDistributor;
use pith_content::{Config, relative_url};
use pith_core::error::type_printed;
use serde_json::Value;

/// Checks the importer's configuration.
pub(crate) fn check_importer(config: &Config) -> Result<(), String> {
    if config.get("feed").is_some_and(|feed| !feed.is_string()) {
        return Err("<feed> must be a string.".to_owned());
    }
    positive_number(config, "max_speed")?;
    positive_integer(config, "max_downloads")?;
    needs(config, "proxy_password", "proxy_username")?;
    text(config, "proxy_password")?;
    positive_integer(config, "proxy_port")?;
    if config
        .integer("proxy_port")
        .is_some_and(|port| port > i64::from(u16::MAX))
    {
        return Err(format!(
            "The configuration parameter <proxy_port> must be at most {}.",
            u16::MAX
        ));
    }
    let proxied = ["proxy_password", "proxy_port", "proxy_username"]
        .iter()
        .any(|key| config.get(key).is_some());
    if proxied && config.get("proxy_host").is_none() {
        return Err("The configuration parameter <proxy_host> is required when any of the following other parameters \
                    are defined: proxy_password, proxy_port, proxy_username."
            .to_owned());
    }
    text(config, "proxy_host")?;
    needs(config, "proxy_username", "proxy_password")?;
    text(config, "proxy_username")?;
    boolean(config, "remove_missing")?;
    text(config, "ssl_ca_cert")?;
    text(config, "ssl_client_cert")?;
    needs(config, "ssl_client_key", "ssl_client_cert")?;
    text(config, "ssl_client_key")?;
    boolean(config, "validate")?;
    // What follows Pulp did not look at; what it did not understand it left out, so that a sync went without.
    boolean(config, "ssl_validation")?;
    needs(config, "basic_auth_username", "basic_auth_password")?;
    needs(config, "basic_auth_password", "basic_auth_username")?;
    text(config, "basic_auth_username")?;
    text(config, "basic_auth_password")?;
    let mut errors = pith_content::config::timeouts(config);
    errors.extend(pith_content::config::auth_sites(config));
    match errors.into_iter().next() {
        Some(message) => Err(message),
        None => Ok(()),
    }
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

fn needs(config: &Config, given: &str, needed: &str) -> Result<(), String> {
    if config.get(given).is_some() && config.get(needed).is_none() {
        return Err(format!(
            "The configuration parameter <{given}> requires the <{needed}> parameter to also be set."
        ));
    }
    Ok(())
}

fn text(config: &Config, key: &str) -> Result<(), String> {
    match config.get(key) {
        None | Some(Value::String(_)) => Ok(()),
        Some(other) => Err(format!(
            "The configuration parameter <{key}> should be a string, but it was {}.",
            type_printed(other)
        )),
    }
}

fn boolean(config: &Config, key: &str) -> Result<(), String> {
    if config.get(key).is_none() || config.flag(key).is_some() {
        return Ok(());
    }
    let shown = config.get(key).map(shown).unwrap_or_default();
    Err(format!(
        "The configuration parameter <{key}> may only be set to a boolean value, but is currently set to <{shown}>."
    ))
}

fn positive_integer(config: &Config, key: &str) -> Result<(), String> {
    let Some(value) = config.get(key) else {
        return Ok(());
    };
    if config.integer(key).is_some_and(|number| number >= 1) {
        return Ok(());
    }
    Err(format!(
        "The configuration parameter <{key}> must be set to a positive integer, but is currently set to <{}>.",
        shown(value)
    ))
}

fn positive_number(config: &Config, key: &str) -> Result<(), String> {
    let Some(value) = config.get(key) else {
        return Ok(());
    };
    let number = config.number(key);
    if number.is_some_and(|number| number > 0.0) {
        return Ok(());
    }
    let shown = number.map_or_else(|| shown(value), |number| format!("{number:?}"));
    Err(format!(
        "The configuration parameter <{key}> must be set to a positive numerical value, but is currently set to \
         <{shown}>."
    ))
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => pith_core::error::printed(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
