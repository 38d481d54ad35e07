//! Queries that a client polls for: they run beside the calls, up to their first rows, and wait a while to be fetched.

use std::collections::hash_map::Entry as MapEntry;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use futures::StreamExt;
use lakewright_proto::Error;
use lakewright_storage::query::QueryStream;
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::plans::Ready;
use crate::running::{cancelled, until_cancelled, Slot};

/// One poll waits this long for the first rows.
const POLL: Duration = Duration::from_secs(2);
/// First rows wait this long to be fetched; then the query ends and a fetch runs it again.
const WAITS: Duration = Duration::from_secs(60);

/// A running query whose first rows are known.
pub(crate) struct Begun {
    pub(crate) stream: QueryStream,
    pub(crate) first: Option<RecordBatch>,
    pub(crate) slot: Slot,
    pub(crate) ready: Ready,
}

type Outcome = Arc<Mutex<Option<Result<Begun, Error>>>>;

struct Entry {
    done: watch::Receiver<bool>,
    outcome: Outcome,
}

/// The queries that are polled for; each holds a slot of its tenant, so they are as bounded as running queries.
#[derive(Clone, Default)]
pub(crate) struct Parked(Arc<Mutex<HashMap<Uuid, Entry>>>);

impl Parked {
    /// Whether the query is here.
    pub(crate) fn has(&self, query: Uuid) -> bool {
        self.0.lock().contains_key(&query)
    }

    /// Begins a query beside the call; one that another call has begun meanwhile goes on as it is.
    pub(crate) fn begin(&self, query: Uuid, ready: Ready, slot: Slot) {
        let (tell, done) = watch::channel(false);
        let outcome = Outcome::default();
        match self.0.lock().entry(query) {
            MapEntry::Occupied(_) => return,
            MapEntry::Vacant(vacant) => vacant.insert(Entry { done, outcome: Arc::clone(&outcome) }),
        };
        let parked = self.clone();
        tokio::spawn(async move {
            let mut cancel = slot.cancelled.clone();
            let begun = tokio::select! {
                begun = begin(ready, slot) => begun,
                () = until_cancelled(cancel.clone()) => Err(cancelled()),
            };
            *outcome.lock() = Some(begun);
            tell.send_replace(true);
            let gone = async {
                while outcome.lock().is_some() && !*cancel.borrow() {
                    if cancel.changed().await.is_err() {
                        break;
                    }
                }
            };
            let _ = tokio::time::timeout(WAITS, gone).await;
            parked.0.lock().remove(&query);
        });
    }

    /// Waits a moment for the first rows; false: they are still to come. A failed query tells its failure.
    pub(crate) async fn poll(&self, query: Uuid) -> Result<bool, Error> {
        let Some((mut done, outcome)) = self.0.lock().get(&query).map(|e| (e.done.clone(), Arc::clone(&e.outcome))) else {
            return Ok(true);
        };
        let over = tokio::time::timeout(POLL, done.wait_for(|d| *d)).await.is_ok();
        let failed = outcome.lock().as_ref().and_then(|o| o.as_ref().err().cloned());
        match failed {
            Some(e) => Err(e),
            None => Ok(over),
        }
    }

    /// The query, once its first rows are known; none: it is not here, or was fetched before.
    pub(crate) async fn take(&self, query: Uuid) -> Option<Result<Begun, Error>> {
        let (mut done, outcome) = self.0.lock().get(&query).map(|e| (e.done.clone(), Arc::clone(&e.outcome)))?;
        let _ = done.wait_for(|d| *d).await;
        let taken = outcome.lock().take();
        self.0.lock().remove(&query);
        taken
    }
}

async fn begin(ready: Ready, slot: Slot) -> Result<Begun, Error> {
    let mut stream = ready.query.run(ready.planned.clone()).await?;
    let first = stream.next().await.transpose()?;
    Ok(Begun { stream, first, slot, ready })
}
