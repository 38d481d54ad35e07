//! Children by key, with their failures and where they stand: the part of supervision that is
//! the same for every supervisor.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use ractor::{ActorCell, ActorId, ActorRef};

use crate::restart::{History, RestartPolicy, Verdict};

/// Where a child stands.
#[derive(Debug)]
pub enum Life<M> {
    /// It runs.
    Running(ActorRef<M>),
    /// It failed and is started again soon.
    Waiting,
    /// Its wait is over.
    Due,
    /// It failed too often.
    Broken {
        /// The last failure.
        reason: String,
    },
}

#[derive(Debug)]
struct Child<M> {
    life: Life<M>,
    history: History,
}

/// A supervisor's children of one kind.
#[derive(Debug)]
pub struct Children<K, M> {
    by_key: HashMap<K, Child<M>>,
    by_actor: HashMap<ActorId, K>,
}

impl<K, M> Default for Children<K, M> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), by_actor: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, M> Children<K, M> {
    /// Whether the key has a child that runs, waits for its restart, or is broken.
    pub fn contains(&self, key: &K) -> bool {
        self.by_key.get(key).is_some_and(|c| !matches!(c.life, Life::Due))
    }

    /// A failed child's wait is over: it may be started.
    pub fn wake(&mut self, key: &K) {
        if let Some(child) = self.by_key.get_mut(key) {
            if matches!(child.life, Life::Waiting) {
                child.life = Life::Due;
            }
        }
    }

    /// The keys.
    pub fn keys(&self) -> Vec<K> {
        self.by_key.keys().cloned().collect()
    }

    /// The running children.
    pub fn running(&self) -> impl Iterator<Item = (&K, &ActorRef<M>)> {
        self.by_key.iter().filter_map(|(k, c)| match &c.life {
            Life::Running(actor) => Some((k, actor)),
            _ => None,
        })
    }

    /// A child's actor, if it runs.
    pub fn get(&self, key: &K) -> Option<&ActorRef<M>> {
        match &self.by_key.get(key)?.life {
            Life::Running(actor) => Some(actor),
            _ => None,
        }
    }

    /// A child was started.
    pub fn started(&mut self, key: K, actor: ActorRef<M>) {
        self.by_actor.insert(actor.get_id(), key.clone());
        let history = self.by_key.remove(&key).map(|c| c.history).unwrap_or_default();
        self.by_key.insert(key, Child { life: Life::Running(actor), history });
    }

    /// A child is not wanted any more; its failures are forgotten.
    pub fn forget(&mut self, key: &K) -> Option<ActorRef<M>> {
        match self.by_key.remove(key)?.life {
            Life::Running(actor) => {
                self.by_actor.remove(&actor.get_id());
                Some(actor)
            }
            _ => None,
        }
    }

    /// The child behind an actor that ended by itself; it is forgotten.
    pub fn ended(&mut self, actor: &ActorCell) -> Option<K> {
        let key = self.by_actor.remove(&actor.get_id())?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// A child failed, in its start or later: decides what becomes of it.
    pub fn failed(&mut self, key: &K, reason: &str, hopeless: bool, policy: &RestartPolicy) -> Verdict {
        let child = self.by_key.entry(key.clone()).or_insert_with(|| Child { life: Life::Waiting, history: History::default() });
        if let Life::Running(actor) = &child.life {
            self.by_actor.remove(&actor.get_id());
        }
        let verdict = if hopeless { Verdict::Broken } else { policy.decide(&mut child.history, Instant::now(), rand::random()) };
        child.life = match verdict {
            Verdict::Restart(_) => Life::Waiting,
            Verdict::Broken => Life::Broken { reason: reason.to_owned() },
        };
        verdict
    }

    /// A child that is never given up is started again after a wait, its failures remembered.
    pub fn put_off(&mut self, key: &K) {
        if let Some(child) = self.by_key.get_mut(key) {
            child.life = Life::Waiting;
        }
    }

    /// The key behind an actor.
    pub fn key_of(&self, actor: &ActorCell) -> Option<K> {
        self.by_actor.get(&actor.get_id()).cloned()
    }
}

#[cfg(test)]
#[path = "supervise_tests.rs"]
mod tests;
