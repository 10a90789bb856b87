//! Loops that must not end by a panic: claiming tasks, signs of life, the scheduler, upkeep.
//!
//! A panic in one of them is a defect of pith. It is logged as an error and the loop begins anew, instead of ending the
//! process: the loops keep nothing that a panic could leave half done (all of it is in the database, in transactions), and
//! the panic of one must not take away what the others and published content do well.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

/// A loop that panicked begins anew after this time, so that one that always panics does nothing else.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs `work` until it ends by itself. A panic in it is logged, and it begins anew.
pub(crate) async fn supervised<F>(part: &str, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    while let Err(panic) = AssertUnwindSafe(work()).catch_unwind().await {
        tracing::error!(
            part,
            panic = said(panic.as_ref()),
            "a part of the server panicked and begins anew: please report it"
        );
        tokio::time::sleep(PAUSE).await;
    }
}

/// The text of a panic.
pub(crate) fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it says nothing")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_panics_begins_anew_until_it_ends_by_itself() {
        let begun = AtomicUsize::new(0);
        let work = || async {
            match begun.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("a text"),
                1 => std::panic::panic_any(7),
                _ => {}
            }
        };
        supervised("test", work).await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
        let panic = std::panic::catch_unwind(|| panic!("number {}", 5)).unwrap_err();
        assert_eq!(said(panic.as_ref()), "number 5");
    }
}
