//! Reading the state by typed key space: one consistent view, or what an entry sees while it is applied.

use std::cell::Cell;

use parking_lot::RwLockReadGuard;

use super::codec::KeyPart;
use super::keyspace::{prefix_key, KeySpace};
use super::store::CatalogStore;
use crate::error::Result;

/// Reads with one consistent state.
pub struct View<'a> {
    pub(super) store: &'a CatalogStore,
    pub(super) _gate: RwLockReadGuard<'a, ()>,
    pub(super) _held: Held,
}

thread_local! {
    static VIEWS: Cell<u32> = const { Cell::new(0) };
}

/// Counts the views of this thread; a view never leaves the thread that took it.
pub(super) struct Held {
    /// Whether the thread held one before.
    pub(super) again: bool,
}

impl Held {
    pub(super) fn enter() -> Self {
        let before = VIEWS.with(|v| v.replace(v.get() + 1));
        Self { again: before > 0 }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        VIEWS.with(|v| v.set(v.get().saturating_sub(1)));
    }
}

/// Reading by typed key space, from a view or from within `apply`.
pub trait Read {
    /// A logical value.
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;
    /// Logical pairs under a prefix.
    fn raw_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>>;
    /// The first logical pair in `[from, to]`.
    fn raw_first(&self, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>>;

    /// At most `limit` pairs with keys in `[from, to]`, in key order: the way through long spaces.
    fn between<S: KeySpace>(&self, from: &S::Key, to: &S::Key, limit: usize) -> Result<Vec<(S::Key, S::Value)>> {
        let (mut at, to) = (S::key(from), S::key(to));
        let mut out = Vec::new();
        while out.len() < limit {
            let Some((k, v)) = self.raw_first(&at, &to)? else { break };
            out.push((S::decode_key(&k)?, S::decode(&v)?));
            at = k;
            at.push(0);
        }
        Ok(out)
    }

    /// The value of a key.
    fn get<S: KeySpace>(&self, key: &S::Key) -> Result<Option<S::Value>> {
        self.raw(&S::key(key))?.map(|v| S::decode(&v)).transpose()
    }

    /// Every pair whose key starts with `parts`.
    fn scan<S: KeySpace>(&self, parts: &impl KeyPart) -> Result<Vec<(S::Key, S::Value)>> {
        decode_pairs::<S>(self.raw_scan(&prefix_key::<S>(parts))?)
    }

    /// Every pair of a space.
    fn all<S: KeySpace>(&self) -> Result<Vec<(S::Key, S::Value)>> {
        decode_pairs::<S>(self.raw_scan(&[S::PREFIX])?)
    }
}

fn decode_pairs<S: KeySpace>(pairs: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<(S::Key, S::Value)>> {
    pairs.into_iter().map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).collect()
}

impl Read for View<'_> {
    fn raw(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.store.logical(key)
    }

    fn raw_scan(&self, prefix: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        self.store.logical_scan(prefix)
    }

    fn raw_first(&self, from: &[u8], to: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.store.logical_first(from, to)
    }
}

impl View<'_> {
    /// The state behind it.
    pub fn store(&self) -> &CatalogStore {
        self.store
    }

    /// The catalog version that is read.
    pub fn version(&self) -> Result<u64> {
        Ok(self.store.clock()?.1)
    }

    /// The first pair at or after `from` within the space's keys that start with `parts`.
    pub fn next<S: KeySpace>(&self, parts: &impl KeyPart, from: &S::Key) -> Result<Option<(S::Key, S::Value)>> {
        let pair = self.store.logical_next(&prefix_key::<S>(parts), &S::key(from))?;
        pair.map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).transpose()
    }

    /// The last pair at or before `to` within the space's keys that start with `parts`.
    pub fn previous<S: KeySpace>(&self, parts: &impl KeyPart, to: &S::Key) -> Result<Option<(S::Key, S::Value)>> {
        let pair = self.store.logical_previous(&prefix_key::<S>(parts), &S::key(to))?;
        pair.map(|(k, v)| Ok((S::decode_key(&k)?, S::decode(&v)?))).transpose()
    }
}
