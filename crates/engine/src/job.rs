//! A job: the arguments of a task beside all that the queue and the workers ask about it (pulp2/tasks#kinds).

use async_trait::async_trait;
use pith_core::Document;
use pith_core::task::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::attempt::{Done, Run};
use crate::error::Error;

/// The key of the arguments in the queue that names the kind.
const KIND: &str = "job";

/// A kind of task, with the arguments of one: the fields of whoever implements it. The queue keeps them as JSON, so a change of their
/// shape needs defaults for what older versions queued.
#[async_trait]
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The parts of the platform that the run needs beside the engine; given where the kind is registered.
    type Needs: Clone + Send + Sync + 'static;

    /// The name of the kind in the queue, which stays.
    const KIND: &'static str;

    /// `task_type` on the wire.
    const TASK_TYPE: &'static str;

    /// Is true when the job asks servers of others, which decide how long it takes. All its tasks then have [`Self::TASK_TYPE`].
    const ON_FEEDS: bool = false;

    /// Is true when the job takes something in, for which there must be room on the disk.
    const ADDS: bool = false;

    /// `task_type` on the wire, for kinds that have several.
    fn task_type(&self) -> &'static str {
        Self::TASK_TYPE
    }

    /// The tags, in the order of the wire.
    fn tags(&self) -> Vec<String>;

    /// Returns what the job must hold while it runs.
    fn resources(&self) -> Vec<Resource>;

    /// Runs the job to its end.
    ///
    /// # Errors
    /// Those that the task ends with.
    async fn run(self, run: Run, needs: Self::Needs) -> Result<Done, Error>;
}

/// The arguments of a job as the queue keeps them.
///
/// # Errors
/// When they cannot be written, which takes a fault of pith.
pub fn stored<J: Job>(job: &J) -> Result<Document, Error> {
    match serde_json::to_value(job).map_err(Error::fault)? {
        Value::Object(args) => Ok(of_kind(J::KIND, args)),
        _ => Err(Error::fault("arguments of a job are no object")),
    }
}

/// Arguments with the name of their kind.
pub(crate) fn of_kind(kind: impl Into<Value>, mut args: Document) -> Document {
    args.insert(KIND.to_owned(), kind.into());
    args
}

/// The name of the kind that stored arguments are of; `None` when they have none.
pub(crate) fn kind_of(args: &Value) -> Option<&str> {
    args.get(KIND)?.as_str()
}
