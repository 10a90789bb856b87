//! The rules for configurations: messages word for word as Pulp's, which told of the first problem alone
//! (pulp2/iso#importer, pulp2/iso#distributor).

use pith_content::publish::OtherDistributor;
use pith_content::settings::{problems, rule};
use pith_content::{Config, Problem, Problems, Wording, relative_url};

/// The platform's settings, in the order in which Pulp looked at them. Pulp did not look at those at the end; what it did not
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
pub(crate) fn check_importer(config: &Config) -> Result<(), Problems> {
    let platform = CHECKED.iter().flat_map(|name| problems(config, name));
    let own = ["remove_missing", "validate"].iter();
    let own = own.filter_map(|name| boolean(config, name));
    Problems::check(platform.chain(own).collect(), Wording::First(1))
}

/// Checks the distributor's configuration for repository `repo_id`.
pub(crate) fn check_distributor(
    repo_id: &str,
    config: &Config,
    others: &[OtherDistributor],
) -> Result<(), Problems> {
    let switches = ["serve_http", "serve_https", "force_full"].iter();
    let mut found: Vec<Problem> = switches.filter_map(|name| boolean(config, name)).collect();
    found.extend(authority(config));
    found.extend(relative_url::form(config));
    if !found.is_empty() {
        return Problems::check(found, Wording::First(1));
    }
    let conflicts = relative_url::conflicts(repo_id, config, others);
    Problems::check(conflicts, Wording::Lines)
}

fn authority(config: &Config) -> Option<Problem> {
    let name = "ssl_auth_ca_cert";
    let pem = config.get(name)?.as_str().unwrap_or_default();
    let is_pem = pem.contains("-----BEGIN CERTIFICATE-----");
    (!is_pem).then(|| {
        let text = format!("The SSL certificate <{name}> is not a valid certificate.");
        Problem::new(name, text)
    })
}

fn boolean(config: &Config, key: &str) -> Option<Problem> {
    let holds = config.flag(key).is_some();
    rule(config, key, holds, "may only be set to a boolean value")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn importer(value: Value) -> Result<(), Problems> {
        check_importer(&Config::new(serde_json::from_value(value).unwrap()))
    }

    fn distributor(value: Value) -> Result<(), Problems> {
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
            assert_eq!(importer(config).unwrap_err().to_string(), message);
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
            distributor(json!({"serve_http": "x", "serve_https": true}))
                .unwrap_err()
                .to_string(),
            "The configuration parameter <serve_http> may only be set to a boolean value, but is currently set to <x>."
        );
        assert_eq!(
            distributor(json!({"ssl_auth_ca_cert": "junk"}))
                .unwrap_err()
                .to_string(),
            "The SSL certificate <ssl_auth_ca_cert> is not a valid certificate."
        );
        assert!(distributor(json!({"serve_http": "false", "serve_https": false})).is_ok());
    }

    #[test]
    fn every_problem_is_found_though_the_first_alone_is_told() {
        let refused = importer(json!({"feed": 5, "max_speed": -1, "validate": 5})).unwrap_err();
        let fields = refused.all().iter().map(|problem| problem.field.as_str());
        assert_eq!(
            fields.collect::<Vec<_>>(),
            ["feed", "max_speed", "validate"]
        );
        let refused = distributor(json!({"serve_http": "x", "relative_url": "/a"})).unwrap_err();
        assert_eq!(refused.all().len(), 2);
    }
}
