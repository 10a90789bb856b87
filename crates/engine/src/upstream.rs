//! An importer's settings that touch downloads, read for `fetch` (pulp2/importers#settings).

use std::time::Duration;

use pith_content::Config;
use pith_content::sync::FeedAccess;
use pith_core::Sha256;
use pith_fetch::{BasicAuth, DownloadSettings};
use url::Url;

use crate::secrets::SITES;

/// Reads the platform's own setting names. Values were checked when the configuration was stored; what is still
/// unusable falls back to the default.
pub(crate) fn upstream(reached: &FeedAccess) -> DownloadSettings {
    let config = &reached.config;
    let text = |key: &str| {
        config
            .text(key)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let seconds = |key: &str| {
        let given = config
            .number(key)
            .filter(|seconds| *seconds > 0.0 && *seconds < 86_400.0);
        given.map(Duration::from_secs_f64)
    };
    let default = DownloadSettings::default();
    DownloadSettings {
        home: reached.base().map(|feed| feed.address().clone()),
        also: config
            .list(SITES)
            .iter()
            .filter_map(|site| Url::parse(site).ok())
            .collect(),
        in_internet: default.in_internet,
        by_operator: default.by_operator,
        ssl_ca_cert: text("ssl_ca_cert"),
        ssl_client_cert: text("ssl_client_cert"),
        ssl_client_key: text("ssl_client_key").map(Into::into),
        ssl_validation: config.flag("ssl_validation").unwrap_or(true),
        proxy_host: text("proxy_host"),
        proxy_port: config
            .integer("proxy_port")
            .and_then(|port| u16::try_from(port).ok()),
        proxy_auth: auth(config, "proxy_username", "proxy_password"),
        basic_auth: auth(config, "basic_auth_username", "basic_auth_password"),
        query_auth_token: text("query_auth_token").map(Into::into),
        max_downloads: downloads(config).unwrap_or(default.max_downloads),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bytes per second, positive"
        )]
        max_speed: config
            .number("max_speed")
            .filter(|speed| *speed > 0.0)
            .map(|speed| speed.ceil() as u64),
        connect_timeout: seconds("connect_timeout").unwrap_or(default.connect_timeout),
        read_timeout: seconds("read_timeout").unwrap_or(default.read_timeout),
        user_agent: default.user_agent,
    }
}

/// The site of files that are one repository's own.
pub(crate) fn own_site(repo_id: &str) -> Sha256 {
    Sha256::of(format!("repository {repo_id}").as_bytes())
}

/// The site that the files of a repository come from, as a digest. Repositories with equal ones have the same right to a file
/// that one of them has: they mirror the same feed, without secrets and in the same way. Others of the same server may be
/// somebody else's, and a path may be a secret itself. A repository with a secret shares with nobody.
pub(crate) fn site(settings: &DownloadSettings, repo_id: &str) -> Sha256 {
    let Some(home) = &settings.home else {
        return own_site(repo_id);
    };
    let has_secret = settings.ssl_client_cert.is_some()
        || settings.ssl_client_key.is_some()
        || settings.basic_auth.is_some()
        || settings.query_auth_token.is_some()
        || settings.proxy_auth.is_some()
        || home.query().is_some()
        || home.password().is_some()
        || !home.username().is_empty();
    let owner = if has_secret { repo_id } else { "" };
    let proxy = (&settings.proxy_host, settings.proxy_port);
    Sha256::of(format!("{home}\n{owner}\n{proxy:?}").as_bytes())
}

fn downloads(config: &Config) -> Option<usize> {
    config
        .integer("max_downloads")
        .and_then(|count| usize::try_from(count).ok())
        .filter(|count| *count > 0)
}

fn auth(config: &Config, username: &str, password: &str) -> Option<BasicAuth> {
    let username = config.text(username)?.to_owned();
    let password = config.text(password)?.to_owned().into();
    Some(BasicAuth { username, password })
}

#[cfg(test)]
mod tests {
    use pith_core::Document;
    use serde_json::{Value, json};

    use super::*;

    fn read(config: Value) -> DownloadSettings {
        let config: Document = serde_json::from_value(config).unwrap();
        upstream(&FeedAccess::from_config(&Config::new(config)))
    }

    #[test]
    fn repositories_share_files_of_one_feed_that_asks_for_no_secret() {
        let of = |repo: &str, more: Value| {
            let mut config = json!({"feed": "https://a.example/one/"});
            let more = more.as_object().unwrap().clone();
            config.as_object_mut().unwrap().extend(more);
            site(&read(config), repo)
        };
        let plain = of("a", json!({}));
        assert_eq!(plain, of("b", json!({"max_speed": 3})));
        for other in [
            json!({"feed": "https://a.example/other/"}),
            json!({"feed": "https://a.example/one/deeper/"}),
            json!({"feed": "http://a.example/one/"}),
            json!({"feed": "https://a.example:8443/one/"}),
            json!({"feed": "https://b.example/one/"}),
            json!({"proxy_host": "http://inner"}),
        ] {
            assert_ne!(plain, of("b", other.clone()), "{other}");
            assert_eq!(of("a", other.clone()), of("b", other));
        }
        for secret in [
            json!({"basic_auth_username": "u", "basic_auth_password": "p"}),
            json!({"ssl_client_cert": "C"}),
            json!({"query_auth_token": "t"}),
            json!({"feed": "https://a.example/one/?token"}),
            json!({"proxy_host": "http://inner", "proxy_username": "u", "proxy_password": "p"}),
        ] {
            assert_ne!(of("a", secret.clone()), of("b", secret.clone()), "{secret}");
            assert_eq!(of("a", secret.clone()), of("a", secret));
        }
        let none = json!({"feed": null});
        assert_ne!(of("a", none.clone()), of("b", none));
    }

    #[test]
    fn every_setting_of_the_network_reaches_the_downloads() {
        let all = json!({
            "ssl_ca_cert": "CA", "ssl_client_cert": "CERT", "ssl_client_key": "KEY", "ssl_validation": "false",
            "proxy_host": "http://p", "proxy_port": "3128", "proxy_username": "pu", "proxy_password": "pp",
            "basic_auth_username": "bu", "basic_auth_password": "bp", "query_auth_token": "t",
            "auth_sites": ["https://cdn.example"], "max_downloads": "7", "max_speed": 0.5, "connect_timeout": 3, "read_timeout": "4.5",
        });
        let secret = |secret: &Option<secrecy::SecretString>| {
            use secrecy::ExposeSecret as _;
            secret.as_ref().map(|s| s.expose_secret().to_owned())
        };
        let shown = |u: &DownloadSettings| {
            let auth = |auth: &Option<BasicAuth>| auth.as_ref().map(|a| a.username.clone());
            json!({
                "ssl_ca_cert": u.ssl_ca_cert, "ssl_client_cert": u.ssl_client_cert,
                "ssl_client_key": secret(&u.ssl_client_key), "ssl_validation": u.ssl_validation,
                "proxy_host": u.proxy_host, "proxy_port": u.proxy_port, "proxy": auth(&u.proxy_auth),
                "basic": auth(&u.basic_auth), "query_auth_token": secret(&u.query_auth_token),
                "auth_sites": u.also.iter().map(Url::as_str).collect::<Vec<_>>(), "max_downloads": u.max_downloads, "max_speed": u.max_speed,
                "connect_timeout": u.connect_timeout, "read_timeout": u.read_timeout,
            })
        };
        let (given, default) = (shown(&read(all)), shown(&DownloadSettings::default()));
        for (name, value) in given.as_object().unwrap() {
            assert_ne!(value, &default[name], "{name}");
        }
        assert_eq!(given["max_speed"], 1);
        assert_eq!(shown(&read(json!({}))), default);
    }
}
