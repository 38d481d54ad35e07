//! One look at each record's bytes: is it one whole JSON object, how deep is it, are keys there
//! twice, which keys does it have (its shape), does a value stand where the [`Layout`] expects one
//! of another kind, and where do the values begin that are kept as JSON. What the layout asks for
//! is gathered into columns on the way.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::gather::Gather;
use super::layout::{child, element, Kind, Layout, ROOT};
use super::reject::Reason;

/// Deeper nesting is refused: no source needs it, and decoders recurse.
pub const MAX_DEPTH: usize = 128;

/// What the look found in one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Fingerprint of the keys outside lists, in order, with their depth.
    pub shape: u64,
    /// An object has a key twice; the last value counts.
    pub duplicate_keys: bool,
}

/// A value kept as JSON: its slot of the layout, and its bytes in the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The record.
    pub row: u32,
    /// The slot.
    pub slot: u16,
    /// First byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

/// A value of another kind than its slot expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The record.
    pub row: u32,
    /// The slot.
    pub slot: u16,
}

struct Frame {
    object: bool,
    first_key: usize,
    /// The path that fields or entries hang on; none: nobody asks for anything below.
    path: Option<u64>,
    /// What entries of a list are held to.
    entries: Option<u16>,
    /// The column that counts the entries.
    counts: Option<u16>,
    capture: Option<(u16, u32)>,
}

/// Looks at records one by one; scratch space is reused.
pub struct Scanner<'a> {
    layout: &'a Layout,
    frames: Vec<Frame>,
    keys: Vec<u64>,
    row: u32,
    /// What the layout's columns hold.
    pub gather: Gather<'a>,
    /// Values kept as JSON, in the order of records.
    pub captures: Vec<Capture>,
    /// Values of another kind, in the order of records.
    pub mismatches: Vec<Mismatch>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

type Refusal = (Reason, String);

impl<'a> Scanner<'a> {
    /// For records that are read by this layout.
    pub fn new(layout: &'a Layout) -> Self {
        let gather = Gather::new(layout);
        Self { layout, frames: Vec::new(), keys: Vec::new(), row: 0, gather, captures: Vec::new(), mismatches: Vec::new() }
    }

    /// Looks at the record of a row. The bytes are known to be UTF-8.
    pub fn scan(&mut self, row: usize, bytes: &[u8]) -> Result<Scan, Refusal> {
        let (captures, mismatches) = (self.captures.len(), self.mismatches.len());
        self.row = row as u32;
        self.gather.begin(row);
        let mut scan = self.record(bytes);
        if scan.as_ref().is_ok_and(|s| s.duplicate_keys) {
            // Of a key that is there twice the last value counts: that is known only at the end.
            self.gather.undo();
            let (captures, mismatches) = (self.captures.len(), self.mismatches.len());
            let last = last_of_each(bytes).ok_or_else(|| (Reason::Parse, "its keys cannot be read".to_owned()));
            scan = last.and_then(|text| self.record(text.as_bytes())).and(scan);
            self.captures.truncate(captures);
            self.mismatches.truncate(mismatches);
        }
        if scan.is_err() {
            self.gather.undo();
            self.captures.truncate(captures);
            self.mismatches.truncate(mismatches);
        }
        scan
    }

    fn record(&mut self, bytes: &[u8]) -> Result<Scan, Refusal> {
        let bad = |why: &str, at: usize| Err((Reason::Parse, format!("{why} at byte {at}")));
        self.frames.clear();
        self.keys.clear();
        let mut scan = Scan { shape: 0, duplicate_keys: false };
        let mut lists = 0usize;
        let mut i = skip_space(bytes, 0);
        match bytes.get(i) {
            None => return bad("it is empty", 0),
            Some(b'{') => {}
            Some(_) => return bad("it is not an object", i),
        }
        let mut expect = Expect::Value;
        // Of the value that comes next: its path, and its slot where somebody asks for it.
        let (mut path, mut slot) = (Some(ROOT), None);
        loop {
            i = skip_space(bytes, i);
            let Some(&b) = bytes.get(i) else { return bad("it is cut short", i) };
            if matches!(expect, Expect::Value | Expect::ValueOrEnd) && b != b']' {
                if let Some(list) = self.frames.last().and_then(|f| f.counts) {
                    self.gather.entry(list);
                }
            }
            match (expect, b) {
                (Expect::Key | Expect::KeyOrEnd, b'"') => {
                    let Some(end) = string_end(bytes, i + 1) else { return bad("a string is not closed", i) };
                    let hash = key_hash(&bytes[i + 1..end]);
                    self.keys.push(hash);
                    let Some(frame) = self.frames.last() else { return bad("a key stands outside the object", i) };
                    if lists == 0 {
                        scan.shape = (scan.shape.rotate_left(5) ^ hash ^ self.frames.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                    }
                    path = frame.path.map(|p| child(p, hash));
                    slot = path.and_then(|p| self.layout.slot(p));
                    // What nobody asks for has nothing below it that anybody asks for.
                    path = path.filter(|_| slot.is_some());
                    expect = Expect::Colon;
                    i = end + 1;
                }
                (Expect::Colon, b':') => {
                    expect = Expect::Value;
                    i += 1;
                }
                (Expect::CommaOrEnd, b',') => {
                    let Some(frame) = self.frames.last() else { return bad("a comma stands outside the object", i) };
                    expect = if frame.object { Expect::Key } else { Expect::Value };
                    (path, slot) = (frame.path.filter(|_| frame.entries.is_some()), frame.entries);
                    i += 1;
                }
                (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                    if self.frames.len() == MAX_DEPTH {
                        return Err((Reason::TooDeep, format!("it is nested deeper than {MAX_DEPTH} levels, at byte {i}")));
                    }
                    let object = b == b'{';
                    let capture = self.met(slot, if object { Kind::Object } else { Kind::List }).map(|s| (s, i as u32));
                    lists += usize::from(!object);
                    let below = if object { path } else { path.map(element) };
                    let entries = if object { None } else { below.and_then(|p| self.layout.slot(p)) };
                    let counts = slot.filter(|_| !object).map(|s| self.layout.expects(s)).filter(|s| s.kind == Some(Kind::List));
                    let counts = counts.and_then(|s| s.column);
                    if let Some(list) = counts {
                        self.gather.list(list);
                    }
                    self.frames.push(Frame { object, first_key: self.keys.len(), path: below, entries, counts, capture });
                    (path, slot) = (below.filter(|_| entries.is_some()), entries);
                    expect = if object { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                    i += 1;
                }
                (Expect::KeyOrEnd | Expect::ValueOrEnd | Expect::CommaOrEnd, b'}' | b']') => {
                    let Some(frame) = self.frames.pop() else { return bad("a bracket closes nothing", i) };
                    if frame.object != (b == b'}') {
                        return bad("a bracket closes another kind", i);
                    }
                    i += 1;
                    if let Some((slot, start)) = frame.capture {
                        self.captures.push(Capture { row: self.row, slot, start, end: i as u32 });
                    }
                    lists -= usize::from(!frame.object);
                    scan.duplicate_keys |= has_twice(&mut self.keys[frame.first_key..]);
                    self.keys.truncate(frame.first_key);
                    if self.frames.is_empty() {
                        let rest = skip_space(bytes, i);
                        return if rest == bytes.len() { Ok(scan) } else { bad("something follows the object", rest) };
                    }
                    expect = Expect::CommaOrEnd;
                }
                (Expect::Value | Expect::ValueOrEnd, _) => {
                    let Some(end) = scalar_end(bytes, i) else { return bad("a value cannot be read", i) };
                    let kind = if b == b'n' { Kind::Null } else { Kind::Scalar };
                    if let Some(slot) = slot {
                        if self.met(Some(slot), kind).is_some() {
                            self.captures.push(Capture { row: self.row, slot, start: i as u32, end: end as u32 });
                        }
                        let wanted = self.layout.expects(slot);
                        if let Some(column) = wanted.column.filter(|_| kind == Kind::Scalar && wanted.kind == Some(Kind::Scalar)) {
                            if let Err(why) = self.gather.scalar(column, &bytes[i..end]) {
                                return bad(why, i);
                            }
                        }
                    }
                    expect = Expect::CommaOrEnd;
                    i = end;
                }
                (Expect::Key | Expect::KeyOrEnd, _) => return bad("a key was expected", i),
                (Expect::Colon, _) => return bad("a colon was expected", i),
                (Expect::CommaOrEnd, _) => return bad("a comma or the end was expected", i),
            }
        }
    }

    /// Notes a value of another kind than its slot's; the slot comes back if its value is kept.
    fn met(&mut self, slot: Option<u16>, kind: Kind) -> Option<u16> {
        let slot = slot?;
        let expected = self.layout.expects(slot);
        if kind == Kind::Null {
            return None;
        }
        if expected.kind.is_some_and(|k| k != kind) {
            self.mismatches.push(Mismatch { row: self.row, slot });
        }
        expected.keep.then_some(slot)
    }
}

fn skip_space(bytes: &[u8], mut i: usize) -> usize {
    while bytes.get(i).is_some_and(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')) {
        i += 1;
    }
    i
}

/// The index of the closing quote of a string whose first byte is at `from`.
pub fn string_end(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        // What no column asks for is not read, so its escapes are looked at here.
        from = match bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at + 2,
            b'u' if bytes.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at + 6,
            _ => return None,
        };
    }
}

/// The index after a string, number or word.
fn scalar_end(bytes: &[u8], at: usize) -> Option<usize> {
    let word = |w: &[u8]| bytes[at..].starts_with(w).then(|| at + w.len());
    match bytes.get(at)? {
        b'"' => string_end(bytes, at + 1).map(|end| end + 1),
        b't' => word(b"true"),
        b'f' => word(b"false"),
        b'n' => word(b"null"),
        _ => number_end(bytes, at),
    }
}

fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let some = |from: usize| Some(digits(from)).filter(|end| *end > from);
    let mut i = at + usize::from(bytes.get(at) == Some(&b'-'));
    i = if bytes.get(i) == Some(&b'0') { i + 1 } else { some(i)? };
    if bytes.get(i) == Some(&b'.') {
        i = some(i + 1)?;
    }
    if matches!(bytes.get(i), Some(b'e' | b'E')) {
        i = some(i + 1 + usize::from(matches!(bytes.get(i + 1), Some(b'+' | b'-'))))?;
    }
    Some(i)
}

/// Equal for equal keys, however they are escaped.
fn key_hash(raw: &[u8]) -> u64 {
    if memchr::memchr(b'\\', raw).is_some() {
        let quoted = [b"\"", raw, b"\""].concat();
        if let Ok(Value::String(key)) = serde_json::from_slice(&quoted) {
            return xxh3_64(key.as_bytes());
        }
    }
    xxh3_64(raw)
}

/// The object with the last value of each key, at every depth.
fn last_of_each(bytes: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(bytes.len());
    put_last(std::str::from_utf8(bytes).ok()?, &mut out)?;
    Some(out)
}

fn put_last(text: &str, out: &mut String) -> Option<()> {
    match text.as_bytes().first()? {
        b'{' => {
            let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
            out.push('{');
            for (i, (name, value)) in fields.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                put_last(value.get(), out)?;
            }
            out.push('}');
        }
        b'[' => {
            let entries: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            out.push('[');
            for (i, value) in entries.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                put_last(value.get(), out)?;
            }
            out.push(']');
        }
        _ => out.push_str(text),
    }
    Some(())
}

/// Whether a hash is there twice; the order may change. Never quadratic in what a source sends.
fn has_twice(keys: &mut [u64]) -> bool {
    if keys.len() <= 24 {
        return keys.iter().enumerate().any(|(i, k)| keys[..i].contains(k));
    }
    keys.sort_unstable();
    keys.windows(2).any(|w| w[0] == w[1])
}
