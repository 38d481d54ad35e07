//! The allocator's settings: few arenas, because batches come and go by the megabyte on many
//! threads, and each arena keeps what its threads have freed.

/// Arenas of a node: its memory is that of its budgets, not of its threads.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS: libc::c_int = 2;

/// Takes the settings; once, before any thread is begun.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "mallopt is offered by libc only as unsafe; no other thread runs yet")]
pub fn tune() {
    // SAFETY: it sets a number of the allocator, before threads are begun.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
    }
}

/// Other allocators have no such setting.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn tune() {}
