//! Gathers records into one batch: views into the fetched buffers, nothing copied per record.

use std::fmt::Write;

use arrow_array::builder::{BinaryViewBuilder, StringBuilder};
use arrow_buffer::Buffer;
use lakewright_proto::SourcePosition;
use sha2::{Digest, Sha256};

use crate::connectors::{OversizeRecord, PayloadFormat, RawBatch, SourceError, SourceNotice};

/// Bytes kept of a record that is too large.
pub const HEAD_BYTES: usize = 64 << 10;

/// A record as a range of a block, and where it is in its source.
pub struct Span {
    /// Start in the block.
    pub at: usize,
    /// Length.
    pub len: usize,
    /// Offset or row number in the source.
    pub place: u64,
}

/// A batch being gathered.
pub struct BatchBuilder {
    /// What the payloads are; the first file decides.
    pub kind: Option<(PayloadFormat, Option<Vec<String>>)>,
    payload: BinaryViewBuilder,
    location: StringBuilder,
    /// Records so far.
    pub rows: usize,
    /// Payload bytes so far.
    pub bytes: usize,
    oversize: Vec<OversizeRecord>,
}

impl BatchBuilder {
    /// An empty batch.
    pub fn new() -> Self {
        Self { kind: None, payload: BinaryViewBuilder::new(), location: StringBuilder::new(), rows: 0, bytes: 0, oversize: Vec::new() }
    }

    /// Nothing gathered.
    pub fn is_empty(&self) -> bool {
        self.rows == 0 && self.oversize.is_empty()
    }

    /// Adds the records of a block. `label`: the file and the mark before the place (`name@`).
    pub fn push(&mut self, block: Vec<u8>, spans: &[Span], label: &str, suffix: &str) -> Result<(), SourceError> {
        if spans.is_empty() {
            return Ok(());
        }
        let internal = |e: String| SourceError::Fatal(format!("gathering records of {label}: {e}"));
        let id = self.payload.append_block(Buffer::from_vec(block));
        for s in spans {
            let u32s = u32::try_from(s.at).ok().zip(u32::try_from(s.len).ok());
            let (at, len) = u32s.ok_or_else(|| internal("a block of 4 GiB".to_owned()))?;
            self.payload.try_append_view(id, at, len).map_err(|e| internal(e.to_string()))?;
            // Writing into the builder cannot fail.
            let _ = write!(self.location, "{label}{}{suffix}", s.place);
            self.location.append_value("");
            self.bytes += s.len;
        }
        self.rows += spans.len();
        Ok(())
    }

    /// Notes a record that was too large.
    pub fn push_oversize(&mut self, o: Oversize, before_row: usize, label: &str, place: u64) {
        // Heads are held in memory like payloads are.
        self.bytes += o.head.len();
        self.oversize.push(OversizeRecord {
            before_row,
            head: o.head,
            length: o.length,
            sha256: o.sha.finalize().into(),
            location: format!("{label}{place}"),
        });
    }

    /// The batch, with the position after it.
    pub fn finish(mut self, position: SourcePosition, notices: Vec<SourceNotice>) -> RawBatch {
        let (format, csv_header) = self.kind.unwrap_or((PayloadFormat::Json, None));
        RawBatch {
            format,
            csv_header,
            payload: self.payload.finish(),
            location: Some(self.location.finish()),
            key: None,
            version: None,
            event_time: None,
            operation: None,
            request_id: None,
            oversize: self.oversize,
            notices,
            position,
        }
    }
}

/// A record that is too large, measured as it passes by.
pub struct Oversize {
    head: Vec<u8>,
    length: u64,
    sha: Sha256,
    /// A `\r` that belongs to the record only if no newline follows.
    held: bool,
}

impl Oversize {
    /// Starts with the bytes so far.
    pub fn new(bytes: &[u8]) -> Self {
        let mut o = Self { head: Vec::new(), length: 0, sha: Sha256::new(), held: false };
        o.feed(bytes);
        o
    }

    /// A record that is at hand whole.
    pub fn whole(record: &[u8]) -> Self {
        let mut o = Self::new(&[]);
        o.end(record, true);
        o
    }

    /// More of it.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some((last, rest)) = bytes.split_last() else { return };
        if std::mem::take(&mut self.held) {
            self.take(b"\r");
        }
        self.take(rest);
        if *last == b'\r' {
            self.held = true;
        } else {
            self.take(&[*last]);
        }
    }

    /// The end: the record's own bytes in the last piece are `content` long, `terminated` by a newline.
    pub fn end(&mut self, content: &[u8], terminated: bool) {
        let last_piece = !content.is_empty();
        self.feed(content);
        if std::mem::take(&mut self.held) && (last_piece || !terminated) {
            self.take(b"\r");
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = HEAD_BYTES - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.sha.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }
}
