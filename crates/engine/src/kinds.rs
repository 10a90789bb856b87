//! The kinds of jobs that the workers know, by the names that the queue has for them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use pith_core::error::{ErrorDetail, PulpError};
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::{Job, kind_of};

/// The code of a task that this version of pith cannot run.
const UNKNOWN: &str = "PTH0001";

/// All kinds of jobs. The engine claims tasks, keeps their signs of life and writes their ends; the work is theirs.
pub struct Kinds {
    by_name: BTreeMap<String, RegisteredKind>,
    /// Says what clients are told of the error that a task ends with.
    pub(crate) told: fn(&Error) -> PulpError,
}

/// A kind as the workers see it.
#[derive(Clone)]
pub(crate) struct RegisteredKind {
    /// `task_type` of its tasks.
    pub(crate) task_type: &'static str,
    /// Is true when its jobs ask servers of others.
    pub(crate) on_feeds: bool,
    /// Is true when its jobs need room on the disk.
    pub(crate) adds: bool,
    /// The work.
    pub(crate) work: Arc<dyn Work>,
}

/// The work of a kind, whatever its arguments are.
#[async_trait]
pub(crate) trait Work: Send + Sync {
    /// Reads the arguments and runs the job to its end.
    ///
    /// # Errors
    /// Those that the task ends with.
    async fn run(&self, run: Run, args: Value) -> Result<Done, Error>;
}

/// A kind that is there already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two jobs are called '{0}'")]
pub struct TakenKind(pub String);

impl Kinds {
    /// No kinds yet. `told` says what clients are told of the error that a task ends with.
    #[must_use]
    pub fn new(told: fn(&Error) -> PulpError) -> Self {
        Self {
            by_name: BTreeMap::new(),
            told,
        }
    }

    /// With the kind `J`, and what its runs need.
    ///
    /// # Errors
    /// When its name is taken.
    pub fn with<J: Job>(self, needs: J::Needs) -> Result<Self, TakenKind> {
        let kind = RegisteredKind {
            task_type: J::TASK_TYPE,
            on_feeds: J::ON_FEEDS,
            adds: J::ADDS,
            work: Arc::new(Typed::<J> {
                needs,
                kind: PhantomData,
            }),
        };
        self.with_kind(J::KIND.to_owned(), kind)
    }

    pub(crate) fn with_kind(
        mut self,
        name: String,
        kind: RegisteredKind,
    ) -> Result<Self, TakenKind> {
        if self.by_name.contains_key(&name) {
            return Err(TakenKind(name));
        }
        self.by_name.insert(name, kind);
        Ok(self)
    }

    /// The kind of a task, by its arguments.
    pub(crate) fn of(&self, args: &Value) -> Result<RegisteredKind, Error> {
        let name = kind_of(args).unwrap_or_default();
        let kind = self.by_name.get(name).cloned();
        kind.ok_or_else(|| unreadable(name, "there is no such job"))
    }

    /// The task types of jobs that ask servers of others.
    pub(crate) fn on_feeds(&self) -> Vec<&'static str> {
        let kinds = self.by_name.values();
        let on_feeds = kinds.filter(|kind| kind.on_feeds);
        on_feeds.map(|kind| kind.task_type).collect()
    }
}

/// The error of a task whose arguments cannot be read. The reason is left out that a parser gives: it shows values, and some may be
/// secrets.
pub(crate) fn misshapen(name: &str) -> Error {
    unreadable(name, "its arguments are of another form")
}

/// The error of a task that cannot be run: another version of pith has queued it.
fn unreadable(name: &str, why: &str) -> Error {
    let text = format!(
        "the job '{name}' was queued by another version of pith, and this one cannot run it: {why}"
    );
    let detail = ErrorDetail::new(UNKNOWN, text);
    PulpError::coded(detail.with("job", name).with("reason", why)).into()
}

/// The kind `J`.
struct Typed<J: Job> {
    needs: J::Needs,
    kind: PhantomData<fn() -> J>,
}

#[async_trait]
impl<J: Job> Work for Typed<J> {
    async fn run(&self, run: Run, args: Value) -> Result<Done, Error> {
        let job: J = serde_json::from_value(args).map_err(|_| misshapen(J::KIND))?;
        job.run(run, self.needs.clone()).await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jobs::{ReapExpiredDocuments, SyncRepository};

    fn kinds() -> Kinds {
        let kinds = Kinds::new(|error| PulpError::execution(error.to_string()));
        let kinds = kinds.with::<SyncRepository>(|_, _| Value::Null);
        kinds
            .and_then(|kinds| kinds.with::<ReapExpiredDocuments>(()))
            .unwrap_or_else(|taken| panic!("{taken}"))
    }

    #[test]
    fn a_kind_is_found_by_the_name_in_the_queue() {
        let kinds = kinds();
        let of = |args: Value| kinds.of(&args).map(|kind| kind.task_type);
        assert_eq!(
            of(json!({"job": "sync"})).ok(),
            Some(SyncRepository::TASK_TYPE)
        );
        for args in [
            json!({"job": "mirror"}),
            json!({"job": null}),
            json!({}),
            Value::Null,
        ] {
            let error = kinds.of(&args).err().unwrap();
            assert!(
                matches!(&error, Error::Refused(refused) if refused.code() == UNKNOWN),
                "{error}"
            );
        }
        assert_eq!(kinds.on_feeds(), [SyncRepository::TASK_TYPE]);
    }

    #[test]
    fn no_two_kinds_have_one_name() {
        let taken = kinds().with::<ReapExpiredDocuments>(()).err();
        assert_eq!(taken, Some(TakenKind("reap_expired_documents".to_owned())));
    }
}
