//! Jobs that content types declare: queued as an endpoint asks, found again by the workers.

use std::sync::Arc;

use async_trait::async_trait;
use pith_content::ContentType;
use pith_content::job::{AnyJob, JobKind};
use pith_core::task::Resource;
use pith_core::{Document, TaskId};
use pith_store::NewTask;
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;
use crate::job::of_kind;
use crate::kinds::{Kinds, RegisteredKind, TakenKind, Work, misshapen};
use crate::run::own;
use crate::{Engine, Registry, acting};

/// The key of the arguments in the queue below which those lie that the type knows.
const ARGS: &str = "args";

/// A job of a family with its arguments, ready to be queued.
pub struct OwnJob {
    /// The name of its kind in the queue.
    name: String,
    kind: &'static dyn JobKind,
    job: Box<dyn AnyJob>,
}

/// The name in the queue of a kind of a family: nobody else's begins with that of the family.
fn name_of(family: &dyn ContentType, kind: &dyn JobKind) -> String {
    format!("{}.{}", family.name(), kind.name())
}

impl OwnJob {
    /// Reads the arguments of the job that the family calls `name`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for arguments that the job does not take; a fault when there is no such job, or when it names no repository.
    pub fn read(family: &dyn ContentType, name: &str, args: Value) -> Result<Self, Error> {
        let unknown = || Error::fault(format!("{} has no job '{name}'", family.name()));
        let mut kinds = family.jobs().iter();
        let kind = *kinds.find(|kind| kind.name() == name).ok_or_else(unknown)?;
        let job = kind.read(args)?;
        if job.repositories().is_empty() {
            return Err(Error::fault(format!(
                "the job '{name}' names no repository"
            )));
        }
        Ok(Self {
            name: name_of(family, kind),
            kind,
            job,
        })
    }

    /// The repositories that it changes.
    #[must_use]
    pub fn repositories(&self) -> Vec<String> {
        self.job.repositories()
    }

    fn task(&self) -> Result<NewTask, Error> {
        let args = Document::from_iter([(ARGS.to_owned(), self.job.stored()?.into())]);
        let repositories = self.repositories();
        Ok(NewTask {
            id: TaskId::new(),
            kind: self.kind.task_type().to_owned(),
            args: acting::marked(of_kind(self.name.as_str(), args)),
            tags: self.job.tags(),
            resources: repositories
                .iter()
                .map(|id| Resource::repository(id))
                .collect(),
            group: None,
        })
    }
}

impl Engine {
    /// Queues a job of a family. Whether its repositories are of the family and whoever asks may change them is asked before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enqueue_own(&self, job: &OwnJob) -> Result<TaskId, Error> {
        self.enqueue_task(&job.task()?, job.kind.adds()).await
    }
}

impl Kinds {
    /// With the kinds that content types declare.
    ///
    /// # Errors
    /// When two of a family have one name.
    pub fn with_types(mut self, registry: &Registry) -> Result<Self, TakenKind> {
        for family in registry.types() {
            for kind in family.jobs() {
                let work = OwnKind {
                    family: Arc::clone(family),
                    kind: *kind,
                };
                let entry = RegisteredKind {
                    task_type: kind.task_type(),
                    on_feeds: false,
                    adds: kind.adds(),
                    work: Arc::new(work),
                };
                self = self.with_kind(name_of(&**family, *kind), entry)?;
            }
        }
        Ok(self)
    }
}

/// A kind that a content type declares.
struct OwnKind {
    family: Arc<dyn ContentType>,
    kind: &'static dyn JobKind,
}

#[async_trait]
impl Work for OwnKind {
    async fn run(&self, run: Run, mut args: Value) -> Result<Done, Error> {
        let args = args.get_mut(ARGS).map(Value::take).unwrap_or_default();
        let job = self.kind.read(args);
        let job = job.map_err(|_| misshapen(&name_of(&*self.family, self.kind)))?;
        own::run(run, &*self.family, self.kind.name(), job).await
    }
}
