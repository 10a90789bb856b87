//! Profiles: what hosts say that they have, and what of a repository applies to them.
//!
//! A host sends a profile of each content type that it has, such as all packages that are installed. Many hosts have the same one, so
//! what applies is worked out once for each set of profiles and repository. A repository is read once for all sets
//! ([`Profiler::index`]); from then on a set costs what is in it, and not what is in the repository.

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use pith_core::{Sha256, UnitId};
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Error, Value};

use crate::repository::RepositoryContext;
use crate::{ContentError, Problems};

/// A profile of one content type as it is kept: JSON text in the one form that equal profiles have, which is what their digest is
/// of (pulp2/applicability#profiles).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    text: String,
}

impl Profile {
    /// The profile of what [`Profiler::read`] gave.
    ///
    /// # Errors
    /// None for values that were read from JSON.
    pub fn new(read: &Value) -> Result<Self, Error> {
        let mut text = Vec::new();
        read.serialize(&mut Serializer::with_formatter(&mut text, Ascii))?;
        let text = String::from_utf8(text).map_err(serde::ser::Error::custom)?;
        Ok(Self { text })
    }

    /// A profile that was kept.
    #[must_use]
    pub fn kept(text: String) -> Self {
        Self { text }
    }

    /// The text to keep.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The digest by which equal profiles are known, `profile_hash` on the wire.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        Sha256::of(self.text.as_bytes())
    }

    /// Reads the profile as what it is needed for: no tree of values is made of it.
    ///
    /// # Errors
    /// When it is something else.
    pub fn get<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        serde_json::from_str(&self.text)
    }
}

/// JSON without blanks and in ASCII alone. Objects of `serde_json` have their keys in order.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
        if fragment.bytes().all(is_plain) {
            return out.write_all(fragment.as_bytes());
        }
        for unit in fragment.encode_utf16() {
            match u8::try_from(unit) {
                Ok(byte) if is_plain(byte) => out.write_all(&[byte])?,
                _ => write!(out, "\\u{unit:04x}")?,
            }
        }
        Ok(())
    }
}

/// The profiles of a host, by content type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profiles(BTreeMap<String, Profile>);

impl Profiles {
    /// The profile of a content type.
    #[must_use]
    pub fn get(&self, content_type: &str) -> Option<&Profile> {
        self.0.get(content_type)
    }

    /// The digest by which hosts with the same profiles are known: that of the one profile, or one over those of all.
    #[must_use]
    pub fn digest(&self) -> Sha256 {
        let digests = self.0.values().map(|profile| profile.digest().to_string());
        let mut digests: Vec<String> = digests.collect();
        digests.sort_unstable();
        match self.0.values().next() {
            Some(only) if digests.len() == 1 => only.digest(),
            _ => Sha256::of(Value::from(digests).to_string().as_bytes()),
        }
    }
}

impl FromIterator<(String, Profile)> for Profiles {
    fn from_iter<T: IntoIterator<Item = (String, Profile)>>(profiles: T) -> Self {
        Self(profiles.into_iter().collect())
    }
}

/// Units that apply, by unit type. A type of which none does is not there.
pub type Applicability = BTreeMap<&'static str, Vec<UnitId>>;

/// A reader of profiles of some content types.
#[async_trait]
pub trait Profiler: Send + Sync {
    /// The content types of the profiles that it reads, such as `rpm`. No two profilers read the same.
    fn content_types(&self) -> &'static [&'static str];

    /// The unit types of which units can apply. A repository without any of them is not read.
    fn unit_types(&self) -> &'static [&'static str];

    /// Reads a profile as a host sent it. The answer is what is kept, and shown: hosts that have the same get the same, in whatever
    /// order they said it, because profiles are known by their digests.
    ///
    /// # Errors
    /// What is wrong with it. The host is told (400).
    fn read(&self, content_type: &str, sent: Value) -> Result<Value, Problems>;

    /// Reads of a repository what must be known of it to tell what applies, in a form that is as small as can be: it is held in
    /// memory while all profiles are looked at.
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn index(&self, ctx: &dyn RepositoryContext) -> Result<Box<dyn Applies>, ContentError>;
}

/// A repository, as far as it must be known to tell what applies.
pub trait Applies: Send + Sync {
    /// Returns the units that apply to hosts with these profiles, in the order of their ids. On a blocking thread, for many hosts at
    /// once.
    fn to(&self, profiles: &Profiles) -> Applicability;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn profile(value: &Value) -> Profile {
        Profile::new(value).unwrap()
    }

    #[test]
    fn a_digest_is_that_of_the_recordings() {
        let bear = json!({
            "vendor": "x", "name": "bear", "epoch": 0, "version": "4.0", "release": "1", "arch": "noarch",
        });
        for (value, digest) in [
            (
                json!([bear]),
                "171dc93216c32aaf89885755cf5f3625f73a879ba91568e466b46e00d519374c",
            ),
            (
                json!([]),
                "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
            ),
        ] {
            assert_eq!(profile(&value).digest().to_string(), digest);
        }
    }

    #[test]
    fn keys_are_in_order_and_what_is_not_ascii_is_escaped() {
        let read: Value =
            serde_json::from_str(r#"{"b": ["ä\n\u007f\"", null], "a": "𝄞"}"#).unwrap();
        let profile = profile(&read);
        let text = r#"{"a":"\ud834\udd1e","b":["\u00e4\n\u007f\"",null]}"#;
        assert_eq!(profile.text(), text);
        assert_eq!(profile.get::<Value>().unwrap(), read);
        assert_eq!(Profile::kept(text.to_owned()), profile);
    }

    #[test]
    fn one_profile_is_known_by_its_digest_and_several_by_one_over_all() {
        let (one, other) = (profile(&json!([1])), profile(&json!([2])));
        let of = |all: &[(&str, &Profile)]| {
            let all = all
                .iter()
                .map(|(name, it)| ((*name).to_owned(), (*it).clone()));
            all.collect::<Profiles>().digest()
        };
        assert_eq!(of(&[("rpm", &one)]), one.digest());
        assert_eq!(
            of(&[("a", &one), ("b", &other)]),
            of(&[("a", &other), ("b", &one)])
        );
        assert_ne!(of(&[("a", &one), ("b", &other)]), one.digest());
        assert_ne!(of(&[]), of(&[("a", &one)]));
    }
}
