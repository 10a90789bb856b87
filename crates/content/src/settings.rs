//! Settings of the platform: the way to a feed, the same for every importer that has one. They are described, explained and checked
//! here once; a type names the groups that it takes, and the order in which it reports what is wrong.

use pith_core::error::type_printed;
use serde_json::Value;

use crate::descriptor::{Setting, SettingKind};
use crate::{Config, Problem};

/// TLS, proxy, login and limits of the downloads of an importer.
pub const NETWORK: &[Setting] = &[
    Setting::new(
        "ssl_validation",
        SettingKind::Bool,
        "verify the server's certificate (default true)",
    ),
    Setting::new(
        "ssl_ca_cert",
        SettingKind::Pem,
        "CA that the server's certificate is checked against",
    ),
    Setting::new("ssl_client_cert", SettingKind::Pem, "client certificate"),
    Setting {
        secret: true,
        ..Setting::new(
            "ssl_client_key",
            SettingKind::Pem,
            "private key of the client certificate",
        )
    },
    Setting::new("proxy_host", SettingKind::Text, "URL of the proxy server"),
    Setting::new(
        "proxy_port",
        SettingKind::Integer,
        "port of the proxy server",
    ),
    Setting::new(
        "proxy_username",
        SettingKind::Text,
        "user name at the proxy server",
    ),
    Setting::secret("proxy_password", "password at the proxy server"),
    Setting::new(
        "basic_auth_username",
        SettingKind::Text,
        "user name at the feed",
    ),
    Setting::secret("basic_auth_password", "password at the feed"),
    Setting::new(
        "auth_sites",
        SettingKind::List,
        "sites (scheme, host and port) that get user, password, token and client certificate besides the feed's own, such as its \
         mirrors",
    ),
    Setting::new(
        "max_downloads",
        SettingKind::Integer,
        "downloads at the same time (default 5)",
    ),
    Setting::new(
        "max_speed",
        SettingKind::Number,
        "bytes a second of all downloads of a sync together",
    ),
    Setting::new(
        "connect_timeout",
        SettingKind::Number,
        "seconds to wait for a connection",
    ),
    Setting::new(
        "read_timeout",
        SettingKind::Number,
        "seconds to wait for the next bytes",
    ),
];

/// The time at which the files of a feed are fetched.
pub const DOWNLOAD_POLICY: Setting = Setting::new(
    "download_policy",
    SettingKind::Choice(&["immediate", "background", "on_demand"]),
    "when files are fetched (default immediate)",
);

/// The removal of what has left the feed.
pub const REMOVE_MISSING: Setting = Setting::new(
    "remove_missing",
    SettingKind::Bool,
    "remove files that left the feed (default false)",
);

/// The end of a sync of which files could not be had: pith's own setting.
pub const ON_DOWNLOAD_FAILURE: Setting = Setting::new(
    "on_download_failure",
    SettingKind::Choice(&["fail", "continue"]),
    "when files cannot be downloaded or do not verify: fail the sync and leave the repository as it was (default), or \
     continue without them",
);

/// The publishing of what has not changed.
pub const FORCE_FULL: Setting = Setting::new(
    "force_full",
    SettingKind::Bool,
    "publish even when nothing changed (default false)",
);

/// The authorities of those who may read, under the name that a type has for them.
#[must_use]
pub const fn readers(name: &'static str) -> Setting {
    Setting::new(
        name,
        SettingKind::Pem,
        "CA of the client certificates that may read the repository, with revocation lists where there are any",
    )
}

/// Seconds that a time-out must stay below.
const DAY: f64 = 86_400.0;

/// The problems of one of the platform's settings, in Pulp's words where it had some. Other settings have none here.
#[must_use]
pub fn problems(config: &Config, setting: &str) -> Vec<Problem> {
    let found = match setting {
        "feed" => [feed(config), None],
        "ssl_ca_cert" | "ssl_client_cert" => [text(config, setting), None],
        "ssl_client_key" => [
            needs(config, setting, "ssl_client_cert"),
            text(config, setting),
        ],
        "ssl_validation" => [boolean(config, setting), None],
        "proxy_host" => [proxy(config), text(config, setting)],
        "proxy_port" => [positive_integer(config, setting), port(config, setting)],
        "proxy_username" => [
            needs(config, setting, "proxy_password"),
            text(config, setting),
        ],
        "proxy_password" => [
            needs(config, setting, "proxy_username"),
            text(config, setting),
        ],
        "basic_auth_username" => [
            needs(config, setting, "basic_auth_password"),
            text(config, setting),
        ],
        "basic_auth_password" => [
            needs(config, setting, "basic_auth_username"),
            text(config, setting),
        ],
        "max_downloads" => [positive_integer(config, setting), None],
        "max_speed" => [positive_number(config, setting), None],
        "connect_timeout" | "read_timeout" => [seconds(config, setting), None],
        "auth_sites" => [sites(config, setting), None],
        _ => [None, None],
    };
    found.into_iter().flatten().collect()
}

/// A value as it stands in a message.
#[must_use]
pub fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => pith_core::error::printed(other),
    }
}

/// A problem of a setting in the words that most of them have: it `must be` so or so.
#[must_use]
pub fn parameter(key: &str, is_wrong: impl std::fmt::Display) -> Problem {
    Problem::new(
        key,
        format!("The configuration parameter <{key}> {is_wrong}"),
    )
}

/// The problem of a setting that is there and for which a rule does not hold: it `must` be so or so.
#[must_use]
pub fn rule(config: &Config, key: &str, holds: bool, must: &str) -> Option<Problem> {
    let value = config.get(key).filter(|_| !holds)?;
    let wrong = format!("{must}, but is currently set to <{}>.", printed(value));
    Some(parameter(key, wrong))
}

/// The problem of a setting that must be `true` or `false`.
#[must_use]
pub fn boolean(config: &Config, key: &str) -> Option<Problem> {
    let holds = config.flag(key).is_some();
    rule(config, key, holds, "must be set to a boolean value")
}

/// The problem of a setting that must be a text.
#[must_use]
pub fn text(config: &Config, key: &str) -> Option<Problem> {
    let value = config.get(key).filter(|value| !value.is_string())?;
    let wrong = format!("should be a string, but it was {}.", type_printed(value));
    Some(parameter(key, wrong))
}

/// The problem of a setting that must be a whole number above zero.
#[must_use]
pub fn positive_integer(config: &Config, key: &str) -> Option<Problem> {
    let holds = config.integer(key).is_some_and(|number| number > 0);
    rule(config, key, holds, "must be set to a positive integer")
}

/// The problem of a setting that must be a whole number, or zero.
#[must_use]
pub fn count(config: &Config, key: &str) -> Option<Problem> {
    let holds = config.integer(key).is_some_and(|number| number >= 0);
    let must = "must be set to an integer greater than or equal to zero";
    rule(config, key, holds, must)
}

/// The problem of a setting that means nothing without another.
#[must_use]
pub fn needs(config: &Config, given: &str, needed: &str) -> Option<Problem> {
    let is_alone = config.get(given).is_some() && config.get(needed).is_none();
    is_alone.then(|| {
        let wrong = format!("requires the <{needed}> parameter to also be set.");
        parameter(given, wrong)
    })
}

fn feed(config: &Config) -> Option<Problem> {
    let is_text = config.get("feed").is_none_or(Value::is_string);
    (!is_text).then(|| Problem::new("feed", "<feed> must be a string."))
}

fn proxy(config: &Config) -> Option<Problem> {
    let dependents = ["proxy_password", "proxy_port", "proxy_username"];
    let mut given = dependents.iter().filter(|key| config.get(key).is_some());
    (config.get("proxy_host").is_none() && given.next().is_some()).then(|| {
        let wrong = format!(
            "is required when any of the following other parameters are defined: {}.",
            dependents.join(", ")
        );
        parameter("proxy_host", wrong)
    })
}

fn port(config: &Config, key: &str) -> Option<Problem> {
    let most = i64::from(u16::MAX);
    let port = config.integer(key).filter(|port| *port > most);
    port.map(|_| parameter(key, format!("must be at most {most}.")))
}

fn positive_number(config: &Config, key: &str) -> Option<Problem> {
    let number = config.number(key);
    let value = (config.get(key)).filter(|_| number.is_none_or(|number| number <= 0.0))?;
    let shown = number.map_or_else(|| printed(value), |number| format!("{number:?}"));
    let wrong =
        format!("must be set to a positive numerical value, but is currently set to <{shown}>.");
    Some(parameter(key, wrong))
}

fn seconds(config: &Config, key: &str) -> Option<Problem> {
    let seconds = config.number(key).filter(|s| *s > 0.0 && *s < DAY);
    let is_wrong = config.get(key).is_some() && seconds.is_none();
    is_wrong.then(|| {
        let wrong = format!("must be a number of seconds above 0 and below {DAY}.");
        parameter(key, wrong)
    })
}

fn sites(config: &Config, key: &str) -> Option<Problem> {
    let given = config.get(key)?;
    let is_site = |site: &&str| {
        let url = url::Url::parse(site);
        // A password in there would have no use: they get the feed's.
        let is_bare = |url: &url::Url| url.username().is_empty() && url.password().is_none();
        url.is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare(&url)
        })
    };
    let sites = config.list(key);
    let count = given.as_array().map_or(1, Vec::len);
    let is_wrong = sites.len() != count || !sites.iter().all(is_site);
    let wrong = "must be a list of sites such as https://cdn.example.com:8443.";
    is_wrong.then(|| parameter(key, wrong))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_setting_of_the_network_is_checked() {
        for setting in NETWORK {
            let nonsense = json!({ setting.name: {"not": "a value"} });
            let config = Config::new(serde_json::from_value(nonsense).unwrap());
            let problems = problems(&config, setting.name);
            assert!(!problems.is_empty(), "{} is not checked", setting.name);
            for problem in problems {
                assert!(problem.text.contains('<'), "{problem:?}");
                assert_eq!(problem.field, setting.name);
            }
        }
    }
}
