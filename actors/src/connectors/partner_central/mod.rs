//! The connector `partner_central`: AWS Partner Central's selling API. Lists say what changed, Gets
//! bring whole bodies, and both stay within the account's quota, which all its connectors share.
//!
//! - [`config`] checks the configuration, [`credentials`] finds the way in, [`api`] makes one call,
//!   [`caller`] makes it again until it is answered, [`pace`] holds it to the quota.
//! - [`changes`] reads opportunities from where they were left; [`lists`] reads what can only be listed whole.
//! - [`absence`] decides what a whole list says of keys that are not in it; [`position`] is what is kept.

mod absence;
mod api;
mod batch;
mod caller;
mod changes;
mod config;
mod connector;
mod credentials;
mod lists;
mod pace;
mod pages;
mod plan;
mod position;
mod streams;
mod sweep;

pub use connector::PartnerCentralKind;
