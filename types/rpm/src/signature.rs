//! What packages must be signed with (reference: rpm §9.3).

use pith_content::Config;

/// The policy of a repository.
#[derive(Debug, Clone, Default)]
pub struct SignaturePolicy {
    /// Whether unsigned packages are left out.
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

    /// Whether every package passes.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.required && self.allowed.is_empty()
    }

    /// Whether a package with this key, or with none, passes. Unsigned ones pass unless a signature is required.
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
