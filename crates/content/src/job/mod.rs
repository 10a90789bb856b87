//! Jobs of a family: work that takes longer than a request, done by a task of the platform's queue.
//!
//! A [`Job`] is a file: its arguments beside its name, its tags, the repositories that it works on, and its run. Endpoints of the family
//! queue it ([`crate::routes::RouteContext::queue`]); the task is listed, cancelled, run again and reported as every other.

mod context;

use std::marker::PhantomData;

use async_trait::async_trait;
use pith_core::Document;
use pith_core::task::tag;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use context::{JobContext, JobRepository};

use crate::{ContentError, Problem, Problems};

/// A kind of task, with the arguments of one: the fields of whoever implements it. The queue keeps them as JSON, with the values of
/// those sealed whose names say that they are secrets. A change of their shape needs defaults for what older versions queued.
#[async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind within the family, which stays: the queue has it, and progress is reported under it.
    const NAME: &'static str;

    /// `task_type` on the wire.
    const TASK_TYPE: &'static str;

    /// The action that its tasks are tagged with.
    const ACTION: &'static str;

    /// Is true when the job takes something in, for which there must be room on the disk.
    const ADDS: bool = true;

    /// Looks for what is wrong with the arguments beyond their form.
    ///
    /// # Errors
    /// All of it. Whoever queues the job is told.
    fn check(&self) -> Result<(), Problems> {
        Ok(())
    }

    /// The repositories of the family that the job works on, one at least: it has them to itself, and whoever queues it must have the
    /// right to add and remove units in each.
    fn repositories(&self) -> Vec<&str>;

    /// Tags beside those of the repositories and the action.
    fn tags(&self) -> Vec<String> {
        Vec::new()
    }

    /// Runs the job; answers the result of its task. What it stages and removes shows when this returns `Ok`, in all repositories at
    /// once. It may be run again from the beginning, when its process dies.
    ///
    /// # Errors
    /// See [`ContentError`]. The repositories stay as they were.
    async fn run(self, ctx: &dyn JobContext) -> Result<Value, ContentError>;
}

/// A kind as [`crate::ContentType::jobs`] declares it.
pub trait JobKind: Send + Sync {
    /// The name within the family ([`Job::NAME`]).
    fn name(&self) -> &'static str;

    /// `task_type` on the wire ([`Job::TASK_TYPE`]).
    fn task_type(&self) -> &'static str;

    /// Tells whether there must be room on the disk ([`Job::ADDS`]).
    fn adds(&self) -> bool;

    /// Reads the arguments of one, and checks them.
    ///
    /// # Errors
    /// All that is wrong with them.
    fn read(&self, args: Value) -> Result<Box<dyn AnyJob>, Problems>;
}

/// A job of whatever kind.
#[async_trait]
pub trait AnyJob: Send + Sync {
    /// The arguments as the queue keeps them.
    ///
    /// # Errors
    /// When they cannot be written.
    fn stored(&self) -> Result<Document, ContentError>;

    /// The repositories that it works on, each once ([`Job::repositories`]).
    fn repositories(&self) -> Vec<String>;

    /// All tags, in the order of the wire.
    fn tags(&self) -> Vec<String>;

    /// Runs the job ([`Job::run`]).
    ///
    /// # Errors
    /// See [`ContentError`].
    async fn run(self: Box<Self>, ctx: &dyn JobContext) -> Result<Value, ContentError>;
}

/// The kind `J`.
#[must_use]
pub const fn kind<J: Job>() -> &'static dyn JobKind {
    &Typed::<J>(PhantomData)
}

struct Typed<J>(PhantomData<fn() -> J>);

impl<J: Job> JobKind for Typed<J> {
    fn name(&self) -> &'static str {
        J::NAME
    }

    fn task_type(&self) -> &'static str {
        J::TASK_TYPE
    }

    fn adds(&self) -> bool {
        J::ADDS
    }

    fn read(&self, args: Value) -> Result<Box<dyn AnyJob>, Problems> {
        let job: J = serde_json::from_value(args).map_err(|error| {
            Problem::new("args", format!("the arguments of '{}': {error}", J::NAME))
        })?;
        job.check()?;
        Ok(Box::new(job))
    }
}

#[async_trait]
impl<J: Job> AnyJob for J {
    fn stored(&self) -> Result<Document, ContentError> {
        match serde_json::to_value(self).map_err(ContentError::other)? {
            Value::Object(args) => Ok(args),
            _ => Err(ContentError::other("the arguments of a job are no object")),
        }
    }

    fn repositories(&self) -> Vec<String> {
        let mut once: Vec<String> = Vec::new();
        for id in Job::repositories(self) {
            if !once.iter().any(|known| known == id) {
                once.push(id.to_owned());
            }
        }
        once
    }

    fn tags(&self) -> Vec<String> {
        let repositories = AnyJob::repositories(self);
        let mut tags: Vec<String> = repositories.iter().map(|id| tag::repository(id)).collect();
        tags.extend(Job::tags(self));
        tags.push(tag::action(J::ACTION));
        tags
    }

    async fn run(self: Box<Self>, ctx: &dyn JobContext) -> Result<Value, ContentError> {
        Job::run(*self, ctx).await
    }
}
