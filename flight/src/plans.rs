//! Plans on their way from preparing to GetFlightInfo to DoGet: the node that planned need not plan again. Tickets do not depend on it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakewright_storage::query::{Passport, Planned, QuerySession};
use parking_lot::Mutex;
use uuid::Uuid;

use crate::options::Options;

/// Plans kept at most; each holds the list of files that its query reads.
const KEPT: usize = 128;
/// How long a plan waits to be fetched.
const WAITS: Duration = Duration::from_secs(30);

/// A query that is planned and bound, with its passport.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) query: QuerySession,
    pub(crate) planned: Planned,
    pub(crate) passport: Arc<Passport>,
}

/// The newest plans of this node.
#[derive(Default)]
pub(crate) struct Plans(Mutex<VecDeque<(Uuid, Instant, Options, Ready)>>);

impl Plans {
    pub(crate) fn keep(&self, query: Uuid, options: Options, ready: Ready) {
        let mut all = self.0.lock();
        while all.len() >= KEPT || all.front().is_some_and(|(_, at, _, _)| at.elapsed() > WAITS) {
            all.pop_front();
        }
        all.push_back((query, Instant::now(), options, ready));
    }

    /// A plan is used once: a ticket that is read again is planned again.
    pub(crate) fn take(&self, query: Uuid) -> Option<(Options, Ready)> {
        let mut all = self.0.lock();
        let at = all.iter().position(|(id, _, _, _)| *id == query)?;
        all.remove(at).map(|(_, _, options, ready)| (options, ready))
    }
}
