//! The notes that hosts have: those of a repository that have become others apply to them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures::TryStreamExt;
use pith_content::profile::{Applicability, Applies, Profiles};
use pith_content::repository::RepositoryContext;
use pith_content::{ContentError, Problem, Problems, Profiler};
use pith_core::UnitId;
use serde_json::Value;

use super::NOTE;

/// The most notes of a host.
const MOST: usize = 10_000;

pub(super) struct NotesProfiler;

#[async_trait]
impl Profiler for NotesProfiler {
    fn content_types(&self) -> &'static [&'static str] {
        &["note"]
    }

    fn unit_types(&self) -> &'static [&'static str] {
        &["note"]
    }

    /// A profile is an object of names and the SHA-256 of each.
    fn read(&self, _content_type: &str, sent: Value) -> Result<Value, Problems> {
        let problem = |why: &str| Problems::from(Problem::new("profile", why));
        let Value::Object(notes) = sent else {
            return Err(problem("a profile is an object of names and digests"));
        };
        if notes.len() > MOST {
            return Err(problem("nobody has so many notes"));
        }
        match notes.values().all(Value::is_string) {
            true => Ok(Value::Object(notes)),
            false => Err(problem("a digest is a text")),
        }
    }

    async fn index(&self, ctx: &dyn RepositoryContext) -> Result<Box<dyn Applies>, ContentError> {
        let mut notes = HashMap::new();
        let mut outlines = ctx.outlines(NOTE.id, &["name", "sha256"]).await?;
        while let Some(batch) = outlines.try_next().await? {
            for note in batch {
                let (name, digest) = (note.doc.text("name"), note.doc.text("sha256"));
                notes.insert(name.into_owned(), (note.id, digest.into_owned()));
            }
        }
        Ok(Box::new(Index(notes)))
    }
}

/// The notes of a repository, by name, each with its digest.
struct Index(HashMap<String, (UnitId, String)>);

impl Applies for Index {
    fn to(&self, profiles: &Profiles) -> Applicability {
        let had = profiles.get("note").and_then(|kept| kept.get().ok());
        let had: HashMap<&str, &str> = had.unwrap_or_default();
        let changed = had.into_iter().filter_map(|(name, digest)| {
            let (id, newer) = self.0.get(name)?;
            (digest != newer).then_some(*id)
        });
        let mut changed: Vec<UnitId> = changed.collect();
        changed.sort_unstable();
        match changed.is_empty() {
            true => BTreeMap::new(),
            false => BTreeMap::from([("note", changed)]),
        }
    }
}
