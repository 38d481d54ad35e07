//! The catalog: desired state and truth. Commands go through the log; `apply` alone changes the
//! state; reads are by typed key space from a consistent view.

pub mod codec;
pub mod command;
pub mod keyspace;
pub mod records;

mod apply;
mod export;
mod lineage;
mod propose;
mod reads;
mod snapshot;
mod store;
mod tx;

pub use apply::{decode_answer, encode_command};
pub use lineage::{LineageEdge, LineageNode};
pub use propose::{Catalog, LocalProposer, Outcome, ProposeError, Proposer};
pub use reads::{SilverFile, TableSnapshot};
pub use snapshot::Bookkeeping;
pub use store::{CatalogStore, Read, View, APPLIED_KEY, MEMBERSHIP_KEY};
pub use tx::ApplyError;

#[cfg(test)]
mod tests;
