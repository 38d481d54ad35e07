//! The shard's work, one step at a time, on a blocking thread: list, open, read, remember.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lakewright_proto::SourcePosition;
use xxhash_rust::xxh3::xxh3_64;

use super::batch::BatchBuilder;
use super::config::FilesConfig;
use super::framer::Pull;
use super::listing::{now_micros, Found, Listing, Root};
use super::open::{entry_of, open, Body, Current};
use super::position::{Entry, Position};
use super::source::FileFault;
use crate::connectors::{RawBatch, SourceError, SourceNotice};

/// Records of one batch, about.
const BATCH_ROWS: usize = 60_000;
/// Notices of one batch; a directory of a million bad files must not fill memory.
const MAX_NOTICES: usize = 1000;

/// What a step came to.
pub enum Step {
    /// Records.
    Batch(Box<RawBatch>),
    /// No records, but another position or something to say.
    Progress(SourcePosition, Vec<SourceNotice>),
    /// Do the next step after this long.
    Wait(Duration),
    /// Nothing to read.
    Idle,
}

/// A shard's reader.
pub struct Engine {
    listing: Listing,
    config: Arc<FilesConfig>,
    stream: String,
    shard: (u32, u32),
    state: Position,
    queue: VecDeque<Found>,
    current: Option<Box<Current>>,
    in_pass: bool,
    /// The freshest file was younger than the listing's margin, which has been waited for.
    margin_waited: bool,
    /// Files whose last line is open, and when to look again.
    unsettled: Vec<(Instant, Found)>,
    /// Size and time at which a file's last line was found open.
    seen_open: HashMap<String, (u64, i64)>,
    notices: Vec<SourceNotice>,
    dirty: bool,
    /// Records are in the batch whose place could not be noted: the step must not have happened.
    undo: bool,
}

/// Whether a file belongs to a shard: by its name, so that it never moves.
pub fn in_shard(name: &str, (index, of): (u32, u32)) -> bool {
    of <= 1 || xxh3_64(name.as_bytes()) % u64::from(of) == u64::from(index)
}

impl Engine {
    /// A reader of a stream's shard from a position on.
    pub fn new(listing: Listing, config: Arc<FilesConfig>, stream: &str, shard: (u32, u32), state: Position) -> Self {
        Self {
            listing,
            config,
            stream: stream.to_owned(),
            shard,
            state,
            queue: VecDeque::new(),
            current: None,
            in_pass: false,
            margin_waited: false,
            unsettled: Vec::new(),
            seen_open: HashMap::new(),
            notices: Vec::new(),
            dirty: false,
            undo: false,
        }
    }

    /// Reads about `max_bytes`, or says why not.
    pub fn step(&mut self, max_bytes: usize) -> Result<Step, SourceError> {
        if self.current.is_none() && self.queue.is_empty() {
            if let Some(step) = self.refill()? {
                return Ok(step);
            }
        }
        let (saved, said) = (self.state.clone(), self.notices.len());
        let mut batch = BatchBuilder::new();
        let mut read = self.fill(&mut batch, max_bytes.max(1));
        if let Some(c) = &self.current {
            // The file goes on in the next batch: remember how far this one came.
            match c.entry(0) {
                Ok(e) => self.remember(&c.now.name.clone(), e),
                Err(e) => read = Err(self.undo(&e)),
            }
        }
        if std::mem::take(&mut self.undo) {
            // As if nothing had been read: the next step lists anew and starts where this one did.
            self.state = saved;
            self.notices.truncate(said);
            self.current = None;
            self.queue.clear();
            self.in_pass = false;
            return read.map(|()| Step::Wait(Duration::ZERO));
        }
        self.state.shrink();
        if !batch.is_empty() {
            // A failure on the way shows itself again at the next step.
            let notices = std::mem::take(&mut self.notices);
            self.dirty = false;
            return Ok(Step::Batch(Box::new(batch.finish(self.state.encode()?, notices))));
        }
        read?;
        if self.dirty || !self.notices.is_empty() {
            self.dirty = false;
            return Ok(Step::Progress(self.state.encode()?, std::mem::take(&mut self.notices)));
        }
        Ok(Step::Wait(Duration::ZERO))
    }

    /// Fills the queue. `Some`: there is nothing to read now.
    fn refill(&mut self) -> Result<Option<Step>, SourceError> {
        if let Some(soonest) = self.unsettled.iter().map(|(t, _)| *t).min() {
            let now = Instant::now();
            if soonest > now {
                return Ok(Some(Step::Wait(soonest - now)));
            }
            let (ready, rest) = std::mem::take(&mut self.unsettled).into_iter().partition(|(t, _)| *t <= now);
            self.unsettled = rest;
            self.queue = Vec::into_iter(ready).map(|(_, f)| f).collect();
            return Ok(None);
        }
        if std::mem::take(&mut self.in_pass) {
            self.state.end_pass();
        }
        let mut found = self.listing.list()?;
        found.retain(|f| self.config.stream_of(&f.name) == self.stream && in_shard(&f.name, self.shard));
        let now = now_micros();
        let newest = found.iter().map(|f| f.time).filter(|t| *t <= now).max().unwrap_or(i64::MIN);
        let margin = self.listing.margin();
        if newest > now - margin && !std::mem::replace(&mut self.margin_waited, true) {
            return Ok(Some(Step::Wait(Duration::from_micros(margin.unsigned_abs()))));
        }
        self.margin_waited = false;
        let names: HashSet<&str> = found.iter().map(|f| f.name.as_str()).collect();
        for name in self.state.forget_missing(|n| names.contains(n)) {
            self.note("file_vanished", format!("{name} is gone although a part of it had not been read"));
        }
        let resumed = self.state.is_in_pass();
        self.state.begin_pass(newest.min(now - margin));
        found.retain(|f| self.state.wants(f, now));
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        if found.is_empty() {
            self.state.end_pass();
            if resumed {
                // The pass of before this reader is over; files that came since belong to the next.
                return self.refill();
            }
            return Ok(match std::mem::take(&mut self.notices) {
                notices if notices.is_empty() => Some(Step::Idle),
                notices => Some(Step::Progress(self.state.encode()?, notices)),
            });
        }
        self.in_pass = true;
        self.queue = found.into();
        Ok(None)
    }

    fn undo(&mut self, e: &std::io::Error) -> SourceError {
        self.undo = true;
        later(&self.stream, FileFault::of(e))
    }

    fn note(&mut self, kind: &'static str, message: String) {
        if self.notices.len() < MAX_NOTICES {
            self.notices.push(SourceNotice { kind, message });
        }
    }

    fn remember(&mut self, name: &str, e: Entry) {
        if self.state.entries.get(name) != Some(&e) {
            self.state.entries.insert(name.to_owned(), e);
            self.dirty = true;
        }
    }

    fn fill(&mut self, batch: &mut BatchBuilder, max_bytes: usize) -> Result<(), SourceError> {
        while batch.bytes < max_bytes && batch.rows < BATCH_ROWS {
            let Some(mut c) = self.next_file()? else { break };
            if batch.is_empty() {
                batch.kind = Some(c.kind.clone());
            } else if batch.kind.as_ref() != Some(&c.kind) {
                self.current = Some(c);
                break;
            }
            let pulled = match &mut c.body {
                Body::Frames(f) => {
                    let pulled = f.pull(batch, max_bytes - batch.bytes, &c.label)?;
                    if std::mem::take(&mut f.completed) {
                        let text = format!(
                            "{}: its last line had no newline and was delivered as it was; the whole line is delivered now",
                            c.now.name
                        );
                        self.note("line_completed", text);
                    }
                    pulled
                }
                Body::Rows(r) => r.pull(batch, &c.label, &c.suffix)?,
            };
            match pulled {
                Pull::More => self.current = Some(c),
                Pull::End(open_bytes) => self.end_of_file(c, open_bytes, batch)?,
                Pull::Fault(fault) => {
                    let entry = c.entry(0).map_err(|e| self.undo(&e))?;
                    self.fault(&c.listed, &c.now, Some(entry), fault)?;
                }
            }
            if self.queue.is_empty() && self.current.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn next_file(&mut self) -> Result<Option<Box<Current>>, SourceError> {
        if let Some(c) = self.current.take() {
            if !c.file.changed(&c.now) {
                return Ok(Some(c));
            }
            // Written to since the last batch: whether appended or replaced is decided anew.
            self.queue.push_front(c.listed);
        }
        while let Some(listed) = self.queue.pop_front() {
            match open(&self.listing.root, &self.config, &listed, self.state.entries.get(&listed.name)) {
                Ok((c, said)) => {
                    if let Some(n) = said {
                        self.note(n.kind, n.message);
                    }
                    return Ok(Some(Box::new(c)));
                }
                Err(fault) => self.fault(&listed, &listed, None, fault)?,
            }
        }
        Ok(None)
    }

    fn end_of_file(&mut self, mut c: Box<Current>, open_bytes: u64, batch: &mut BatchBuilder) -> Result<(), SourceError> {
        let mut delivered = 0;
        if open_bytes > 0 {
            if let Err(wait) = self.settled(&c.now) {
                let e = c.entry(0).map_err(|e| self.undo(&e))?;
                self.remember(&c.now.name, e);
                self.state.passed(&c.listed);
                self.unsettled.push((Instant::now() + wait, c.listed));
                return Ok(());
            }
            if let Body::Frames(f) = &mut c.body {
                delivered = f.deliver_open(batch, &c.label)?;
                if std::mem::take(&mut f.completed) {
                    let text = format!("{}: its last line is still open and has grown; it is delivered again as it is", c.now.name);
                    self.note("line_completed", text);
                }
            }
        }
        self.seen_open.remove(&c.now.name);
        let e = c.entry(delivered).map_err(|e| self.undo(&e))?;
        self.remember(&c.now.name, Entry { finished: true, ..e });
        self.state.passed(&c.listed);
        Ok(())
    }

    /// Whether a file's open last line may be delivered; else how long to wait for its newline.
    fn settled(&mut self, now: &Found) -> Result<(), Duration> {
        let settle = Duration::from_millis(self.config.settle_ms);
        // An object appears whole.
        if settle.is_zero() || matches!(self.listing.root, Root::Remote(..)) {
            return Ok(());
        }
        let seen = (now.size, now.time);
        let age = Duration::from_micros(u64::try_from(now_micros().saturating_sub(now.time)).unwrap_or(0));
        if age >= settle || self.seen_open.insert(now.name.clone(), seen) == Some(seen) {
            return Ok(());
        }
        Err(settle - age)
    }

    /// Deals with a file that could not be read on. `entry`: how far it was read this time.
    fn fault(&mut self, listed: &Found, now: &Found, entry: Option<Entry>, fault: FileFault) -> Result<(), SourceError> {
        let name = &listed.name;
        match fault {
            FileFault::Later(_) => {
                // Nothing is known against the file: the same step again.
                if let Some(e) = entry {
                    self.remember(name, e);
                }
                self.queue.push_front(listed.clone());
                return Err(later(name, fault));
            }
            FileFault::Gone => {
                if self.state.entries.remove(name).is_some_and(|e| !e.finished) || entry.is_some() {
                    self.note("file_vanished", format!("{name} is gone although a part of it had not been read"));
                }
                self.dirty = true;
            }
            FileFault::Changed => {
                // Its new version is found by the next listing.
                if let Some(e) = entry {
                    self.remember(name, e);
                }
            }
            FileFault::Bad(kind, why) => {
                let read = entry.as_ref().map_or(0, |e| e.offset);
                self.note(
                    kind,
                    format!("{name}: {why}; what stands before (up to {read}) is delivered, and it is tried again when it changes"),
                );
                let known = entry.or_else(|| self.state.entries.get(name).cloned()).unwrap_or_default();
                let seen = entry_of(now);
                let e = Entry { size: seen.size, time: seen.time, modified: seen.modified, id: seen.id, ..known };
                self.remember(name, Entry { finished: true, failed: true, ..e });
            }
        }
        self.state.passed(listed);
        Ok(())
    }
}

fn later(name: &str, fault: FileFault) -> SourceError {
    let why = match fault {
        FileFault::Later(why) | FileFault::Bad(_, why) => why,
        FileFault::Gone => "it is gone".to_owned(),
        FileFault::Changed => "it changed while it was read".to_owned(),
    };
    SourceError::Retry { message: format!("{name} cannot be read now: {why}; reading goes on from the same position"), after: None }
}
