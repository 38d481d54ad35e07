//! Cuts a stream of bytes into records: a block is read, its records become views into it, and only
//! the unfinished last one is carried over. Memory: one block and one record of the largest size.

use std::io::{self, Read};

use super::batch::{BatchBuilder, Oversize, Span};
use super::scanner::{Framing, Scanner};
use super::source::FileFault;
use crate::connectors::SourceError;

const FIRST_BLOCK: usize = 256 << 10;
const LARGEST_BLOCK: usize = 8 << 20;
/// A batch's records should not exceed this by much.
const BLOCK_ROWS: usize = 60_000;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// What a pull came to.
#[derive(Debug)]
pub enum Pull {
    /// There may be more.
    More,
    /// The end, with this many bytes of an open last record (0: none).
    End(u64),
    /// The source failed; the records before are in the batch.
    Fault(FileFault),
}

/// A file's records.
pub struct Framer {
    read: Box<dyn Read + Send>,
    scanner: Scanner,
    carry: Vec<u8>,
    oversize: Option<(Oversize, u64)>,
    /// Offset of the next record to deliver.
    at: u64,
    limit: usize,
    block: usize,
    /// Length of the first record if it was delivered already, when its line was still open.
    already: Option<u64>,
    /// The record delivered open turned out longer.
    pub completed: bool,
}

impl Framer {
    /// Reads records that start at `at`, which is where `read` stands.
    pub fn new(read: Box<dyn Read + Send>, scanner: Scanner, at: u64, limit: usize, already: u64) -> Self {
        Self {
            read,
            scanner,
            carry: Vec::new(),
            oversize: None,
            at,
            limit,
            block: FIRST_BLOCK,
            already: (already > 0).then_some(already),
            completed: false,
        }
    }

    /// Offset of the next record, and whether it is within a top-level array.
    pub fn at(&self) -> (u64, bool) {
        (self.at, self.scanner.in_array)
    }

    /// Length of the record at `at` if it was delivered while its line was open, and not yet seen again.
    pub fn already(&self) -> u64 {
        self.already.unwrap_or(0)
    }

    /// Bytes held between pulls.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.carry.capacity()
    }

    fn read_block(&mut self, buf: &mut Vec<u8>, want: usize) -> (bool, Option<io::Error>) {
        let mut n = buf.len();
        buf.resize(n + want, 0);
        let (mut end, mut fault) = (false, None);
        while n < buf.len() {
            match self.read.read(&mut buf[n..]) {
                Ok(0) => {
                    end = true;
                    break;
                }
                Ok(k) => n += k,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    fault = Some(e);
                    break;
                }
            }
        }
        buf.truncate(n);
        (end, fault)
    }

    /// Reads one block and adds its records to the batch.
    pub fn pull(&mut self, batch: &mut BatchBuilder, budget: usize, label: &str) -> Result<Pull, SourceError> {
        let mut buf = std::mem::take(&mut self.carry);
        let old = buf.len();
        let want = self.block.min(budget.max(64 << 10));
        let (end, fault) = self.read_block(&mut buf, want);
        // The offset of the block's first byte.
        let base = self.at + self.oversize.as_ref().map_or(0, |(_, passed)| *passed);
        let mut spans = Vec::new();
        // `pos`: start of the current record; `scanned`: how far it has been looked at.
        let (mut pos, mut scanned) = (0, old);
        if self.oversize.is_some() {
            pos = self.pass_oversize(batch, &buf, label);
            scanned = pos;
        } else if base == 0 && old == 0 && buf.starts_with(BOM) {
            (pos, scanned) = (BOM.len(), BOM.len());
        }
        while self.oversize.is_none() {
            if scanned == pos {
                pos += self.scanner.gap(&buf[pos..]);
                scanned = pos;
            }
            let Some(n) = self.scanner.scan(&buf[scanned..]) else { break };
            let end = scanned + n;
            let record = &buf[pos..end];
            let len = self.scanner.content(record);
            let place = base + pos as u64;
            if !self.was_delivered(len as u64, record[len..].starts_with(b"\r")) && !self.blank(&record[..len]) {
                if len > self.limit {
                    batch.push_oversize(Oversize::whole(&record[..len]), batch.rows + spans.len(), label, place);
                } else {
                    spans.push(Span { at: pos, len, place });
                }
            }
            (pos, scanned) = (end, end);
        }
        if self.oversize.is_none() {
            self.at = base + pos as u64;
            self.keep_rest(&buf, pos);
        }
        let bytes: usize = spans.iter().map(|s| s.len).sum();
        if !spans.is_empty() {
            let average = (bytes / spans.len()).max(8);
            self.block = (self.block * 4).min(LARGEST_BLOCK).min((average * BLOCK_ROWS).max(FIRST_BLOCK));
        } else if old > 0 || self.oversize.is_some() {
            self.block = LARGEST_BLOCK;
        }
        batch.push(buf, &spans, label, "")?;
        Ok(match fault {
            Some(e) => Pull::Fault(FileFault::of(&e)),
            None if end => Pull::End(self.open_bytes()),
            None => Pull::More,
        })
    }

    fn keep_rest(&mut self, buf: &[u8], pos: usize) {
        let rest = &buf[pos..];
        if rest.len() > self.limit {
            self.oversize = Some((Oversize::new(rest), rest.len() as u64));
        } else {
            self.carry = rest.to_vec();
        }
    }

    /// Feeds a block to the oversize record under way. Returns where it ends, or the block's length.
    fn pass_oversize(&mut self, batch: &mut BatchBuilder, buf: &[u8], label: &str) -> usize {
        let Some((mut o, raw)) = self.oversize.take() else { return 0 };
        match self.scanner.scan(buf) {
            None => {
                o.feed(buf);
                self.oversize = Some((o, raw + buf.len() as u64));
                buf.len()
            }
            Some(n) => {
                let content = self.scanner.content(&buf[..n]);
                o.end(&buf[..content], content < n);
                if !self.was_delivered(o.length(), true) {
                    batch.push_oversize(o, batch.rows, label, self.at);
                }
                n
            }
        }
    }

    /// Whether a record of this length is the one that was delivered open. `cr`: a carriage return
    /// may end it, which was part of the open record while its newline was missing.
    fn was_delivered(&mut self, len: u64, cr: bool) -> bool {
        match self.already.take() {
            Some(n) if n == len || (cr && n == len + 1) => true,
            Some(_) => {
                self.completed = true;
                false
            }
            None => false,
        }
    }

    fn blank(&self, record: &[u8]) -> bool {
        record.trim_ascii().is_empty() && self.scanner.framing() != Framing::Json
    }

    fn open_bytes(&self) -> u64 {
        match &self.oversize {
            Some((o, _)) => o.length(),
            None if self.blank(&self.carry) => 0,
            None => self.carry.len() as u64,
        }
    }

    /// Delivers the open last record. Returns its length in bytes of the source.
    pub fn deliver_open(&mut self, batch: &mut BatchBuilder, label: &str) -> Result<u64, SourceError> {
        let open = self.open_bytes();
        if self.was_delivered(open, false) {
            return Ok(open);
        }
        if let Some((mut o, _)) = self.oversize.take() {
            o.end(&[], false);
            batch.push_oversize(o, batch.rows, label, self.at);
        } else {
            let len = self.carry.len();
            batch.push(std::mem::take(&mut self.carry), &[Span { at: 0, len, place: self.at }], label, "")?;
        }
        Ok(open)
    }
}
