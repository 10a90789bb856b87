//! A guess at why the last process on this machine died: Linux counts the processes that it killed because memory ran out. Of containers the count is the host's, so others' deaths count too, which makes tasks wait for a little and no harm.

use serde_json::json;

use crate::Engine;

/// The file in which Linux has its counters.
const COUNTERS: &str = "/proc/vmstat";

/// Tells whether processes were killed for want of memory since the last start on this machine. On another system, and at the
/// first start, none were.
pub(crate) async fn has_run_out(engine: &Engine) -> bool {
    let counters = tokio::fs::read_to_string(COUNTERS).await;
    let Some(killed) = counters.ok().as_deref().and_then(killed) else {
        return false;
    };
    let key = format!("killed for memory on {}", engine.host);
    let before = engine.store.setting_replace(&key, &json!(killed)).await;
    match before {
        Ok(before) => before
            .and_then(|before| before.as_u64())
            .is_some_and(|before| before < killed),
        Err(error) => {
            tracing::warn!(%error, "cannot tell whether memory ran out");
            false
        }
    }
}

/// The number of processes that were killed.
fn killed(counters: &str) -> Option<u64> {
    let mut lines = counters.lines();
    lines.find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_count_of_killed_processes_is_found() {
        let counters = "pgfault 1\noom_kill_x 7\noom_kill 3\nnuma_hit 4\n";
        assert_eq!(super::killed(counters), Some(3));
        assert_eq!(super::killed("pgfault 1\n"), None);
    }
}
