//! The admin API: thin. Each call finds out who asks, checks that they may, converts, proposes or
//! reads, and converts back.

mod access;
mod alerts;
mod connector_plan;
mod connectors;
mod convert;
mod dead_letters;
mod explain;
mod explain_gold;
mod explain_lookup;
mod lineage;
mod marts;
mod node;
mod open_letters;
mod packs;
mod pages;
mod quality;
mod rebuild;
mod runs;
mod schedules;
mod service;
mod sql;
mod tables;
mod tenants;
mod users;
mod verify;
mod webhooks;

pub use service::{AdminService, NodeFacts};
