//! The allocator: jemalloc with few arenas, which gives freed batches back to the machine. Batches
//! come and go by the megabyte on many threads, and glibc's allocator keeps what they leave.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc's settings, which it reads before `main`; `_RJEM_MALLOC_CONF` in the environment goes before them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "jemalloc looks for its settings under this symbol")]
#[unsafe(export_name = "_rjem_malloc_conf")]
pub static SETTINGS: &[u8; 70] = b"narenas:2,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true\0";
