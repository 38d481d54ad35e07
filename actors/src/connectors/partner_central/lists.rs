//! Reads what can only be listed whole: solutions, engagements, invitations, associations. A pass reads
//! the list to its end; entries that are as they were in the last pass are left out, changed ones are
//! read (with a Get where the list does not tell all), and what is in a whole list no more is gone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures::StreamExt as _;
use lakewright_proto::SourcePosition;
use lakewright_storage::catalog::records::RunScope;
use xxhash_rust::xxh3::xxh3_64;

use super::absence::compare;
use super::api::Call;
use super::batch::Records;
use super::caller::{refuses_all, Ended};
use super::connector::{class, Source};
use super::pages::{self, Item};
use super::position::Position;
use super::streams::Stream;
use crate::connectors::{Fetch, ShardReader, SourceError};

/// Invitations run out after 15 days: of older ones nothing changes any more.
const INVITATION_LIFE_US: i64 = 17 * 86_400 * 1_000_000;
/// Gets of a batch.
const BATCH: usize = 32;

/// One list of a pass: invitations have two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Page { part: usize, token: Option<String> },
    Listed,
}

/// The reader.
pub struct ListReader {
    source: Arc<Source>,
    stream: Stream,
    scope: RunScope,
    scan: u64,
    position: Position,
    at: At,
    /// Entries of this pass.
    listed: HashMap<Box<str>, Option<i64>>,
    /// Entries as they were sent last, by a hash of their bytes.
    sent: HashMap<Box<str>, u64>,
    /// Entries that were sent and not in the last pass: an entry may slip between two pages of one list.
    missing: HashSet<Box<str>>,
    /// Too much was absent, and it was told.
    refusal_told: bool,
    newest: Option<i64>,
    queue: VecDeque<Item>,
    request_id: Option<String>,
    /// What ended the last batch early.
    held: Option<Ended>,
    /// A pass is over.
    idle_next: bool,
}

impl ListReader {
    /// Begins a pass.
    pub fn new(source: Arc<Source>, stream: Stream, scope: RunScope, scan: u64, position: Position) -> Self {
        Self {
            source,
            stream,
            scope,
            scan,
            position,
            at: At::Page { part: 0, token: None },
            listed: HashMap::new(),
            sent: HashMap::new(),
            missing: HashSet::new(),
            refusal_told: false,
            newest: None,
            queue: VecDeque::new(),
            request_id: None,
            held: None,
            idle_next: false,
        }
    }

    async fn list(&mut self, part: usize, token: Option<String>) -> Result<(), Ended> {
        let call = list_call(self.stream, part, token);
        let answer = match self.source.caller.call(&call, class(self.scope), 1).await {
            Ok(answer) => answer,
            Err(Ended::BadToken) => {
                self.begin_pass();
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        let again = |message: String| Ended::Failed(SourceError::Retry { message, after: None });
        let page = pages::parse(self.stream, &answer.body).map_err(again)?;
        if page.unreadable > 0 {
            return Err(again(format!("{} entries of {} cannot be read", page.unreadable, call.label())));
        }
        // Invitations come newest first: from the first one that is too old on, nothing changes any more.
        let floor = self.position.passes.0.filter(|_| self.stream == Stream::Invitation).map(|n| n - INVITATION_LIFE_US);
        let mut is_end = page.token.is_none();
        for item in page.items {
            if matches!((floor, item.changed), (Some(floor), Some(at)) if at < floor) {
                is_end = true;
                break;
            }
            self.newest = self.newest.max(item.changed);
            self.listed.insert(item.id.as_str().into(), item.changed);
            if self.is_wanted(&item) {
                self.queue.push_back(item);
            }
        }
        if self.listed.len() > self.source.config.max_keys {
            let message = format!("the source lists more than {} keys: too many to compare; raise max_keys", self.source.config.max_keys);
            return Err(Ended::Failed(SourceError::Fatal(message)));
        }
        self.request_id = answer.request_id;
        self.at = match page.token {
            Some(token) if !is_end => At::Page { part, token: Some(token) },
            _ if part + 1 < parts(self.stream) => At::Page { part: part + 1, token: None },
            _ => At::Listed,
        };
        Ok(())
    }

    fn is_wanted(&self, item: &Item) -> bool {
        if self.sent.get(item.id.as_str()) == Some(&xxh3_64(item.raw.as_bytes())) {
            return false;
        }
        // What changed before the pass before the last began was read then, whatever has happened since.
        let is_old =
            matches!((self.stream, self.position.passes.1, item.changed), (Stream::Engagement, Some(floor), Some(at)) if at <= floor);
        !is_old
    }

    fn begin_pass(&mut self) {
        self.at = At::Page { part: 0, token: None };
        self.listed.clear();
        self.newest = None;
    }

    /// Reads what is queued, a batch of it.
    async fn read(&mut self) -> Result<Option<Fetch>, Ended> {
        let mut records = Records::default();
        let items: Vec<Item> = self.queue.drain(..BATCH.min(self.queue.len())).collect();
        if get_call(self.stream, "").is_none() {
            let call = list_call(self.stream, 0, None);
            for item in items {
                records.entry(&call, &item.id, &item.raw, self.request_id.as_deref());
                self.sent.insert(item.id.as_str().into(), xxh3_64(item.raw.as_bytes()));
            }
            return Ok(Some(records.finish(&self.position).map_err(Ended::Failed)?));
        }
        let total = items.len();
        let (caller, class, stream) = (Arc::clone(&self.source.caller), class(self.scope), self.stream);
        let calls = items.into_iter().enumerate().filter_map(|(i, item)| {
            let caller = Arc::clone(&caller);
            let call = get_call(stream, &item.id)?;
            Some(async move {
                let answer = caller.call(&call, class, total - i).await;
                (item, call, answer)
            })
        });
        let answers = futures::stream::iter(calls.collect::<Vec<_>>()).buffered(self.source.config.max_in_flight);
        let answers: Vec<_> = answers.collect().await;
        if let Some(why) = refuses_all(answers.iter().map(|(_, _, a)| a)) {
            answers.into_iter().rev().for_each(|(item, ..)| self.queue.push_front(item));
            return Err(why);
        }
        let mut held = None;
        let mut back = Vec::new();
        for (item, call, answer) in answers {
            let hash = xxh3_64(item.raw.as_bytes());
            match answer {
                Ok(answer) => {
                    records.body(&call, &answer);
                    self.sent.insert(item.id.as_str().into(), hash);
                }
                // It went between the list and the Get: the next whole list will not have it.
                Err(Ended::Gone) => {}
                Err(Ended::Refused(why)) => {
                    records.refused(stream, &self.source.config.catalog, &item.id, item.changed, &why);
                    self.sent.insert(item.id.as_str().into(), hash);
                }
                Err(e) => {
                    held.get_or_insert(e);
                    back.push(item);
                }
            }
        }
        back.into_iter().rev().for_each(|item| self.queue.push_front(item));
        if records.is_empty() {
            return held.map_or(Ok(None), Err);
        }
        self.held = held;
        Ok(Some(records.finish(&self.position).map_err(Ended::Failed)?))
    }

    /// At a whole list's end: what is gone, and where the next pass begins.
    async fn end_pass(&mut self) -> Result<Fetch, Ended> {
        let mut records = Records::default();
        let listed = std::mem::take(&mut self.listed);
        if self.stream != Stream::Invitation && self.scope != RunScope::Backfill {
            self.tell_gone(&listed, &mut records).await?;
        }
        let missing = &self.missing;
        self.sent.retain(|id, _| listed.contains_key(id) || missing.contains(id));
        let before = self.position.passes.0;
        self.position.passes = (self.newest.max(before), before);
        self.begin_pass();
        self.position.scan = if self.scope == RunScope::Backfill { self.scan } else { self.position.scan };
        records.finish(&self.position).map_err(Ended::Failed)
    }

    async fn tell_gone(&mut self, listed: &HashMap<Box<str>, Option<i64>>, records: &mut Records) -> Result<(), Ended> {
        let due = match self.scope {
            RunScope::Full => self.position.swept_scan != self.scan,
            _ => self.source.config.reconcile.is_some_and(|every| now_seconds() - self.position.swept_at >= every.as_secs() as i64),
        };
        let percent = self.source.config.max_delete_percent;
        let found = if due {
            let known = self.source.host.known(self.stream.name(), self.source.known_scope(self.stream), self.source.config.max_keys).await;
            let known = known.map_err(Ended::Failed)?;
            self.position.swept_at = now_seconds();
            self.position.swept_scan = self.scan;
            compare(listed, &known, false, percent)
        } else {
            // Between two comparisons with all that is known, what this reader has seen itself tells what is gone.
            compare(listed, &self.sent.keys().map(|id| (id.clone(), i64::MAX)).collect(), false, percent)
        };
        if let Some(why) = found.refused {
            if due || !std::mem::replace(&mut self.refusal_told, true) {
                records.tell("absence_refused", format!("{}: {why}", self.stream.name()));
            }
            return Ok(());
        }
        self.refusal_told = false;
        if due && get_call(self.stream, "").is_some() {
            // Seen late, or lost by a mistake: what is listed and unknown is read, whenever it was modified.
            let wanted = found.missed.into_iter().filter(|id| !self.sent.contains_key(id.as_str()));
            self.queue.extend(wanted.map(|id| Item { changed: listed.get(id.as_str()).copied().flatten(), id, raw: String::new() }));
        }
        let mut absent: Vec<(String, Option<i64>)> = Vec::new();
        let mut missing = HashSet::new();
        for (id, version) in found.absent {
            if due || self.missing.contains(id.as_str()) {
                absent.push((id, Some(version).filter(|_| due)));
            } else {
                missing.insert(id.into());
            }
        }
        self.missing = missing;
        absent.sort();
        for (id, version) in absent {
            records.gone(self.stream, &self.source.config.catalog, &id, version, "in the source's whole list no more");
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<Option<Fetch>, Ended> {
        if let Some(e) = self.held.take() {
            return Err(e);
        }
        if !self.queue.is_empty() {
            return self.read().await;
        }
        match self.at.clone() {
            At::Page { part, token } => self.list(part, token).await.map(|()| None),
            At::Listed => {
                let told = self.end_pass().await?;
                self.idle_next = true;
                Ok(Some(told))
            }
        }
    }
}

#[async_trait]
impl ShardReader for ListReader {
    async fn next(&mut self, _max_bytes: usize) -> Result<Fetch, SourceError> {
        if self.queue.is_empty() && std::mem::take(&mut self.idle_next) {
            return Ok(Fetch::Idle(self.source.config.poll));
        }
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

fn parts(stream: Stream) -> usize {
    if stream == Stream::Invitation {
        2
    } else {
        1
    }
}

pub(super) fn list_call(stream: Stream, part: usize, token: Option<String>) -> Call {
    match stream {
        Stream::Solution => Call::ListSolutions { token },
        Stream::Engagement => Call::ListEngagements { token },
        Stream::Invitation => Call::ListInvitations { received: part == 0, token },
        Stream::Association => Call::ListAssociations { token },
        Stream::Opportunity | Stream::AwsSummary => Call::ListOpportunities { after: None, token },
    }
}

fn get_call(stream: Stream, id: &str) -> Option<Call> {
    match stream {
        Stream::Engagement => Some(Call::GetEngagement(id.to_owned())),
        Stream::Invitation => Some(Call::GetInvitation(id.to_owned())),
        _ => None,
    }
}

fn now_seconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs() as i64
}
