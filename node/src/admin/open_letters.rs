//! Which dead letters are still open: those of the run that checked their record last. An earlier one was accepted by a
//! later replay, or a later letter stands in its place.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use lakewright_proto::{admin as pb, Error, RecordAddress, RunId, ShardId, TenantId};
use lakewright_storage::catalog::keyspace::{Runs, Shards};
use lakewright_storage::catalog::{Catalog, Read as _};

/// What the catalog says of replays, read shard by shard as letters ask for it.
#[derive(Debug, Default)]
pub(super) struct LastChecks {
    by_shard: HashMap<ShardId, HashMap<u64, RunId>>,
}

impl LastChecks {
    /// Marks letters as open or not.
    pub(super) fn mark(&mut self, catalog: &Catalog, tenant: TenantId, letters: &mut [pb::DeadLetter]) -> Result<(), Error> {
        for letter in letters {
            let address: RecordAddress = letter.address.parse()?;
            let last = match self.by_shard.entry(address.shard) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    let view = catalog.view();
                    let own = view.get::<Shards>(&address.shard).map_err(Error::from)?.is_some_and(|s| s.tenant_id == tenant);
                    unknown.insert(if own { view.last_replays(address.shard).map_err(Error::from)? } else { HashMap::new() })
                }
            };
            letter.open = is_open(last.get(&address.offset), letter)?;
        }
        Ok(())
    }
}

fn is_open(last: Option<&RunId>, letter: &pb::DeadLetter) -> Result<bool, Error> {
    Ok(match last {
        None => true,
        Some(run) => letter.ingestion_run_id.parse::<RunId>()? == *run,
    })
}

/// Letters for a replay: the open ones whose bytes are whole, and how many records are left out.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// To be checked again.
    pub letters: Vec<pb::DeadLetter>,
    /// Records of which only the head was kept.
    pub skipped: u64,
    open: HashSet<String>,
    closed: HashSet<String>,
}

impl Chosen {
    /// Chooses from further, marked letters. Of closed ones only the address is kept: they are there for ever.
    pub(super) fn add(&mut self, letters: Vec<pb::DeadLetter>) {
        for letter in letters {
            if !letter.open {
                self.closed.insert(letter.address);
            } else if letter.reason == "oversize" {
                self.skipped += 1;
                self.open.insert(letter.address);
            } else {
                self.open.insert(letter.address.clone());
                self.letters.push(letter);
            }
        }
    }

    /// Records with an open letter.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Records without one: a replay has checked them since.
    pub(super) fn mended(&self) -> u64 {
        self.closed.difference(&self.open).count() as u64
    }
}

/// A run and the replays of it: a letter of the run may stand in one of those by now.
pub(super) fn with_replays(catalog: &Catalog, tenant: TenantId, run: &str) -> Result<Vec<String>, Error> {
    let id: RunId = run.parse()?;
    let runs = catalog.view().scan::<Runs>(&tenant).map_err(Error::from)?;
    let replays = runs.into_iter().filter(|(_, r)| r.replay_of == Some(id)).map(|((_, replay), _)| replay.to_string());
    Ok(std::iter::once(run.to_owned()).chain(replays).collect())
}

#[cfg(test)]
#[path = "open_letters_tests.rs"]
mod tests;
