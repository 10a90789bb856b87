//! The keys that packages must be signed with (pulp2/rpm-copy#signatures).

use pith_content::Config;

/// The policy of a repository.
#[derive(Debug, Clone, Default)]
pub struct SignaturePolicy {
    /// Is true when unsigned packages are left out.
    pub required: bool,
    /// Short key ids, lower case; empty means any.
    pub allowed: Vec<String>,
}

impl SignaturePolicy {
    /// Reads `require_signature` and `allowed_keys`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let allowed = config.list("allowed_keys");
        Self {
            required: config.flag("require_signature") == Some(true),
            allowed: allowed.iter().map(|key| key.to_ascii_lowercase()).collect(),
        }
    }

    /// Tells whether every package passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.required && self.allowed.is_empty()
    }

    /// Tells whether a package with this key, or with none, passes. Unsigned ones pass unless a signature is required.
    #[must_use]
    pub fn accepts(&self, key: Option<&str>) -> bool {
        match key {
            None => !self.required,
            Some(key) => {
                self.allowed.is_empty() || self.allowed.contains(&key.to_ascii_lowercase())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_key_that_is_not_allowed_is_refused() {
        let policy = |value: Value| {
            SignaturePolicy::of(&Config::new(serde_json::from_value(value).unwrap()))
        };
        // One key without a list around it counts too.
        for allowed in [json!(["ABCDEF12"]), json!("abcdef12")] {
            let policy = policy(json!({ "allowed_keys": allowed }));
            assert!(policy.accepts(Some("abcdef12")) && policy.accepts(None));
            assert!(!policy.accepts(Some("00000000")));
        }
        let strict = policy(json!({"allowed_keys": ["abcdef12"], "require_signature": "true"}));
        assert!(!strict.accepts(None));
        assert!(policy(json!({})).is_open());
    }
}
