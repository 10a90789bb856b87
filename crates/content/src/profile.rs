//! Profiles: what hosts say that they have, and what of a repository applies to them.
//!
//! A host sends a profile of each content type that it has, such as all packages that are installed. Many hosts have the same one, so
//! what applies is worked out once for each set of profiles and repository. A repository is read once for all sets
//! ([`Profiler::index`]); from then on a set costs what is in it, and not what is in the repository.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pith_core::UnitId;
use serde_json::Value;

use crate::repository::RepositoryContext;
use crate::{ContentError, Problem};

/// The profiles of a host, by content type, in the form that [`Profiler::read`] gave them.
pub type Profiles = BTreeMap<String, Value>;

/// Units that apply, by unit type.
pub type Applicability = BTreeMap<&'static str, Vec<UnitId>>;

/// A reader of profiles of some content types.
#[async_trait]
pub trait Profiler: Send + Sync {
    /// The content types of the profiles that it reads, such as `rpm`. No two profilers read the same.
    fn content_types(&self) -> &'static [&'static str];

    /// The unit types of which units can apply.
    fn unit_types(&self) -> &'static [&'static str];

    /// Reads a profile as a host sent it. The answer is what is kept, and shown: hosts that have the same get the same, in whatever
    /// order they said it, because profiles are known by their digests.
    ///
    /// # Errors
    /// What is wrong with it. The host is told (400).
    fn read(&self, content_type: &str, sent: Value) -> Result<Value, Problem>;

    /// Reads of a repository what must be known of it to tell what applies, in a form that is as small as can be: it is held in
    /// memory while all profiles are looked at.
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn index(&self, ctx: &dyn RepositoryContext) -> Result<Box<dyn Applies>, ContentError>;
}

/// A repository, as far as it must be known to tell what applies.
pub trait Applies: Send + Sync {
    /// Returns the units that apply to hosts with these profiles. On a blocking thread, for many hosts at once.
    fn to(&self, profiles: &Profiles) -> Applicability;
}
