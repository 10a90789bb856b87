//! On whose behalf something is done, as far as it decides what errors may tell: whoever is no super-user learns nothing of
//! servers that are not in the internet, neither which of their ports are open nor what is there.

use std::future::Future;

tokio::task_local! {
    static IS_DISCREET: bool;
}

/// The mark in a task's arguments.
pub(crate) const DISCREET: &str = "discreet";

/// Does something on behalf of somebody. What it queues is on their behalf too.
pub async fn on_behalf<F: Future>(is_super_user: bool, work: F) -> F::Output {
    IS_DISCREET.scope(!is_super_user, work).await
}

/// As [`on_behalf`], for what does not wait.
pub(crate) fn on_behalf_now<T>(is_super_user: bool, work: impl FnOnce() -> T) -> T {
    IS_DISCREET.sync_scope(!is_super_user, work)
}

/// Tells whether errors are to be discreet. What is done on nobody's behalf is done by the operator.
pub(crate) fn is_discreet() -> bool {
    IS_DISCREET.try_with(|discreet| *discreet).unwrap_or(false)
}
