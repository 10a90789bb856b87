//! The way in which the C library hands out memory, and gives it back.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Arenas of glibc's allocator. Each keeps what it freed to itself, so a sync, which allocates on one thread what another
/// frees, would grow by one peak an arena. With fewer, threads wait for each other.
const ARENAS: libc::c_int = 4;

/// The size from which on allocations have pages of their own, which go back when they are freed: those for hashing passwords,
/// bodies of requests. By itself the allocator would soon put them where what is freed stays with the process.
const LARGE: libc::c_int = 4 * 1024 * 1024;
/// Freed memory that an arena keeps at its end.
const KEPT: libc::c_int = 2 * LARGE;

/// The time between two looks at what the process has: a copy that reads large documents one by one leaves one's memory in each
/// arena within a second.
const LOOK: Duration = Duration::from_secs(1);
/// Bytes by which it must have grown since the last look for something to be worth giving back.
const GROWN: usize = 32 * 1024 * 1024;
/// The number of looks after which what was in use at the last one has mostly gone.
const AGAIN: u32 = 10;

/// Gives memory back that nothing uses any more, until `shutdown` fires: after many small things have gone (a flood of requests,
/// the rows of a search) the allocator would keep it for the next ones, which may never come.
pub(crate) async fn give_back(shutdown: CancellationToken) {
    let mut least = resident().unwrap_or(0);
    let mut again = None;
    while shutdown
        .run_until_cancelled(tokio::time::sleep(LOOK))
        .await
        .is_some()
    {
        let Some(now) = resident() else { return };
        let grown = now >= least.saturating_add(GROWN);
        if !grown && again != Some(0) {
            least = least.min(now);
            again = again.map(|looks: u32| looks - 1);
            continue;
        }
        // It looks at every page that is free, which may be many.
        let _ = tokio::task::spawn_blocking(trim).await;
        least = resident().unwrap_or(now);
        again = grown.then_some(AGAIN);
    }
}

/// Bytes of the process that are in memory; `None` where nobody tells.
pub(crate) fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the only way to ask for it")]
        // SAFETY: `malloc_trim` may be called at any time from any thread, and touches only memory that is free.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

/// Bounds what the allocator keeps. Must run before threads are started.
pub(crate) fn bound() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the only way to set it from within the process")]
        // SAFETY: `mallopt` takes two integers and touches nothing of ours; no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        }
    }
}
