//! One tenant: its connectors, and the merges of its Silver tables. Supervised by the root; one
//! tenant's panic, poison record or stall touches no other.

mod actor;
mod message;

pub use actor::{build_source, TenantActor, TenantArgs};
pub use message::{TenantDesired, TenantMsg};

#[cfg(test)]
mod tests;
