//! Merging into Silver: files are only added, replaced rows are marked in deletion vectors, and the
//! key index says where each key's row is. Outcomes are those of applying records one at a time in
//! order, however they are batched.
//!
//! - [`session`]: one merge, from the first batch to the change that is committed; [`slot`] decides.
//! - [`changes`]: the change rows of a merge. [`compact`]: fewer, larger files. [`verify`]: is it all true.
//! - [`lookups`]: columns that stand in other tables; [`refresh`]: rows that a change of those concerns.
//! - [`rebuild`]: a table made again from Bronze; [`compare`] says whether it is the same table, [`swap`] what it changes.

mod changes;
pub mod compact;
pub mod compare;
mod context;
mod digest;
mod known;
mod lookups;
mod read;
pub mod rebuild;
mod refresh;
mod session;
mod slot;
pub mod swap;
pub mod verify;
mod write;

pub use context::SilverContext;
pub use known::live_keys;
pub use lookups::Lookups;
pub use read::{all_rows, live_rows, rows_at};
pub use session::{MergeBatch, MergeSession};

#[cfg(test)]
mod tests;
