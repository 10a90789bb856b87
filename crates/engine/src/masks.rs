//! Settings as they may be shown: with asterisks in place of secrets, and read back without them.

use pith_content::PluginDescriptor;
use pith_core::Document;
use pith_core::secrets::{holds_secret, names_secret};
use serde_json::{Value, json};

/// The address of the upstream, in which a query may be a token.
pub const FEED: &str = "feed";
/// The proxy.
pub(crate) const PROXY: &str = "proxy_host";
/// The text that is shown in place of a secret.
pub const MASK: &str = "*****";

/// Settings that are addresses.
const ADDRESSES: [&str; 2] = [FEED, PROXY];

/// Settings of every importer that are not shown, whatever its type says.
const SECRETS: [&str; 2] = ["basic_auth_password", "proxy_password"];

/// Parameters that choose a repository from a list of mirrors, and so are no secrets.
const SELECTORS: [&str; 14] = [
    "repo",
    "arch",
    "basearch",
    "release",
    "releasever",
    "version",
    "country",
    "cc",
    "infra",
    "protocol",
    "os",
    "path",
    "tag",
    "redirect",
];

/// An address with asterisks in place of its password, and of what may be a token in its query.
#[must_use]
pub fn shown_address(address: &str) -> String {
    let address = &without_password(address);
    let Some((folder, query)) = address
        .split_once('?')
        .filter(|(_, query)| !query.is_empty())
    else {
        return address.to_owned();
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if SELECTORS.contains(&key.to_ascii_lowercase().as_str()) => pair.to_owned(),
        Some((key, _)) => format!("{key}={MASK}"),
        None => MASK.to_owned(),
    });
    format!("{folder}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// An address with asterisks in place of its password.
fn without_password(address: &str) -> String {
    let start = address.find("://").map_or(0, |at| at + 3);
    let end = address[start..].find(['/', '?', '#']);
    let end = end.map_or(address.len(), |at| start + at);
    let authority = &address[start..end];
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let shown = match user.split_once(':') {
                Some((user, _)) => format!("{user}:{MASK}"),
                None => user.to_owned(),
            };
            format!("{}{shown}@{host}{}", &address[..start], &address[end..])
        }
        None => address.to_owned(),
    }
}

/// A setting as it may be shown.
fn shown_setting(key: &str, value: &Value, descriptor: Option<&PluginDescriptor>) -> Value {
    match value {
        Value::Null => Value::Null,
        _ if is_secret(key, value, descriptor) => json!(MASK),
        Value::String(address) if ADDRESSES.contains(&key) => json!(shown_address(address)),
        Value::Object(inner) => Value::Object(shown(inner, None)),
        Value::Array(items) => items
            .iter()
            .map(|item| shown_setting(key, item, None))
            .collect(),
        _ => value.clone(),
    }
}

/// Tells whether a client sends back what it was shown in place of a secret.
#[must_use]
pub fn is_masked(key: &str, given: &Value, stored: &Value) -> bool {
    given.as_str() == Some(MASK) || *given == shown_setting(key, stored, None)
}

/// A setting of this type that nobody here knows is a secret when its name says so and its value can be one.
fn is_secret(key: &str, value: &Value, descriptor: Option<&PluginDescriptor>) -> bool {
    let named = |d: &PluginDescriptor| d.setting(key).map(|setting| setting.secret);
    let sounds_secret = || names_secret(key) && !value.is_number() && !value.is_boolean();
    // A certificate may come with its key.
    let has_key = !ADDRESSES.contains(&key) && holds_secret(key, value);
    SECRETS.contains(&key) || has_key || descriptor.and_then(named).unwrap_or_else(sounds_secret)
}

/// A configuration with asterisks in place of its secrets.
#[must_use]
pub fn shown(config: &Document, descriptor: Option<&PluginDescriptor>) -> Document {
    config
        .iter()
        .map(|(key, value)| (key.clone(), shown_setting(key, value, descriptor)))
        .collect()
}

/// `changes` without the masks that stand where the stored configuration has a secret: a client that sends back what
/// it read must not replace a password by asterisks.
#[must_use]
pub fn without_masks(stored: &Document, mut changes: Document) -> Document {
    changes.retain(|key, value| {
        let stored = stored.get(key);
        !stored.is_some_and(|stored| is_masked(key, value, stored))
    });
    changes
}

/// `changes` over `stored`; null removes a key.
#[must_use]
pub fn merged(mut stored: Document, changes: Document) -> Document {
    for (key, value) in changes {
        if value.is_null() {
            stored.remove(&key);
        } else {
            stored.insert(key, value);
        }
    }
    stored
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_come_back_change_nothing() {
        let stored = Document::from_iter([("proxy_password".to_owned(), json!("secret"))]);
        let changes = Document::from_iter([
            ("proxy_password".to_owned(), json!(MASK)),
            ("feed".to_owned(), json!(MASK)),
        ]);
        assert_eq!(
            Value::Object(without_masks(&stored, changes)),
            json!({"feed": MASK})
        );
        assert_eq!(
            Value::Object(shown(&stored, None)),
            json!({"proxy_password": MASK})
        );
        assert!(
            Value::Object(merged(
                stored,
                Document::from_iter([("proxy_password".to_owned(), Value::Null)])
            ))
            .as_object()
            .unwrap()
            .is_empty()
        );
    }

    #[test]
    fn a_token_in_the_feed_is_masked_and_comes_back_harmlessly() {
        for (feed, shown) in [
            ("http://a/p?T0ken", "http://a/p?*****"),
            (
                "http://a/p/?token=x&arch=y",
                "http://a/p/?token=*****&arch=y",
            ),
            ("http://a/m?repo=f&arch=x", "http://a/m?repo=f&arch=x"),
            ("http://a/p?", "http://a/p?"),
            ("http://u:p@a/p@q", "http://u:*****@a/p@q"),
            ("u:p@proxy:1", "u:*****@proxy:1"),
            ("http://u@a?x", "http://u@a?*****"),
        ] {
            assert_eq!(shown_address(feed), shown);
            let stored = Document::from_iter([("feed".to_owned(), json!(feed))]);
            let changes = |feed: &str| Document::from_iter([("feed".to_owned(), json!(feed))]);
            assert!(without_masks(&stored, changes(shown)).is_empty());
            let other = without_masks(&stored, changes("http://b/p?*****"));
            assert_eq!(other["feed"], "http://b/p?*****");
        }
    }
}
