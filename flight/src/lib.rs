//! The data plane: Arrow Flight SQL over the tenant sessions of `lakewright_storage::query`.
//! Tickets and statement handles are signed values, so any node serves what another planned.

mod answer;
mod auth;
mod info;
mod metadata;
mod outer;
mod running;
mod server;
mod service;
mod statement;
mod ticket;

pub use auth::{Authenticate, Session};
pub use outer::FlightGate;
pub use running::FlightLimits;
pub use server::{serve, service, FlightParts};
pub use ticket::{Key, KeyRing};

#[cfg(test)]
mod tests;
