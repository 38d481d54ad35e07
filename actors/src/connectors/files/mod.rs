//! The connector `files`: NDJSON, JSON, CSV and Parquet, plain, gzip or zstd, from a local directory
//! or an S3 prefix.
//!
//! **What is a record.** NDJSON: a line. JSON: each element of a top-level array, or each top-level
//! value. CSV: a line (newlines within quotes belong to it). Parquet: a row, as canonical JSON.
//! Blank lines are no records. Bytes are passed on as they are, valid or not.
//!
//! **The last line without a newline** is withheld while the file may still be written (until it
//! has not changed for `settle_ms`), then delivered, and the position remembers that it was open.
//! If only its newline follows, nothing is delivered again; if more of the line follows, the whole
//! line is delivered once more, with the notice `line_completed`.
//!
//! **Append, replace, truncate.** The position holds per file what was consumed and fingerprints of
//! its first 4 KiB and of the last 4 KiB before that point. A longer file whose fingerprints match is
//! read on; other content is read again from the start with the notice `file_replaced`; a shorter
//! file likewise with `file_truncated`. A file rewritten in place beyond its fingerprints, growing,
//! within one inode is taken for an append. Same size but another modification time: read again.
//!
//! **The position is bounded** (about 24 KiB): see [`position`].

mod batch;
pub mod config;
mod connector;
mod csv;
mod engine;
mod framer;
mod glob;
mod listing;
mod open;
pub mod position;
mod reader;
mod rows;
mod scanner;
mod source;

#[cfg(test)]
mod tests;

pub use config::FilesConfig;
pub use connector::FilesKind;
