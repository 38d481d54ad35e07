//! Immutable Parquet data files: written in a stream with bounded memory, labelled by a footer,
//! read whole or by record address.

pub mod footer;
mod profile;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use footer::{Footer, Owner, Span};
pub use profile::{file_schema, Profile};
pub use reader::FileReader;
pub use writer::{write_file, FileWriter};
