//! Entries of profiles, as hosts reported them.

use std::borrow::Cow;
use std::fmt;

use pith_content::profile::{Profile, Profiles};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A package that is installed.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Installed<'a> {
    #[serde(borrow)]
    pub(super) name: Scalar<'a>,
    #[serde(borrow)]
    pub(super) epoch: Scalar<'a>,
    #[serde(borrow)]
    pub(super) version: Scalar<'a>,
    #[serde(borrow)]
    pub(super) release: Scalar<'a>,
    #[serde(borrow)]
    pub(super) arch: Scalar<'a>,
}

impl Installed<'_> {
    /// Epoch, version and release.
    pub(super) fn evr(&self) -> [&str; 3] {
        [&self.epoch, &self.version, &self.release].map(Scalar::as_str)
    }
}

/// A module that is enabled.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Enabled<'a> {
    #[serde(borrow)]
    pub(super) name: Scalar<'a>,
    #[serde(borrow)]
    pub(super) stream: Scalar<'a>,
    #[serde(borrow)]
    pub(super) version: Scalar<'a>,
    #[serde(borrow)]
    pub(super) context: Scalar<'a>,
    #[serde(borrow)]
    pub(super) arch: Scalar<'a>,
}

/// The entries of a profile; none where there is no such profile, or none that can be read.
pub(super) fn entries<'a, T: Deserialize<'a>>(
    profiles: &'a Profiles,
    content_type: &str,
) -> Vec<T> {
    let read = profiles.get(content_type).map(Profile::get);
    read.unwrap_or_else(|| Ok(Vec::new()))
        .unwrap_or_else(|error| {
            tracing::warn!(content_type, %error, "a profile that was kept cannot be read");
            Vec::new()
        })
}

/// A text, or a number as a text; null is an empty one.
#[derive(Debug)]
pub(super) struct Scalar<'a>(Cow<'a, str>);

impl Scalar<'_> {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a whole number")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar(text.to_owned().into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar(match number {
            0 => "0".into(),
            _ => number.to_string().into(),
        }))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar("".into()))
    }
}
