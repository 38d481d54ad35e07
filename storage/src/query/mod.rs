//! Queries over one catalog version: table providers, name resolution and the session builder
//! that Flight SQL and marts share. A session sees one tenant's tables and nothing else.

mod access;
mod deletes;
mod engine;
mod failure;
mod guard;
mod keys;
mod names;
mod options;
mod passport;
mod prune;
mod rows;
mod scan;
mod schema;
mod session;
mod size;
mod star;
mod stream;
mod system;
mod system_files;
mod system_rows;

pub use deletes::{CachedDeletes, DeletedRows};
pub use engine::{QueryEngine, SessionAsk};
pub use failure::query_error;
pub use keys::ForeignKey;
pub use options::QueryOptions;
pub use passport::{Passport, Requirements, TablePassport};
pub use schema::{decode_schema, encode_schema};
pub use session::{Planned, QuerySession, TableListing};
pub use stream::QueryStream;

#[cfg(test)]
mod tests;
