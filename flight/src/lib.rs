//! The data plane: Arrow Flight SQL over the tenant sessions of `lakewright_storage::query`.
//! Tickets and statement handles are signed values, so any node serves what another planned.

mod actions;
mod answer;
mod auth;
mod connection;
mod info;
mod keys;
mod metadata;
mod options;
mod outer;
mod parked;
mod plans;
mod running;
mod server;
mod service;
mod sessions;
mod statement;
mod ticket;

pub use auth::{Authenticate, Session};
pub use outer::FlightGate;
pub use running::FlightLimits;
pub use server::{serve, service, FlightParts};
pub use ticket::{Key, KeyRing};

#[cfg(test)]
mod tests;
