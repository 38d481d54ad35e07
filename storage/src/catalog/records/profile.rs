//! What a run's records look like, in a few KiB, and what those of the last runs looked like.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Columns whose nulls are counted.
pub const MAX_COLUMNS: usize = 128;
/// Enum columns whose values are kept.
pub const MAX_ENUMS: usize = 24;
/// Values kept of one enum column: one with more is no enumeration.
pub const MAX_VALUES: usize = 32;
/// Bytes of the values kept of one enum column.
pub const MAX_VALUE_BYTES: usize = 512;

/// The distinct values of an enum column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// They, unless there are too many.
    pub seen: BTreeSet<String>,
    /// There were too many to keep.
    #[serde(default)]
    pub many: bool,
}

impl Distinct {
    /// Adds a value, while there are few.
    pub fn insert(&mut self, value: &str) {
        if self.many || self.seen.contains(value) {
            return;
        }
        self.seen.insert(value.to_owned());
        if self.seen.len() > MAX_VALUES || self.seen.iter().map(String::len).sum::<usize>() > MAX_VALUE_BYTES {
            self.seen.clear();
            self.many = true;
        }
    }
}

/// What one entity's accepted records look like: of a batch, a commit, or a run. Records that delete are left out:
/// they have a key and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityProfile {
    /// Records.
    pub rows: u64,
    /// How many have no value, by column.
    pub nulls: BTreeMap<String, u64>,
    /// Values of enum columns that do not tell of persons.
    pub values: BTreeMap<String, Distinct>,
}

impl EntityProfile {
    /// Adds what further records look like.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        for (column, nulls) in &other.nulls {
            if self.nulls.len() < MAX_COLUMNS || self.nulls.contains_key(column) {
                *self.nulls.entry(column.clone()).or_default() += nulls;
            }
        }
        for (column, values) in &other.values {
            if self.values.len() < MAX_ENUMS || self.values.contains_key(column) {
                let own = self.values.entry(column.clone()).or_default();
                values.seen.iter().for_each(|v| own.insert(v));
                if values.many {
                    *own = Distinct { many: true, ..Distinct::default() };
                }
            }
        }
    }
}

/// What the last runs of one connector brought for one entity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The stream that feeds the entity.
    pub stream: String,
    /// Runs so far.
    pub runs: u64,
    /// Records of the last runs, oldest first.
    pub volumes: Vec<u64>,
    /// Shares of records without a value, in millionths, by column, oldest first.
    pub shares: BTreeMap<String, Vec<u64>>,
    /// Values of enum columns.
    pub values: BTreeMap<String, KnownValues>,
}

/// The values that an enum column had in the last runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownValues {
    /// Runs that had the column.
    pub runs: u64,
    /// Each value with the number of the last run that had it.
    pub last: BTreeMap<String, u64>,
}
