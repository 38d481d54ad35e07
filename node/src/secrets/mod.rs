//! Secrets at rest: the cluster key, and the envelopes that it seals. Only ciphertext enters the log,
//! the catalog, snapshots and backups.

mod cluster_key;
mod seal;
mod ticket_keys;

pub(crate) use cluster_key::write_private;
pub use cluster_key::{load_key_ring, ClusterKey, KeyRing};
pub use seal::{Purpose, SecretBytes};
pub use ticket_keys::TicketKey;

#[cfg(test)]
mod tests;
