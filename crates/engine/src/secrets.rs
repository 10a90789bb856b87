//! Secrets of importers belong to a site: those for the feed go to the feed's, those for the proxy to the proxy. Whoever names
//! another one brings other secrets, or none.

use pith_content::Config;
use pith_content::base::Base;
use pith_core::Document;
use pith_core::error::PulpError;
use serde_json::Value;

use crate::acting;
use crate::importers::FEED;

/// The settings that prove at the feed who asks.
const OF_FEED: [&str; 5] = [
    "basic_auth_username",
    "basic_auth_password",
    "query_auth_token",
    "ssl_client_cert",
    "ssl_client_key",
];
/// The settings that prove at the proxy who asks.
const OF_PROXY: [&str; 2] = ["proxy_username", "proxy_password"];
/// Sites besides the feed's that get what the feed's gets.
pub(crate) const SITES: &str = "auth_sites";
/// The proxy.
pub(crate) const PROXY: &str = "proxy_host";
const PROXY_PORT: &str = "proxy_port";

/// Returns what a sync works with: the stored settings under those of its override, without the secrets that would go elsewhere, whose
/// names come along.
pub(crate) fn effective(stored: &Document, overriding: &Document) -> (Config, Vec<&'static str>) {
    let mut after = stored.clone();
    for (key, value) in overriding {
        after.insert(key.clone(), value.clone());
    }
    let mut kept = stored.clone();
    let mut withheld = strayed(stored, &after);
    withheld.retain(|key| !overriding.contains_key(*key) && kept.remove(*key).is_some());
    (Config::with_override(kept, overriding.clone()), withheld)
}

/// Refuses settings that would send the stored secrets, which nobody is shown, to where whoever changes them likes. Super-users
/// may: nothing of it is kept from them.
///
/// # Errors
/// 400 that names the settings to be given anew.
pub(crate) fn require_given(stored: &Document, after: &Document) -> Result<(), PulpError> {
    if !acting::is_discreet() {
        return Ok(());
    }
    let mut kept = strayed(stored, after);
    kept.retain(|key| {
        stored
            .get(*key)
            .is_some_and(|secret| after.get(*key) == Some(secret))
    });
    if kept.is_empty() {
        return Ok(());
    }
    Err(PulpError::data(format!(
        "the stored secrets are for another feed or proxy; give these anew for this one, or null: {}",
        kept.join(", ")
    )))
}

/// The secrets of `before` that `after` would have go elsewhere.
fn strayed(before: &Document, after: &Document) -> Vec<&'static str> {
    let differs = |key: &str| before.get(key) != after.get(key);
    let has_moved = site(before) != site(after);
    let has_proxy = after.get(PROXY).is_some_and(|proxy| !proxy.is_null());
    let proxy_moved = differs(PROXY) || differs(PROXY_PORT);
    let mut strayed = Vec::new();
    // A proxy reads what goes to plain http, and with other settings of TLS what goes to https.
    if has_moved || differs(SITES) || (has_proxy && proxy_moved) {
        strayed.extend(OF_FEED);
    }
    if has_moved {
        strayed.push(SITES);
    }
    if proxy_moved {
        strayed.extend(OF_PROXY);
    }
    strayed
}

/// The site of a configuration's feed.
fn site(config: &Document) -> Option<String> {
    let feed = config.get(FEED).and_then(Value::as_str)?;
    Some(Base::parse(feed).map_or_else(|_| feed.to_owned(), |feed| feed.site()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn withheld(overriding: Value) -> Vec<&'static str> {
        let stored = json!({
            "feed": "http://a.example/os/", "basic_auth_username": "u", "basic_auth_password": "p",
            "proxy_host": "http://proxy", "proxy_username": "pu", "proxy_password": "pp",
        });
        let of = |value: Value| serde_json::from_value::<Document>(value).unwrap();
        let (config, withheld) = effective(&of(stored), &of(overriding));
        for secret in &withheld {
            assert!(config.get(secret).is_none(), "{secret}");
        }
        withheld
    }

    #[test]
    fn secrets_stay_with_the_site_that_they_are_for() {
        let feed = ["basic_auth_username", "basic_auth_password"];
        let all = [feed[0], feed[1], "proxy_username", "proxy_password"];
        assert!(withheld(json!({})).is_empty());
        assert!(
            withheld(json!({"feed": "http://a.example:80/updates/", "max_speed": 1})).is_empty()
        );
        for elsewhere in [
            "http://b.example/",
            "https://a.example/",
            "http://a.example:81/",
            "file:///srv/",
        ] {
            assert_eq!(withheld(json!({"feed": elsewhere})), feed, "{elsewhere}");
        }
        assert_eq!(withheld(json!({"proxy_host": "http://other"})), all);
        assert_eq!(withheld(json!({"proxy_port": 3128})), all);
        assert_eq!(withheld(json!({"proxy_host": null})), all[2..]);
        assert_eq!(withheld(json!({"auth_sites": ["http://b.example"]})), feed);
        let own = json!({"feed": "http://b.example/", "basic_auth_username": "me", "basic_auth_password": "mine"});
        assert!(withheld(own).is_empty());
    }
}
