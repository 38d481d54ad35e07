//! One connector of a tenant: for each open run it starts the run's shards, restarts them by
//! policy, and finishes the run when all are read. Supervised by its tenant; supervises shards.

mod actor;
mod message;
mod state;

pub(crate) use actor::give_up;
pub use actor::{ConnectorActor, ConnectorArgs};
pub use message::ConnectorMsg;

#[cfg(test)]
mod tests;
