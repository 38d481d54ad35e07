//! Values that stay JSON: columns of `jsonb` at a path, cut out of the record's own text so that
//! numbers keep every digit.

use arrow_array::builder::StringBuilder;
use arrow_array::StringArray;
use serde_json::value::RawValue;
use std::collections::HashMap;

use lakewright_storage::pack::Path;

use super::scan::{string_end, Capture, Scan};

/// The column of the values in one slot, as JSON without needless space.
pub fn column(json: &StringArray, scans: &[Option<Scan>], captures: &[Capture], slot: u16, path: &Path) -> StringArray {
    let mut out = StringBuilder::new();
    let mut found = captures.iter().filter(|c| c.slot == slot).peekable();
    for (row, scan) in scans.iter().enumerate() {
        let mut last = None;
        while let Some(c) = found.next_if(|c| c.row as usize == row) {
            last = Some(c);
        }
        let record = json.value(row);
        // Of an object that is there twice the last one counts, and captures cannot tell.
        let text = if scan.is_some_and(|s| s.duplicate_keys) {
            walk(record, path)
        } else {
            last.map(|c| &record[c.start as usize..c.end as usize])
        };
        match text {
            Some(text) if spaced(text) => out.append_value(compact(text)),
            text => out.append_option(text),
        }
    }
    out.finish()
}

fn walk<'a>(record: &'a str, path: &Path) -> Option<&'a str> {
    let mut text = record;
    for name in path.field_names() {
        let mut object: HashMap<String, &'a RawValue> = serde_json::from_str(text).ok()?;
        text = object.remove(name)?.get();
    }
    (text != "null").then_some(text)
}

/// Whether there is space between its parts.
fn spaced(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut i = 0;
    while let Some(b) = bytes.get(i) {
        match b {
            b'"' => i = string_end(bytes, i + 1).unwrap_or(bytes.len()),
            b' ' | b'\n' | b'\r' | b'\t' => return true,
            _ => {}
        }
        i += 1;
    }
    false
}

/// JSON without the space between its parts.
fn compact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if quoted || !c.is_ascii_whitespace() {
            out.push(c);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    out
}
