//! The way in which the C library hands out memory.

/// Arenas of glibc's allocator. Each keeps what it freed to itself, so a sync, which allocates on one thread what another
/// frees, would grow by one peak an arena.
const ARENAS: libc::c_int = 4;

/// Bounds the number of arenas. Must run before threads are started.
pub(crate) fn bound_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "the only way to set it from within the process")]
        // SAFETY: `mallopt` takes two integers and touches nothing of ours; no other thread runs yet.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        }
    }
}
