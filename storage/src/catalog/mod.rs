//! The catalog: desired state and truth. Commands go through the log; `apply` alone changes the
//! state; reads are by typed key space from a consistent view.

pub mod codec;
pub mod command;
pub mod keyspace;
pub mod records;

mod apply;
mod describe;
mod export;
mod lineage;
mod lookups;
pub mod manifests;
mod open;
mod propose;
mod reads;
mod repack;
mod snapshot;
mod store;
mod sweep;
mod tx;
mod view;

pub use apply::{decode_answer, encode_command};
pub use lineage::{LineageEdge, LineageNode};
pub use lookups::LookupSource;
pub use manifests::{fold_due, FoldPlan, ManifestCache};
pub use propose::{Catalog, LocalProposer, Outcome, ProposeError, Proposer};
pub use reads::{BronzeLookup, SilverFile, TableSnapshot};
pub use repack::{repack_due, RepackPlan};
pub use store::{CatalogStore, Exported, APPLIED_KEY, CACHE_BYTES, MEMBERSHIP_KEY};
pub use sweep::{is_orphan, NamedFiles, ORPHAN_AGE_US};
pub use tx::ApplyError;
pub use view::{Read, View};

#[cfg(test)]
mod tests;
