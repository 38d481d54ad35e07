//! Named crash points: in builds with debug assertions, `LAKEWRIGHT_CRASH_AT=name[:n]` makes the
//! process kill itself (SIGKILL, nothing is flushed) the n-th time it passes that point.

/// Every point, in the order a record passes them. Tests kill the node at each.
pub const POINTS: [&str; 14] = [
    "fetch.done",
    "bronze.file.written",
    "bronze.commit.before",
    "bronze.commit.after",
    "raft.append.before_sync",
    "raft.append.after_sync",
    "catalog.apply.before",
    "catalog.apply.after",
    "silver.files.written",
    "silver.commit.before",
    "silver.commit.after",
    "catalog.snapshot.written",
    "gold.files.written",
    "gold.commit.after",
];

/// Dies here if the environment asks for it; does nothing at all in release builds.
#[inline]
pub fn point(name: &'static str) {
    #[cfg(debug_assertions)]
    armed::pass(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::OnceLock;

    struct Armed {
        name: String,
        left: AtomicU64,
    }

    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

    pub(super) fn pass(name: &'static str) {
        let armed = ARMED.get_or_init(|| {
            let spec = std::env::var("LAKEWRIGHT_CRASH_AT").ok()?;
            let (name, n) = spec.split_once(':').unwrap_or((&spec, "1"));
            Some(Armed { name: name.to_owned(), left: AtomicU64::new(n.parse().ok()?) })
        });
        let Some(armed) = armed else { return };
        if armed.name == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            die();
        }
    }

    #[expect(unsafe_code, reason = "raising SIGKILL on ourselves is the point; libc offers it only as unsafe")]
    fn die() {
        // SAFETY: kill with our own pid and a valid signal has no memory effects.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
        }
        std::process::abort();
    }
}
