//! What a record does to its key: decided here, purely, one record at a time.

use lakewright_proto::FileId;

use crate::keyindex::{Entry, State};
use crate::table::OutcomeCounts;

/// The partition of a tombstone whose key never had a row.
const NEVER_LIVED: i64 = i64::MIN;

/// Where a key's row is while a merge goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file of before the merge.
    Old(FileId, u32),
    /// In a file of this merge: which of them, and the row.
    New(u32, u32),
    /// Decided, not yet written: the row of the batch at hand.
    Batch(u32),
}

/// A key during a merge.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The newest that is known, if anything is. Its `state` is not kept up: see `place`.
    pub entry: Option<Entry>,
    /// The live row.
    pub place: Option<Place>,
    /// The live row at the start of the merge.
    pub base: Option<(FileId, u32)>,
    /// The merge changed it.
    pub dirty: bool,
    /// A later scan saw it as it is: the row stays, and the index takes the later number.
    pub seen: bool,
}

/// The record at hand.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    /// What it would be in the index.
    pub entry: Entry,
    /// It ends its key's row.
    pub delete: bool,
    /// ... because a list had the key no more: whatever comes later brings it back.
    pub absent: bool,
    /// Its row in the batch.
    pub row: u32,
    /// Its version is the number of a scan.
    pub by_content: bool,
}

/// What is to be done with rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// The row that is no longer live.
    pub ends: Option<Place>,
    /// The record's row is to be written.
    pub writes: bool,
}

impl Slot {
    /// A key as the index has it.
    pub fn of(entry: Option<Entry>) -> Self {
        let base = match entry.map(|e| e.state) {
            Some(State::Live { file, row }) => Some((file, row)),
            _ => None,
        };
        Self { entry, place: base.map(|(f, r)| Place::Old(f, r)), base, dirty: false, seen: false }
    }

    /// Applies a record: counts its outcome and says what becomes of rows.
    pub fn apply(&mut self, new: Incoming, counts: &mut OutcomeCounts) -> Effect {
        let Some(old) = self.entry else {
            if new.delete {
                // Nothing to delete, but an older upsert that comes late must not bring it to life.
                counts.unchanged += 1;
                self.end(new, NEVER_LIVED);
                return Effect::default();
            }
            counts.inserted += 1;
            return self.set(new, new.entry.partition_at);
        };
        let order = |e: &Entry| (e.version, e.commit, e.address.offset, e.address.shard);
        match (self.place.is_some(), new.delete) {
            // Live, upsert.
            (true, false) => {
                if new.entry.version == old.version && new.entry.hash == old.hash {
                    counts.unchanged += 1;
                    return Effect::default();
                }
                if order(&new.entry) < order(&old) {
                    counts.stale += 1;
                    return Effect::default();
                }
                if new.by_content && new.entry.hash == old.hash {
                    counts.unchanged += 1;
                    self.entry = Some(Entry { version: new.entry.version, ..old });
                    self.seen = true;
                    return Effect::default();
                }
                counts.updated += 1;
                self.set(new, old.partition_at)
            }
            // Live, delete.
            (true, true) => {
                if order(&new.entry) < order(&old) {
                    counts.stale += 1;
                    return Effect::default();
                }
                counts.deleted += 1;
                let ends = self.place.take();
                self.end(new, old.partition_at);
                Effect { ends, writes: false }
            }
            // Dead, upsert: older than a delete or equal stays dead.
            (false, false) => {
                if new.entry.version <= old.version {
                    counts.stale += 1;
                    return Effect::default();
                }
                counts.inserted += 1;
                // The partition is that of the first accepted version, and a delete is none.
                self.set(new, if old.partition_at == NEVER_LIVED { new.entry.partition_at } else { old.partition_at })
            }
            // Dead, delete.
            (false, true) => {
                counts.unchanged += 1;
                if new.entry.version > old.version && !new.absent {
                    self.end(new, old.partition_at);
                }
                Effect::default()
            }
        }
    }

    fn set(&mut self, new: Incoming, partition_at: i64) -> Effect {
        let ends = self.place.replace(Place::Batch(new.row));
        self.entry = Some(Entry { partition_at, ..new.entry });
        self.dirty = true;
        Effect { ends, writes: true }
    }

    fn end(&mut self, new: Incoming, partition_at: i64) {
        // Below every version: a list is no act of the source, and a key that is seen again was never deleted.
        let version = if new.absent { i64::MIN } else { new.entry.version };
        self.entry = Some(Entry { state: State::Tombstone, version, partition_at, ..new.entry });
        self.place = None;
        self.dirty = true;
    }
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
