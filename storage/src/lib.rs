//! Durable truth: objects, files, table state, the catalog, packs, and the queries over them.
//!
//! - [`object`]: the object store (local directory or S3), its cluster marker; [`paths`] spells every key.
//! - [`parquet`]: immutable data files with their footers.
//! - [`table`]: what the catalog knows of a table's files, bucket by bucket.
//! - [`keyindex`], [`deletion_vector`], [`silver`]: finding, replacing and deleting rows by key.
//! - [`pack`]: declarative entities and rules.
//! - [`catalog`]: commands, the one `apply`, reads, lineage.
//! - [`anomaly`]: whether a run is unlike the last ones.
//! - [`invariants`]: what always holds, as predicates.
//! - [`quota`]: who may call a source when.
//! - [`query`]: table providers and sessions over a catalog snapshot.

pub mod anomaly;
pub mod catalog;
pub mod crash;
pub mod deletion_vector;
pub mod error;
pub mod invariants;
pub mod keyindex;
pub mod object;
pub mod pack;
pub mod parquet;
pub mod paths;
pub mod query;
pub mod quota;
pub mod silver;
pub mod table;

pub use error::{Result, StorageError};
