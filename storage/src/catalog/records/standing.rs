//! How good a Silver table's records are, kept beside the table so that a query need not count.

use lakewright_proto::RunId;
use serde::{Deserialize, Serialize};

use super::ingest::EntityCounts;

/// What the checks said last of the records of a Silver table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The run that brought records last; its ledger has their counts.
    pub run: RunId,
    /// Its rejected records that replays have accepted since.
    pub mended: EntityCounts,
    /// Rejected records of the table, of all runs, that no replay has accepted since.
    pub open_letters: u64,
}

impl Standing {
    /// Of a table that no record has come for.
    pub fn new(run: RunId) -> Self {
        Self { run, mended: EntityCounts::default(), open_letters: 0 }
    }

    /// Books what a commit brought from the source.
    pub fn came(&mut self, run: RunId, checked: &EntityCounts) {
        if self.run != run {
            self.run = run;
            self.mended = EntityCounts::default();
        }
        self.open_letters += checked.rejected;
    }

    /// Books what a replay of dead letters of a run made good.
    pub fn replayed(&mut self, of: Option<RunId>, checked: &EntityCounts) {
        if of == Some(self.run) {
            self.mended.accepted += checked.accepted;
            self.mended.flagged += checked.flagged;
        }
        self.open_letters = self.open_letters.saturating_sub(checked.accepted);
    }
}

/// Valid records and all of them: `failed_rules` of a valid one is empty.
pub fn valid_of(checked: &EntityCounts, mended: &EntityCounts) -> (u64, u64) {
    let all = checked.accepted + checked.rejected;
    let good = checked.accepted.saturating_sub(checked.flagged) + mended.accepted.saturating_sub(mended.flagged);
    (good.min(all), all)
}
