//! The object store: a local directory (every put is fsynced) or an S3 bucket, behind one handle.
//!
//! - [`config`]: where the store is and how patient to be; [`local`], [`s3`]: the two kinds.
//! - [`probe`]: does the store refuse a second writer of one key; [`marker`]: whose store it is.
//! - [`metered`]: calls, bytes and latency by operation; [`fault`]: failures on demand, for tests.

pub mod config;
pub mod fault;
pub mod local;
pub mod marker;
pub mod metered;
pub mod probe;
pub mod s3;
mod store;

#[cfg(test)]
mod tests;

pub use config::{StoreConfig, StoreUrl};
pub use fault::FaultStore;
pub use marker::ClusterMarker;
pub use object_store::ObjectMeta;
pub use store::Store;
