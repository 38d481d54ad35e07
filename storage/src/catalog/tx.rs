//! The changes of one entry while it is applied: reads see them, and they land all or not at all.

use std::collections::BTreeMap;

use super::keyspace::{AnswerExpiry, KeySpace};
use super::store::{encode_clock, piece_key, pieces_of, put_changes, CatalogStore, Change, CLOCK_KEY};
use super::view::Read;
use crate::error::Result;
use lakewright_proto::{CommandId, Error, ErrorCode};

use super::records::ClusterRecord;

/// An entry being applied.
pub struct Tx<'a> {
    store: &'a CatalogStore,
    /// Logical values of the entry's accepted commands, none where deleted.
    overlay: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Those of the command at hand.
    current: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Catalog time, microseconds since 1970.
    pub now: i64,
    /// The version that this command makes.
    pub version: u64,
}

impl<'a> Tx<'a> {
    pub(super) fn new(store: &'a CatalogStore) -> Result<Self> {
        let (now, version) = store.clock()?;
        Ok(Self { store, overlay: BTreeMap::new(), current: BTreeMap::new(), now, version })
    }

    /// Moves on to the next command of the entry: a later time, a higher version.
    pub(super) fn advance(&mut self, proposed_at: i64) {
        self.now = (self.now + 1).max(proposed_at);
        self.version += 1;
    }

    /// Puts a value.
    pub fn put<S: KeySpace>(&mut self, key: &S::Key, value: &S::Value) -> Result<()> {
        let bytes = S::encode(value)?;
        self.current.insert(S::key(key), Some(bytes));
        Ok(())
    }

    /// Removes a key.
    pub fn remove<S: KeySpace>(&mut self, key: &S::Key) {
        self.current.insert(S::key(key), None);
    }

    /// The value of a key that must exist, or `NotFound` with what it is called.
    pub fn need<S: KeySpace>(&self, key: &S::Key, what: impl FnOnce() -> String) -> Result<S::Value, ApplyError> {
        self.get::<S>(key)?.ok_or_else(|| ApplyError::Refused(Error::new(ErrorCode::NotFound, format!("{} does not exist", what()))))
    }

    /// The cluster's record.
    pub fn cluster(&self) -> Result<ClusterRecord, ApplyError> {
        self.need::<super::keyspace::Cluster>(&String::new(), || "the cluster".into())
    }

    /// Replaces the cluster's record.
    pub fn put_cluster(&mut self, record: &ClusterRecord) -> Result<()> {
        self.put::<super::keyspace::Cluster>(&String::new(), record)
    }

    /// The answers that expire first, at most `limit`, of those stored before this entry.
    pub(super) fn expired_answers(&self, limit: usize) -> Result<Vec<((u64, CommandId), ())>> {
        let pairs = self.store.physical_head(AnswerExpiry::PREFIX, limit)?;
        pairs.into_iter().map(|k| Ok((AnswerExpiry::decode_key(&k)?, ()))).collect()
    }

    /// The command at hand is done: its changes stay.
    pub(super) fn accept(&mut self) {
        self.overlay.append(&mut self.current);
    }

    /// The command at hand is refused: its changes go.
    pub(super) fn reject(&mut self) {
        self.current.clear();
    }

    /// The physical changes, with the clock and the given bookkeeping.
    pub(super) fn into_changes(self, bookkeeping: Vec<Change>) -> Result<Vec<Change>> {
        let mut changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
        for (key, value) in self.overlay {
            if let Some(old) = self.store.physical(&key)? {
                for i in 0..pieces_of(&old) {
                    changes.insert(piece_key(&key, i), None);
                }
            }
            match value {
                Some(v) => put_changes(&key, v, &mut changes),
                None => {
                    changes.insert(key, None);
                }
            }
        }
        changes.insert(CLOCK_KEY.to_vec(), Some(encode_clock(self.now, self.version)));
        let mut out: Vec<Change> = changes.into_iter().collect();
        out.extend(bookkeeping);
        Ok(out)
    }
}

impl Read for Tx<'_> {
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.current.get(key).or_else(|| self.overlay.get(key)) {
            Some(v) => Ok(v.clone()),
            None => self.store.logical(key),
        }
    }

    fn raw_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut out: BTreeMap<Vec<u8>, Vec<u8>> = self.store.logical_scan(prefix)?.into_iter().collect();
        for layer in [&self.overlay, &self.current] {
            for (k, v) in layer.range(prefix.to_vec()..).take_while(|(k, _)| k.starts_with(prefix)) {
                match v {
                    Some(v) => out.insert(k.clone(), v.clone()),
                    None => out.remove(k),
                };
            }
        }
        Ok(out.into_iter().collect())
    }

    fn raw_first(&self, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut at = from.to_vec();
        // Changed keys hide stored ones; a deleted one sends the search on.
        let stored = loop {
            match self.store.logical_first(&at, to)? {
                Some((k, _)) if self.current.contains_key(&k) || self.overlay.contains_key(&k) => {
                    at = k;
                    at.push(0);
                }
                found => break found,
            }
        };
        let mut first = stored;
        for (layer, hidden_by) in [(&self.current, None), (&self.overlay, Some(&self.current))] {
            let found = layer.range(from.to_vec()..).take_while(|(k, _)| k.as_slice() <= to).find_map(|(k, v)| match v {
                Some(v) if hidden_by.is_none_or(|h| !h.contains_key(k)) => Some((k.clone(), v.clone())),
                _ => None,
            });
            if let Some(found) = found {
                if first.as_ref().is_none_or(|f| found.0 < f.0) {
                    first = Some(found);
                }
            }
        }
        Ok(first)
    }
}

/// Why a command was not done: refused (an answer), or the state itself failed (the node stops).
#[derive(Debug)]
pub enum ApplyError {
    /// An answer to the proposer; nothing changed.
    Refused(Error),
    /// The state cannot be read or written.
    Failed(crate::error::StorageError),
}

impl From<crate::error::StorageError> for ApplyError {
    fn from(e: crate::error::StorageError) -> Self {
        Self::Failed(e)
    }
}

/// Refuses a command.
pub(super) fn refuse<T>(code: ErrorCode, message: impl Into<String>) -> Result<T, ApplyError> {
    Err(ApplyError::Refused(Error::new(code, message)))
}
