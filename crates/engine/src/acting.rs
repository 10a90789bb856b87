//! The caller on whose behalf something is done, as far as it decides what errors may tell and whose turn it is: whoever is no
//! super-user learns nothing of servers that are not in the internet, neither which of their ports are open nor what is there.

use std::future::Future;
use std::sync::Arc;

use pith_core::{Document, Network};
use serde_json::Value;

tokio::task_local! {
    static IS_DISCREET: bool;
    static CALLER: Caller;
}

/// The mark in a task's arguments.
const DISCREET: &str = "discreet";

/// Somebody whose requests share what is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The server itself.
    Nobody,
    /// Callers who log in from a network, and which of few lines their login is in.
    Network(Network, u8),
    /// A user, by login, or a consumer, by id.
    Login(Arc<str>),
}

/// Does something on behalf of somebody. What it queues is on their behalf too.
pub async fn on_behalf<F: Future>(is_super_user: bool, work: F) -> F::Output {
    IS_DISCREET.scope(!is_super_user, work).await
}

/// Does what [`on_behalf`] does, for somebody who takes turns with others.
pub async fn on_behalf_of<F: Future>(caller: Caller, is_super_user: bool, work: F) -> F::Output {
    CALLER.scope(caller, on_behalf(is_super_user, work)).await
}

/// Does what [`on_behalf`] does, for work that does not wait.
pub fn on_behalf_now<T>(is_super_user: bool, work: impl FnOnce() -> T) -> T {
    IS_DISCREET.sync_scope(!is_super_user, work)
}

/// Tells whether errors are to be discreet. What is done on nobody's behalf is done by the operator.
#[must_use]
pub fn is_discreet() -> bool {
    IS_DISCREET.try_with(|discreet| *discreet).unwrap_or(false)
}

/// Arguments of a task that is queued here, with the mark when its errors are to be discreet.
pub(crate) fn marked(mut args: Document) -> Value {
    if is_discreet() {
        args.insert(DISCREET.to_owned(), true.into());
    }
    args.into()
}

/// Tells whether a task's arguments have the mark.
pub(crate) fn is_marked(args: &Value) -> bool {
    args.get(DISCREET) == Some(&Value::Bool(true))
}

/// The caller who takes turns with others here.
#[must_use]
pub fn caller() -> Caller {
    CALLER.try_with(Clone::clone).unwrap_or(Caller::Nobody)
}
