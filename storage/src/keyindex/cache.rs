//! Blocks and filters of runs in memory, within a budget of bytes, shared by all merges of a node.

use std::collections::HashMap;
use std::sync::Arc;

use lakewright_proto::FileId;
use parking_lot::Mutex;

/// Which part of a run: a block by number, or its footer.
type Part = (FileId, u32);

/// The footer's number.
pub(super) const FOOTER: u32 = u32::MAX;

struct Held {
    bytes: Arc<Vec<u8>>,
    used: u64,
}

#[derive(Default)]
struct Inner {
    parts: HashMap<Part, Held>,
    bytes: usize,
    clock: u64,
}

/// The cache.
pub struct BlockCache {
    budget: usize,
    inner: Mutex<Inner>,
}

impl BlockCache {
    /// Holds at most this many bytes.
    pub fn new(budget: usize) -> Self {
        Self { budget, inner: Mutex::default() }
    }

    pub(super) fn get(&self, run: FileId, part: u32) -> Option<Arc<Vec<u8>>> {
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let clock = inner.clock;
        let held = inner.parts.get_mut(&(run, part))?;
        held.used = clock;
        Some(Arc::clone(&held.bytes))
    }

    pub(super) fn put(&self, run: FileId, part: u32, bytes: Arc<Vec<u8>>) {
        if bytes.len() > self.budget / 2 {
            return;
        }
        let mut inner = self.inner.lock();
        inner.clock += 1;
        let used = inner.clock;
        inner.bytes += bytes.len();
        if let Some(old) = inner.parts.insert((run, part), Held { bytes, used }) {
            inner.bytes -= old.bytes.len();
        }
        if inner.bytes > self.budget {
            // The older half goes at once, so that making room is rare.
            let mut ages: Vec<u64> = inner.parts.values().map(|h| h.used).collect();
            let half = ages.len() / 2;
            let (_, median, _) = ages.select_nth_unstable(half);
            let median = *median;
            let mut bytes = 0;
            inner.parts.retain(|_, h| {
                let stays = h.used >= median;
                bytes += if stays { h.bytes.len() } else { 0 };
                stays
            });
            inner.bytes = bytes;
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }
}
