//! Which settings are secrets, by their names: also those that nobody here knows.

use serde_json::Value;

/// Words in the names of settings that are secrets.
const WORDS: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "headers",
    "cookie",
    "client_key",
];
/// Settings that are addresses, in which there may be a password or a token.
const ADDRESSES: [&str; 2] = ["feed", "proxy_host"];
/// The words with which a key begins, whatever it is for.
const KEY: &str = "PRIVATE KEY";

/// Tells whether a setting of this name is a secret.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Tells whether the value of a setting that as such is none has a secret in it.
#[must_use]
pub fn holds_secret(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    (ADDRESSES.contains(&name) && text.contains(['?', '@']))
        // A certificate may come with its key, wherever it was put.
        || text.contains(KEY)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_known_by_their_names_and_addresses_by_what_is_in_them() {
        for name in [
            "basic_auth_password",
            "ssl_client_key",
            "query_auth_token",
            "Headers",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "feed",
            "ssl_client_cert",
            "allowed_keys",
            "proxy_username",
            "auth_sites",
        ] {
            assert!(!names_secret(name), "{name}");
        }
        assert!(holds_secret("feed", &json!("http://a/p?T0ken")));
        assert!(holds_secret("proxy_host", &json!("http://u:p@a")));
        assert!(!holds_secret("feed", &json!("http://a/p")));
        let key = json!("-----BEGIN RSA PRIVATE KEY-----");
        for name in ["ssl_client_cert", "auth_cert", "auth_ca", "whatever"] {
            assert!(holds_secret(name, &key), "{name}");
        }
        assert!(!holds_secret("feed", &json!(5)));
    }
}
