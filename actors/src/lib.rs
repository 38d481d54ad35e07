//! Who runs what: supervision, backpressure, connectors, and the pipeline from source to Silver.
//!
//! ```text
//! RootActor                 watches the catalog, starts and stops tenants
//! └─ TenantActor            one tenant: a wall for panics, stalls and poison
//!    ├─ ConnectorActor      one connector: its open runs, their shards, their end
//!    │  └─ ShardActor       one shard: fetch, check, commit to Bronze, hand over
//!    └─ MergeActor          one bucket of a Silver table: consume the queue in order, commit
//! ```
//!
//! A handler never awaits IO: work runs beside its actor ([`offload`]) and comes back as a message.
//! What is not acknowledged owns byte [`credit`]. Failed children are restarted by [`restart`].

pub mod connector;
pub mod connectors;
pub mod credit;
pub mod error;
pub mod exchange;
pub mod folder;
pub mod freshness;
pub mod housekeeping;
pub mod marts;
pub mod merge;
pub mod metrics;
pub mod offload;
pub mod orphans;
pub mod pack_cache;
pub mod pack_tables;
pub mod pipeline;
pub mod rebuild;
pub mod recover;
pub mod repack;
pub mod replay;
pub mod restart;
pub mod root;
pub mod runs;
pub mod schedule;
pub mod services;
pub mod shard;
pub mod silver_context;
pub mod supervise;
pub mod sweeper;
pub mod tenant;
pub mod verify;
pub mod webhooks;

#[cfg(test)]
mod catalog_world;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod world;
