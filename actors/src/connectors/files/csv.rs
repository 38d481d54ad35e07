//! A CSV line's fields, for the header alone: the records' own lines are left to the pipeline.

/// The fields of one line (without its line end).
pub fn fields(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut out = Vec::new();
    let mut field = Vec::new();
    let mut quoted = false;
    let mut bytes = line.iter().copied().peekable();
    while let Some(b) = bytes.next() {
        match b {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                field.push(b'"');
            }
            b'"' => quoted = !quoted,
            b if b == delimiter && !quoted => out.push(text(&mut field)),
            b => field.push(b),
        }
    }
    out.push(text(&mut field));
    out
}

fn text(field: &mut Vec<u8>) -> String {
    String::from_utf8_lossy(&std::mem::take(field)).trim().to_owned()
}
