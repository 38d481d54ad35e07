//! The key index of a bucket: from a key to its row, version and content hash. Immutable sorted
//! runs in the object store, newest first; each has a Bloom filter, so that a new key costs no read.

mod cache;
mod entry;
mod id;
mod lookup;
mod merge;
mod reader;
mod writer;

pub use cache::BlockCache;
pub use entry::{Entry, Key, State, ENTRY_BYTES};
pub use id::{record_id, ID_NAMESPACE};
pub use lookup::KeyIndex;
pub use merge::{merge_plan, merge_runs, scan_all, Merged};
pub use reader::RunReader;
pub use writer::RunWriter;

#[cfg(test)]
mod tests;
