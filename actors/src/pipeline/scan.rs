//! One quick look at a record's bytes before it is decoded: is it one whole JSON object, how deep
//! is it, are keys there twice, and which keys does it have (its shape).

use xxhash_rust::xxh3::xxh3_64;

use super::reject::Reason;

/// Deeper nesting is refused: no source needs it, and decoders recurse.
pub const MAX_DEPTH: usize = 128;

/// What the look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// Fingerprint of the keys outside lists, in order, with their depth.
    pub shape: u64,
    /// An object has a key twice; the last value counts.
    pub duplicate_keys: bool,
}

struct Frame {
    object: bool,
    first_key: usize,
}

/// Scratch space, reused from record to record.
#[derive(Default)]
pub struct Scanner {
    frames: Vec<Frame>,
    keys: Vec<u64>,
}

impl Scanner {
    /// Looks at one record. The bytes are known to be UTF-8.
    pub fn scan(&mut self, bytes: &[u8]) -> Result<Scan, (Reason, String)> {
        self.frames.clear();
        self.keys.clear();
        let bad = |why: &str, at: usize| Err((Reason::Parse, format!("{why} at byte {at}")));
        let mut shape: u64 = 0;
        let mut duplicate_keys = false;
        let mut lists = 0usize;
        let mut key_expected = false;
        let mut i = 0;
        while let Some(&b) = bytes.get(i) {
            match b {
                b'"' => {
                    let Some(end) = string_end(bytes, i + 1) else { return bad("a string is not closed", i) };
                    if key_expected {
                        let hash = xxh3_64(&bytes[i + 1..end]);
                        if let Some(frame) = self.frames.last() {
                            duplicate_keys |= self.keys[frame.first_key..].contains(&hash);
                        }
                        self.keys.push(hash);
                        if lists == 0 {
                            shape = (shape.rotate_left(5) ^ hash ^ self.frames.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                        }
                        key_expected = false;
                    } else if self.frames.is_empty() {
                        return bad("it is not an object", i);
                    }
                    i = end;
                }
                b'{' | b'[' => {
                    if self.frames.is_empty() && (b != b'{' || i != start(bytes)) {
                        return bad("it is not one object", i);
                    }
                    if self.frames.len() == MAX_DEPTH {
                        return Err((Reason::TooDeep, format!("it is nested deeper than {MAX_DEPTH} levels, at byte {i}")));
                    }
                    lists += usize::from(b == b'[');
                    key_expected = b == b'{';
                    self.frames.push(Frame { object: b == b'{', first_key: self.keys.len() });
                }
                b'}' | b']' => {
                    let Some(frame) = self.frames.pop() else { return bad("a bracket closes nothing", i) };
                    if frame.object != (b == b'}') {
                        return bad("a bracket closes another kind", i);
                    }
                    lists -= usize::from(b == b']');
                    self.keys.truncate(frame.first_key);
                    key_expected = false;
                    if self.frames.is_empty() {
                        return match bytes[i + 1..].iter().position(|b| !b.is_ascii_whitespace()) {
                            None => Ok(Scan { shape, duplicate_keys }),
                            Some(more) => bad("something follows the object", i + 1 + more),
                        };
                    }
                }
                b',' => key_expected = self.frames.last().is_some_and(|f| f.object),
                _ if self.frames.is_empty() && !b.is_ascii_whitespace() => return bad("it is not an object", i),
                _ => {}
            }
            i += 1;
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return bad("it is empty", 0);
        }
        bad("it is cut short", bytes.len())
    }
}

fn start(bytes: &[u8]) -> usize {
    bytes.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or(0)
}

/// The index of the closing quote.
fn string_end(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', bytes.get(from..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        from = at + 2;
    }
}
