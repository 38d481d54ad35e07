//! Where records end, found in one pass over the bytes and resumable at any byte, so that a record
//! of any length is measured in constant memory.

use memchr::{memchr, memchr2};

/// What separates records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Newlines.
    Line,
    /// Newlines outside of quotes.
    Csv,
    /// JSON values, or the elements of a top-level array.
    Json,
}

/// The state within a record.
#[derive(Clone, Debug)]
pub struct Scanner {
    framing: Framing,
    /// Within a top-level JSON array: kept in the position.
    pub in_array: bool,
    quoted: bool,
    escaped: bool,
    depth: u32,
    scalar: bool,
}

impl Scanner {
    /// Starts between records.
    pub fn new(framing: Framing, in_array: bool) -> Self {
        Self { framing, in_array, quoted: false, escaped: false, depth: 0, scalar: false }
    }

    /// What separates records.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// How many bytes between records stand at the beginning of `bytes`.
    pub fn gap(&mut self, bytes: &[u8]) -> usize {
        let mut n = 0;
        for b in bytes {
            match (self.framing, b) {
                (_, b'\n' | b'\r') => {}
                (Framing::Json, b' ' | b'\t' | b',') => {}
                (Framing::Json, b'[') if !self.in_array => self.in_array = true,
                (Framing::Json, b']') if self.in_array => self.in_array = false,
                _ => break,
            }
            n += 1;
        }
        n
    }

    /// Goes on in the current record. Returns how many of `bytes` belong to it (with its newline),
    /// if it ends within them.
    pub fn scan(&mut self, bytes: &[u8]) -> Option<usize> {
        match self.framing {
            Framing::Line => memchr(b'\n', bytes).map(|i| i + 1),
            Framing::Csv => {
                let mut at = 0;
                while let Some(i) = memchr2(b'"', b'\n', bytes.get(at..)?) {
                    at += i + 1;
                    if bytes.get(at - 1) == Some(&b'"') {
                        self.quoted = !self.quoted;
                    } else if !self.quoted {
                        return Some(at);
                    }
                }
                None
            }
            Framing::Json => self.scan_json(bytes),
        }
    }

    fn scan_json(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.quoted {
                if self.escaped {
                    self.escaped = false;
                    at += 1;
                    continue;
                }
                at += memchr2(b'"', b'\\', &bytes[at..])? + 1;
                match bytes[at - 1] {
                    b'\\' => self.escaped = true,
                    _ => {
                        self.quoted = false;
                        if self.depth == 0 && !self.scalar {
                            return Some(at);
                        }
                    }
                }
                continue;
            }
            match bytes[at] {
                b'"' => {
                    // Only a value that starts with a quote ends with one.
                    self.quoted = true;
                }
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 && !self.scalar {
                        return Some(at + 1);
                    }
                }
                // A bare value (or garbage) ends before what ends it.
                b',' | b' ' | b'\t' | b'\n' | b'\r' | b']' if self.depth == 0 && self.scalar => {
                    self.scalar = false;
                    return Some(at);
                }
                _ if self.depth == 0 => self.scalar = true,
                _ => {}
            }
            at += 1;
        }
        None
    }

    /// A record's bytes without its line end.
    pub fn content(&self, record: &[u8]) -> usize {
        if self.framing == Framing::Json {
            return record.len();
        }
        match record {
            [.., b'\r', b'\n'] => record.len() - 2,
            [.., b'\n'] => record.len() - 1,
            _ => record.len(),
        }
    }
}
