//! The way in which the C library hands out memory.

/// Arenas of glibc's allocator. Each keeps what it freed to itself, so a sync, which allocates on one thread what another
/// frees, would grow by one peak an arena.
const ARENAS: libc::c_int = 4;

/// Allocations of this size and above have pages of their own, which go back when they are freed: those for hashing passwords, bodies
/// of requests. By itself the allocator would soon put them where what is freed stays with the process.
const LARGE: libc::c_int = 4 * 1024 * 1024;
/// Freed memory that an arena keeps at its end.
const KEPT: libc::c_int = 2 * LARGE;

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
