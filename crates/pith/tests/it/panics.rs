//! Parts of the server that panic: they begin anew, and the work goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pith_core::task::TaskState;
use pith_core::{Clock, SystemClock, Timestamp};
use serde_json::json;

use crate::harness::{Harness, On, put_files};

crate::on_both!(workers_that_panicked_begin_anew_and_take_what_was_queued);

/// The time of the machine; as often as it is told, whoever asks for it panics, the test itself aside.
#[derive(Debug, Default)]
struct Treacherous {
    left: AtomicUsize,
}

impl Clock for Treacherous {
    fn now(&self) -> Timestamp {
        let order = Ordering::SeqCst;
        let step = |left: usize| left.checked_sub(1);
        let in_a_task = tokio::task::try_id().is_some();
        assert!(
            !in_a_task || self.left.fetch_update(order, order, step).is_err(),
            "the clock was told to panic"
        );
        SystemClock.now()
    }
}

async fn workers_that_panicked_begin_anew_and_take_what_was_queued(on: On) {
    let clock = Arc::new(Treacherous::default());
    let Some(h) = Harness::start_at(on, Arc::clone(&clock) as Arc<dyn Clock>).await else {
        return;
    };
    put_files(&h.upstream, "/f/", &[("one", b"1")]);
    h.repository("files", "iso", "/f/", json!({})).await;
    assert_eq!(h.sync("files").await.state, TaskState::Finished);
    // More than there are workers: each of them panics when it looks for a task. One that looks just then panics in the
    // task itself, which ends it.
    clock.left.store(3, Ordering::SeqCst);
    while clock.left.load(Ordering::SeqCst) > 0 {
        h.sync("files").await;
    }
    let task = h.sync("files").await;
    assert_eq!(task.state, TaskState::Finished, "{task:?}");
    assert_eq!(h.units("files", "iso", "name").await, ["one"]);
}
