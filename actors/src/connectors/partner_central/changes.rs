//! Reads opportunities, or AWS's side of them, in the order of their last change: a list says which
//! changed, a Get brings each. What changes meanwhile moves to the list's end and is met again there.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::StreamExt as _;
use lakewright_proto::SourcePosition;
use lakewright_storage::catalog::records::{QuotaClass, RunScope};

use super::api::{Answer, Call};
use super::batch::Records;
use super::caller::{refuses_all, Ended};
use super::connector::{class, Source};
use super::pages::{self, Item};
use super::position::Position;
use super::streams::Stream;
use super::sweep::Sweep;
use crate::connectors::{Fetch, ShardReader, SourceError};

/// Gets of a batch: about two seconds of them.
const BATCH_SECONDS: u32 = 2;
/// Records remembered in memory as read, so that they are not read twice in one run.
const FRESH: usize = 200_000;

/// A record to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its key.
    pub id: String,
    /// When it changed, as the list or what is known says.
    pub changed: Option<i64>,
    /// Found by the list of changes, whose order the position follows.
    pub in_order: bool,
}

enum Listing {
    At(Option<String>),
    End,
}

/// The reader.
pub struct ChangesReader {
    source: Arc<Source>,
    stream: Stream,
    scope: RunScope,
    scan: u64,
    position: Position,
    listing: Listing,
    /// Where this pass began: later pages of the same list need the same filter.
    from: Option<i64>,
    queue: VecDeque<Wanted>,
    fresh: HashMap<Box<str>, i64>,
    sweep: Option<Sweep>,
    /// What ended the last batch early.
    held: Option<Ended>,
}

impl ChangesReader {
    /// Reads on after a position.
    pub fn new(source: Arc<Source>, stream: Stream, scope: RunScope, scan: u64, position: Position) -> Self {
        let from = position.list_from(overlap(&source));
        Self {
            source,
            stream,
            scope,
            scan,
            position,
            listing: Listing::At(None),
            from,
            queue: VecDeque::new(),
            fresh: HashMap::new(),
            sweep: None,
            held: None,
        }
    }

    fn class(&self) -> QuotaClass {
        if self.sweep.is_some() {
            QuotaClass::Sweep
        } else {
            class(self.scope)
        }
    }

    /// One page of the list of changes into the queue.
    async fn list(&mut self, token: Option<String>) -> Result<(), Ended> {
        let call = Call::ListOpportunities { after: self.from, token };
        let answer = match self.source.caller.call(&call, self.class(), 1).await {
            Ok(answer) => answer,
            Err(Ended::BadToken) => {
                self.begin_pass();
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let page = pages::parse(self.stream, &answer.body).map_err(|e| Ended::Failed(SourceError::Retry { message: e, after: None }))?;
        for Item { id, changed, .. } in page.items {
            let is_fresh = matches!((self.fresh.get(id.as_str()), changed), (Some(read), Some(changed)) if *read >= changed);
            let is_queued = self.queue.iter().any(|w| w.id == id && w.changed == changed);
            if !is_fresh && !is_queued && !self.position.has_seen(&id, changed) {
                self.queue.push_back(Wanted { id, changed, in_order: true });
            }
        }
        self.listing = match page.token {
            Some(token) => Listing::At(Some(token)),
            None => Listing::End,
        };
        Ok(())
    }

    fn begin_pass(&mut self) {
        self.from = self.position.list_from(overlap(&self.source));
        self.listing = Listing::At(None);
    }

    /// Gets what is queued, a batch of it.
    async fn get(&mut self) -> Result<Option<Fetch>, Ended> {
        let n = (self.source.config.reads_per_second * BATCH_SECONDS).clamp(8, 256) as usize;
        let wanted: Vec<Wanted> = self.queue.drain(..n.min(self.queue.len())).collect();
        let total = wanted.len();
        let (caller, class, stream) = (Arc::clone(&self.source.caller), self.class(), self.stream);
        let calls = wanted.into_iter().enumerate().map(|(i, wanted)| {
            let caller = Arc::clone(&caller);
            async move {
                let call = get_call(stream, &wanted.id);
                let answer = caller.call(&call, class, total - i).await;
                (wanted, call, answer)
            }
        });
        let answers = futures::stream::iter(calls).buffered(self.source.config.max_in_flight);
        let answers: Vec<_> = answers.collect().await;
        if let Some(why) = refuses_all(answers.iter().map(|(_, _, a)| a)) {
            answers.into_iter().rev().for_each(|(wanted, ..)| self.queue.push_front(wanted));
            return Err(why);
        }
        let mut records = Records::default();
        let mut back = Vec::new();
        let mut held = None;
        for (wanted, call, answer) in answers {
            if held.is_some() {
                // Order is kept: what follows a call that was not answered is got again after it.
                back.push(wanted);
                continue;
            }
            match answer {
                Ok(answer) => {
                    self.read(&wanted, &answer);
                    records.body(&call, &answer);
                }
                Err(Ended::Gone) => self.gone(&wanted, &mut records),
                Err(Ended::Refused(why)) => {
                    self.done(&wanted, wanted.changed);
                    records.refused(stream, &self.source.config.catalog, &wanted.id, wanted.changed, &why);
                }
                Err(e) => {
                    held = Some(e);
                    back.push(wanted);
                }
            }
        }
        back.into_iter().rev().for_each(|w| self.queue.push_front(w));
        if records.is_empty() {
            return match held {
                Some(e) => Err(e),
                None => Ok(None),
            };
        }
        self.held = held;
        Ok(Some(records.finish(&self.position).map_err(Ended::Failed)?))
    }

    fn read(&mut self, wanted: &Wanted, answer: &Answer) {
        // A record that changed after it was listed was read as it is now.
        let own = (self.stream == Stream::Opportunity).then(|| changed_in(&answer.body)).flatten();
        self.done(wanted, own.max(wanted.changed));
    }

    fn gone(&mut self, wanted: &Wanted, records: &mut Records) {
        self.done(wanted, wanted.changed);
        // Many opportunities have no side of AWS's at all: that is no news, unless one was known.
        if self.stream == Stream::Opportunity || !wanted.in_order {
            let reason = if wanted.in_order { "gone since it was listed" } else { "in no whole list any more" };
            records.gone(self.stream, &self.source.config.catalog, &wanted.id, wanted.changed, reason);
        }
    }

    fn done(&mut self, wanted: &Wanted, read: Option<i64>) {
        if wanted.in_order {
            self.position.advance(&wanted.id, wanted.changed, overlap(&self.source));
        }
        if let (Some(read), true) = (read, self.fresh.len() < FRESH) {
            self.fresh.insert(wanted.id.as_str().into(), read);
        }
    }

    /// After the list's end: compares the whole list with what is known, where that is due.
    fn sweep_is_due(&self) -> bool {
        match self.scope {
            RunScope::Backfill => false,
            RunScope::Full => self.position.swept_scan != self.scan,
            RunScope::Incremental => {
                self.source.config.reconcile.is_some_and(|every| now_seconds() - self.position.swept_at >= every.as_secs() as i64)
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Fetch>, Ended> {
        if let Some(e) = self.held.take() {
            return Err(e);
        }
        if !self.queue.is_empty() {
            return self.get().await;
        }
        if let Listing::At(token) = &self.listing {
            let token = token.clone();
            self.list(token).await?;
            return Ok(None);
        }
        let Some(sweep) = &mut self.sweep else {
            if self.sweep_is_due() {
                self.sweep = Some(Sweep::default());
                return Ok(None);
            }
            self.begin_pass();
            return Ok(Some(Fetch::Idle(self.source.config.poll)));
        };
        if let Some(found) = sweep.step(&self.source, self.stream, &self.fresh).await? {
            self.queue.extend(found.wanted);
            if let Some(why) = found.refused {
                let mut records = Records::default();
                records.tell("absence_refused", format!("{}: {why}", self.stream.name()));
                return Ok(Some(records.finish(&self.position).map_err(Ended::Failed)?));
            }
            return Ok(None);
        }
        self.sweep = None;
        self.position.swept_at = now_seconds();
        self.position.swept_scan = self.scan;
        Ok(Some(Fetch::Progress(self.position.encode().map_err(Ended::Failed)?, Vec::new())))
    }
}

#[async_trait]
impl ShardReader for ChangesReader {
    async fn next(&mut self, _max_bytes: usize) -> Result<Fetch, SourceError> {
        loop {
            match self.step().await {
                Ok(Some(fetch)) => return Ok(fetch),
                Ok(None) => {}
                Err(Ended::Wait(wait, why)) => return Ok(Fetch::Wait(wait, why)),
                Err(e) => return Err(super::connector::ended(e)),
            }
        }
    }

    async fn acknowledge(&mut self, _: &SourcePosition) -> Result<(), SourceError> {
        Ok(())
    }
}

fn get_call(stream: Stream, id: &str) -> Call {
    match stream {
        Stream::AwsSummary => Call::GetSummary(id.to_owned()),
        _ => Call::GetOpportunity(id.to_owned()),
    }
}

fn overlap(source: &Source) -> i64 {
    i64::try_from(source.config.overlap.as_micros()).unwrap_or(i64::MAX)
}

/// When a body says that it changed.
fn changed_in(body: &[u8]) -> Option<i64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Changed<'a> {
        #[serde(borrow)]
        last_modified_date: Option<&'a str>,
    }
    serde_json::from_slice::<Changed<'_>>(body).ok()?.last_modified_date.and_then(pages::instant)
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs() as i64
}
