//! One bucket of a Silver table: it owns the bucket's epoch, consumes the queue of Bronze commits
//! in order, and moves the watermark with the rows. Supervised by its tenant. The merging runs
//! beside it; with nothing to do for a while it ends, and starts again when the queue fills.

mod actor;
mod compact;
mod lookups;
mod message;
mod run;
mod state;

pub use actor::{MergeActor, MergeArgs};
pub use compact::compact_now;
pub use message::{MergeEnd, MergeMsg};

#[cfg(test)]
mod tests;
