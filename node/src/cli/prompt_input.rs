//! What is typed at the SQL prompt: statements that end with `;`, commands that begin with `\`, and names to complete.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::Helper;

/// A command of the prompt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Quit,
    /// `\d`: tables; `\d NAME`: columns.
    Describe(Option<String>),
    Schemas,
    Timing,
    Passport,
    Options,
    Unknown(String),
}

/// The command that a line is.
pub(super) fn command(line: &str) -> Option<Command> {
    let rest = line.trim().trim_end_matches(';').strip_prefix('\\')?;
    let (word, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let name = Some(rest.trim()).filter(|n| !n.is_empty()).map(str::to_owned);
    Some(match word {
        "?" | "h" | "help" => Command::Help,
        "q" | "quit" => Command::Quit,
        "d" | "dt" => Command::Describe(name),
        "dn" => Command::Schemas,
        "timing" => Command::Timing,
        "passport" => Command::Passport,
        "options" => Command::Options,
        other => Command::Unknown(other.to_owned()),
    })
}

/// The statements of a text, and what is left after the last `;`.
pub(super) fn statements(text: &str) -> (Vec<&str>, &str) {
    let mut found = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match c {
            // A doubled quote ends one text and begins the next: the same to us.
            '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |n| n + 2),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |n| n + 2),
            ';' => {
                found.push(text[from..at].trim());
                from = at + 1;
                1
            }
            c => c.len_utf8(),
        };
    }
    found.retain(|s| !s.is_empty());
    (found, text[from..].trim())
}

const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "JOIN",
    "LEFT JOIN",
    "USING",
    "DISTINCT",
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "CAST",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "WITH",
    "UNION ALL",
    "EXPLAIN",
    "SET",
    "RESET",
    "SHOW",
    "require_quality",
    "require_freshness",
    "\\d",
    "\\dn",
    "\\timing",
    "\\passport",
    "\\options",
    "\\help",
    "\\quit",
];

/// Tells the line editor when a statement is whole, and completes names.
pub(super) struct Input {
    names: Vec<String>,
}

impl Input {
    pub(super) fn new(tables: Vec<String>) -> Self {
        Self { names: WORDS.iter().map(|w| (*w).to_owned()).chain(tables).collect() }
    }
}

impl Helper for Input {}
impl Highlighter for Input {}
impl Hinter for Input {
    type Hint = String;
}

impl Validator for Input {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let whole = ctx.input().trim().is_empty() || command(ctx.input()).is_some() || statements(ctx.input()).1.is_empty();
        Ok(if whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Completer for Input {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &rustyline::Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = &line[..pos];
        let start = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '\\'))).map_or(0, |n| n + 1);
        let word = before[start..].to_lowercase();
        let fits = |n: &&String| !word.is_empty() && n.to_lowercase().starts_with(&word);
        Ok((start, self.names.iter().filter(fits).cloned().collect()))
    }
}

#[cfg(test)]
#[path = "prompt_input_tests.rs"]
mod tests;
