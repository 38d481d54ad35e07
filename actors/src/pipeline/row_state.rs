//! What is known of each record while it is checked for one entity.

use std::collections::BTreeMap;

use super::marks::Marks;
use super::reject::Reject;

/// Rejections and marks by row.
#[derive(Default)]
pub struct RowState {
    rejects: BTreeMap<usize, Reject>,
    deletes: Vec<bool>,
    /// Records that are none of the entity's; empty: all are.
    absent: Vec<bool>,
    /// Failed schema and format rules.
    pub failed: Marks,
    /// Failed business rules.
    pub warnings: Marks,
    /// What the row itself is marked with.
    pub flags: Marks,
}

impl RowState {
    /// For records of which some are refused already.
    pub fn new(rejects: BTreeMap<usize, Reject>, deletes: Vec<bool>) -> Self {
        let mut state = Self { deletes, ..Self::default() };
        for (row, reject) in rejects {
            state.reject(row, reject);
        }
        state
    }

    /// Says which records are none of the entity's. What could not be read at all is everybody's.
    pub fn leave_out(&mut self, mut absent: Vec<bool>) {
        for row in self.rejects.keys() {
            absent[*row] = false;
        }
        self.absent = absent;
    }

    /// Whether the record is none of the entity's.
    pub fn is_absent(&self, row: usize) -> bool {
        self.absent.get(row).copied().unwrap_or(false)
    }

    /// Records that are none of the entity's.
    pub fn absent(&self) -> usize {
        self.absent.iter().filter(|a| **a).count()
    }

    /// Refuses a record; the first reason is the one that is told.
    pub fn reject(&mut self, row: usize, reject: Reject) {
        if self.is_absent(row) {
            return;
        }
        self.failed.add(row, reject.rule.as_deref().unwrap_or(reject.reason.as_str()));
        self.rejects.entry(row).or_insert(reject);
    }

    /// Whether the record is refused.
    pub fn is_rejected(&self, row: usize) -> bool {
        !self.rejects.is_empty() && self.rejects.contains_key(&row)
    }

    /// Whether the record ends its key's row.
    pub fn is_delete(&self, row: usize) -> bool {
        self.deletes.get(row).copied().unwrap_or(false)
    }

    /// The refused records, in order.
    pub fn rejects(&self) -> &BTreeMap<usize, Reject> {
        &self.rejects
    }
}
