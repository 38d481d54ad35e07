//! Records as JSON text, whatever form they came in. What cannot be text is refused.

use std::collections::BTreeMap;

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, StringArray};
use serde_json::{Map, Value};

use super::bronze::{csv_of, Input, OVERSIZE};
use super::reject::{Reason, Reject};

/// One text per record; empty where the record is refused.
pub fn records(input: &Input, rejects: &mut BTreeMap<usize, Reject>) -> StringArray {
    let plain = input.format.iter().all(|f| f.is_some_and(|f| f == "json" || f == "parquet_json"));
    if plain && simdutf8::basic::from_utf8(input.payload.value_data()).is_ok() && rejects.is_empty() {
        // The bytes as they are; a record that begins in the middle of a character is found here.
        let array = StringArray::try_new(input.payload.offsets().clone(), input.payload.values().clone(), None);
        if let Ok(array) = array {
            return array;
        }
    }
    let mut out = StringBuilder::with_capacity(input.payload.len(), input.payload.value_data().len());
    let mut header: (String, Vec<String>) = Default::default();
    for row in 0..input.payload.len() {
        let text = if rejects.contains_key(&row) { Ok(String::new()) } else { record(input, row, &mut header) };
        match text {
            Ok(text) => out.append_value(text),
            Err(reject) => {
                rejects.insert(row, reject);
                out.append_value("");
            }
        }
    }
    out.finish()
}

fn record(input: &Input, row: usize, header: &mut (String, Vec<String>)) -> Result<String, Reject> {
    let (bytes, format) = (input.payload.value(row), input.format.value(row));
    if let Some(rest) = format.strip_prefix(OVERSIZE) {
        let length = rest.split(':').next().unwrap_or_default();
        let detail = format!("it is {length} bytes long, more than the connector's max_record_bytes; only its head is kept");
        return Err(Reject::new(Reason::Oversize, detail));
    }
    let text = simdutf8::compat::from_utf8(bytes)
        .map_err(|e| Reject::new(Reason::InvalidUtf8, format!("its bytes are not UTF-8 from byte {} on", e.valid_up_to())))?;
    let Some((delimiter, names)) = csv_of(format) else { return Ok(text.to_owned()) };
    if header.0 != names {
        let parsed = serde_json::from_str(names).map_err(|e| Reject::new(Reason::Internal, format!("its header cannot be read: {e}")))?;
        *header = (names.to_owned(), parsed);
    }
    csv(text, delimiter, &header.1)
}

/// A CSV line as an object of texts; an empty cell is null, since CSV tells no difference.
fn csv(line: &str, delimiter: char, header: &[String]) -> Result<String, Reject> {
    let cells = cells(line, delimiter).ok_or_else(|| Reject::new(Reason::Parse, "a quoted cell is not closed"))?;
    if cells.len() != header.len() {
        return Err(Reject::new(Reason::Parse, format!("it has {} cells and the header {}", cells.len(), header.len())));
    }
    let mut object = Map::new();
    for (name, cell) in header.iter().zip(cells) {
        object.insert(name.clone(), if cell.is_empty() { Value::Null } else { Value::String(cell) });
    }
    Ok(Value::Object(object).to_string())
}

/// The cells of one RFC 4180 record.
fn cells(line: &str, delimiter: char) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut chars = line.trim_end_matches(['\r', '\n']).chars().peekable();
    loop {
        let mut cell = String::new();
        if chars.peek() == Some(&'"') {
            chars.next();
            loop {
                match chars.next()? {
                    '"' if chars.peek() == Some(&'"') => {
                        chars.next();
                        cell.push('"');
                    }
                    '"' => break,
                    c => cell.push(c),
                }
            }
        }
        while let Some(c) = chars.next_if(|c| *c != delimiter) {
            cell.push(c);
        }
        out.push(cell);
        if chars.next().is_none() {
            return Some(out);
        }
    }
}

/// Appends what a JSON string means, given the bytes between its quotes.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let (plain, used) = match rest.get(at + 1) {
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{c}', 2),
            Some(c @ (b'"' | b'\\' | b'/')) => (char::from(*c), 2),
            Some(b'u') => unicode(&rest[at..]).ok_or("a string has half of a surrogate pair")?,
            _ => return Err("a string has an unknown escape"),
        };
        let mut buffer = [0; 4];
        out.extend_from_slice(plain.encode_utf8(&mut buffer).as_bytes());
        rest = &rest[at + used..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The character of `\uXXXX`, or of a pair of them, and how many bytes that is.
fn unicode(raw: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = raw.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(0)? {
        high @ 0xd800..=0xdbff => {
            let low = unit(6).filter(|low| (0xdc00..=0xdfff).contains(low))?;
            Some((char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))?, 12))
        }
        unit => Some((char::from_u32(unit)?, 6)),
    }
}
