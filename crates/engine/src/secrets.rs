//! Secrets of importers belong to a site: those for the feed go to the feed's, those for the proxy to the proxy. Whoever names
//! another one brings other secrets, or none.

use pith_content::Config;
use pith_content::base::Base;
use pith_core::Document;
use pith_core::error::PulpError;
use serde_json::Value;

use crate::acting;
use crate::masks::{FEED, MASK, PROXY, shown_address};

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
const PROXY_PORT: &str = "proxy_port";
/// The settings that say which servers are who they say.
const VALIDATION: &str = "ssl_validation";
const AUTHORITY: &str = "ssl_ca_cert";

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
    if !overriding.contains_key(FEED)
        && proxy_reads(stored, &after)
        && let Some(bare) = without_token(stored)
    {
        kept.insert(FEED.to_owned(), bare.into());
        withheld.push(FEED);
    }
    (Config::with_override(kept, overriding.clone()), withheld)
}

/// Refuses settings that would send the stored secrets, which nobody is shown, to where whoever changes them likes. Super-users
/// may: nothing of it is kept from them.
///
/// # Errors
/// 400 that names the settings to be given anew.
pub fn require_given(stored: &Document, after: &Document) -> Result<(), PulpError> {
    if !acting::is_discreet() {
        return Ok(());
    }
    let mut kept = strayed(stored, after);
    kept.retain(|key| {
        stored
            .get(*key)
            .is_some_and(|secret| after.get(*key) == Some(secret))
    });
    let same_feed = stored.get(FEED) == after.get(FEED);
    if same_feed && proxy_reads(stored, after) && without_token(stored).is_some() {
        kept.push(FEED);
    }
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
    let mut strayed = Vec::new();
    let is_trusting = trusts_more(before, after);
    if has_moved || differs(SITES) || proxy_reads(before, after) || is_trusting {
        strayed.extend(OF_FEED);
    }
    if has_moved {
        strayed.push(SITES);
    }
    if has_other_proxy(before, after) || is_trusting {
        strayed.extend(OF_PROXY);
    }
    strayed
}

/// Tells whether `after` takes servers for the feed's that `before` does not: secrets would go to whoever stands on the way.
fn trusts_more(before: &Document, after: &Document) -> bool {
    let validates = |config: &Document| Config::new(config.clone()).flag(VALIDATION) != Some(false);
    let authority = |config: &Document| config.get(AUTHORITY).filter(|ca| !ca.is_null()).cloned();
    (validates(before) && !validates(after)) || authority(before) != authority(after)
}

fn has_other_proxy(before: &Document, after: &Document) -> bool {
    [PROXY, PROXY_PORT]
        .iter()
        .any(|key| before.get(*key) != after.get(*key))
}

/// Tells whether `after` has a proxy that `before` has not: it reads what goes to plain http, and with other settings of TLS what
/// goes to https.
fn proxy_reads(before: &Document, after: &Document) -> bool {
    let has_proxy = after.get(PROXY).is_some_and(|proxy| !proxy.is_null());
    has_proxy && has_other_proxy(before, after)
}

/// The address of a configuration's feed without its query, when that is one that proves who asks.
fn without_token(config: &Document) -> Option<&str> {
    let feed = config.get(FEED).and_then(Value::as_str)?;
    let shown = shown_address(feed);
    let (_, shown) = shown.split_once('?')?;
    let (bare, _) = feed.split_once('?')?;
    shown.contains(MASK).then_some(bare)
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
        assert_eq!(withheld(json!({"ssl_validation": false})), all);
        assert_eq!(withheld(json!({"ssl_ca_cert": "C"})), all);
        assert!(withheld(json!({"ssl_validation": true, "ssl_ca_cert": null})).is_empty());
        let own = json!({"feed": "http://b.example/", "basic_auth_username": "me", "basic_auth_password": "mine"});
        assert!(withheld(own).is_empty());
    }

    #[test]
    fn a_token_in_the_feed_stays_away_from_other_proxies() {
        let of = |value: Value| serde_json::from_value::<Document>(value).unwrap();
        let feed = |stored: &str, overriding: Value| {
            let stored = json!({"feed": stored, "proxy_host": "http://proxy"});
            let (config, withheld) = effective(&of(stored), &of(overriding));
            (config.text("feed").unwrap().to_owned(), withheld)
        };
        let other = json!({"proxy_host": "http://other"});
        let (paid, bare) = ("https://a.example/os?T0KEN", "https://a.example/os");
        assert_eq!(feed(paid, other.clone()), (bare.to_owned(), vec!["feed"]));
        for overriding in [json!({}), json!({"proxy_host": null})] {
            assert_eq!(feed(paid, overriding).0, paid);
        }
        let mirrors = "https://a.example/list?repo=os&arch=x86_64";
        assert_eq!(feed(mirrors, other.clone()), (mirrors.to_owned(), vec![]));
        let own = json!({"proxy_host": "http://other", "feed": "https://a.example/os?MINE"});
        assert_eq!(feed(paid, own).0, "https://a.example/os?MINE");
        let after = of(json!({"feed": paid, "proxy_host": "http://other"}));
        let given = || require_given(&of(json!({"feed": paid})), &after);
        assert!(given().is_ok(), "a super-user may");
        let refused = acting::on_behalf_now(false, given).unwrap_err();
        assert!(refused.to_string().contains("feed"), "{refused}");
    }
}
