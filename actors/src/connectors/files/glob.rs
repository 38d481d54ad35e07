//! File patterns: `*` and `?` within a name, `**` across directories, `[a-z]`, `{a,b}`.

use regex::Regex;

/// Makes a matcher of a pattern; the error says what is wrong with it.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    let mut re = String::from("^(?:");
    let mut chars = pattern.chars().peekable();
    let mut braces = 0;
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                // `**/` also matches no directory at all.
                if chars.peek() == Some(&'/') {
                    chars.next();
                    re.push_str("(?:.*/)?");
                } else {
                    re.push_str(".*");
                }
            }
            '*' => re.push_str("[^/]*"),
            '?' => re.push_str("[^/]"),
            '{' => {
                braces += 1;
                re.push_str("(?:");
            }
            '}' if braces > 0 => {
                braces -= 1;
                re.push(')');
            }
            ',' if braces > 0 => re.push('|'),
            '[' => {
                re.push('[');
                if chars.peek() == Some(&'!') {
                    chars.next();
                    re.push('^');
                }
                let mut closed = false;
                for c in chars.by_ref() {
                    if c == ']' {
                        closed = true;
                        break;
                    }
                    if "\\[^&~".contains(c) {
                        re.push('\\');
                    }
                    re.push(c);
                }
                if !closed {
                    return Err(format!("{pattern:?} has '[' without ']'"));
                }
                re.push(']');
            }
            c => re.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    if braces > 0 {
        return Err(format!("{pattern:?} has '{{' without '}}'"));
    }
    re.push_str(")$");
    Regex::new(&re).map_err(|e| format!("{pattern:?} is not a pattern: {e}"))
}
