//! A consistent copy of the state while applies go on: keys ahead of the cursor keep their
//! before-image when an apply changes them.

use std::collections::BTreeMap;
use std::ops::Bound;

/// A copy under way.
#[derive(Default)]
pub(super) struct Export {
    /// The last key given out.
    cursor: Option<Vec<u8>>,
    /// Keys changed since the start, ahead of the cursor, with what they were.
    before: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    complete: bool,
}

impl Export {
    /// Whether a change of this key must keep its before-image.
    pub fn wants(&self, key: &[u8]) -> bool {
        !self.complete && self.cursor.as_deref().is_none_or(|c| key > c) && !self.before.contains_key(key)
    }

    /// Keeps what the key was.
    pub fn keep(&mut self, key: Vec<u8>, was: Option<Vec<u8>>) {
        self.before.insert(key, was);
    }

    /// Where the live state is read on.
    pub fn resume_bound(&self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        (self.cursor.clone().map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
    }

    /// Joins a chunk of the live state with the before-images, and moves the cursor.
    /// `live` holds the next pairs; `at_end`: the state has none after them.
    pub fn merge(&mut self, live: Vec<(Vec<u8>, Vec<u8>)>, at_end: bool) -> Vec<(Vec<u8>, Vec<u8>)> {
        let end = if at_end { None } else { live.last().map(|(k, _)| k.clone()) };
        let mut out: BTreeMap<Vec<u8>, Vec<u8>> = live.into_iter().collect();
        let later = match &end {
            Some(end) => self.before.split_off(end),
            None => BTreeMap::new(),
        };
        let mut due = std::mem::replace(&mut self.before, later);
        if let Some(end) = &end {
            if let Some(was) = self.before.remove(end) {
                due.insert(end.clone(), was);
            }
        }
        for (key, was) in due {
            match was {
                Some(v) => out.insert(key, v),
                None => out.remove(&key),
            };
        }
        self.complete = at_end;
        if end.is_some() {
            self.cursor = end;
        }
        out.into_iter().collect()
    }

    /// Whether everything was given out.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

#[cfg(test)]
#[path = "export_tests.rs"]
mod tests;
