//! Merges against a naive oracle.
