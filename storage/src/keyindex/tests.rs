//! Runs, lookups, damage.
