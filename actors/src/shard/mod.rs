//! One shard of a connector's stream: it owns the shard's epoch, reads it in order, checks its
//! records, commits them to Bronze with the position, and hands accepted rows to the merges.
//! Supervised by its connector; it supervises nobody. Reading and committing run beside it.

mod actor;
mod commit;
mod gather;
mod message;
mod read;
mod state;

pub use actor::{ShardActor, ShardArgs};
pub use message::{ShardEnd, ShardMsg};

#[cfg(test)]
mod tests;
