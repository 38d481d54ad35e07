//! The only file that spells object keys. To be written.
