//! The settings that are secrets, told by their names: also those that nobody here knows.

use serde_json::Value;

/// Words in the names of settings that are secrets.
const WORDS: [&str; 17] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "authorization",
    "bearer",
    "credential",
    "headers",
    "cookie",
    "client_key",
    "private_key",
    "api_key",
    "apikey",
    "access_key",
    "api-key",
];
/// Names that are those of secrets as a whole, and parts of many others.
const NAMES: [&str; 2] = ["auth", "pass"];
/// Settings that are addresses, in which there may be a password or a token.
const ADDRESSES: [&str; 2] = ["feed", "proxy_host"];
/// The words with which a key begins, whatever it is for.
const KEY: &str = "PRIVATE KEY";

/// Tells whether a setting of this name is a secret.
#[must_use]
pub fn names_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || WORDS.iter().any(|word| name.contains(word))
}

/// Tells whether a text is an address with a password in it.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

/// Tells whether a value has a secret in it, though by its name the setting is none.
#[must_use]
pub fn holds_secret(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    (ADDRESSES.contains(&name) && text.contains(['?', '@']))
        // A certificate may come with its key, wherever it was put.
        || text.contains(KEY)
        || has_password(text)
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
        assert!(names_secret("api_key") && names_secret("auth"));
        assert!(holds_secret("mirror", &json!("http://u:p@a/x")));
        for plain in ["http://a/x:y@z", "http://u@a/", "u:p@a", "a: http://b"] {
            assert!(!holds_secret("description", &json!(plain)), "{plain}");
        }
        let key = json!("-----BEGIN RSA PRIVATE KEY-----");
        for name in ["ssl_client_cert", "auth_cert", "auth_ca", "whatever"] {
            assert!(holds_secret(name, &key), "{name}");
        }
        assert!(!holds_secret("feed", &json!(5)));
    }
}
