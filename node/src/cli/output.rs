//! How answers are shown: tables for people, JSON and CSV for programs.

use std::io::{self, IsTerminal as _, Write};

use clap::ValueEnum;
use comfy_table::{presets, CellAlignment, ContentArrangement, Table};
use lakewright_proto::{Error, ErrorCode};
use serde_json::Value;

/// How answers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// A column of a list: its heading, and the field of the JSON that it shows.
pub(crate) type Column<'a> = (&'a str, &'a str);

/// Writes to standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// A list; `nothing` is said to people where it is empty.
    pub(crate) fn list(&self, rows: &[Value], columns: &[Column<'_>], nothing: &str) -> Result<(), Error> {
        match self.format {
            Format::Json => self.json(&Value::from(rows.to_vec())),
            Format::Csv => self.text(&csv(rows, columns)),
            Format::Table if rows.is_empty() => self.line(nothing),
            Format::Table => self.line(&table(rows, columns)),
        }
    }

    /// One thing, a line per field.
    pub(crate) fn one(&self, value: &Value) -> Result<(), Error> {
        match (self.format, value.as_object()) {
            (Format::Table, Some(fields)) => {
                let width = fields.keys().map(String::len).max().unwrap_or(0);
                let lines: Vec<_> = fields.iter().filter(|(_, v)| !is_empty(v)).map(|(k, v)| format!("{k:width$}  {}", show(v))).collect();
                self.line(&lines.join("\n"))
            }
            (Format::Csv, Some(fields)) => {
                let lines: Vec<_> = fields.iter().map(|(k, v)| format!("{},{}", quote(k), quote(&show(v)))).collect();
                self.line(&lines.join("\n"))
            }
            _ => self.json(value),
        }
    }

    /// A sentence for people, or the whole for programs.
    pub(crate) fn said(&self, sentence: &str, value: &Value) -> Result<(), Error> {
        match self.format {
            Format::Json => self.json(value),
            _ => self.line(sentence),
        }
    }

    pub(crate) fn json(&self, value: &Value) -> Result<(), Error> {
        self.line(&format!("{value:#}"))
    }

    pub(crate) fn line(&self, text: &str) -> Result<(), Error> {
        self.text(&format!("{text}\n"))
    }

    pub(crate) fn text(&self, text: &str) -> Result<(), Error> {
        self.bytes(text.as_bytes())
    }

    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut out = io::stdout().lock();
        written(out.write_all(bytes).and_then(|()| out.flush()))
    }

    /// A remark beside the answer, for people alone.
    pub(crate) fn remark(&self, text: &str) {
        if self.format == Format::Table {
            // Standard error being closed is no reason to fail.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Whether progress may be drawn.
    pub(crate) fn draws_progress(&self) -> bool {
        self.format == Format::Table && io::stderr().is_terminal()
    }
}

/// A reader that has seen enough (`| head`) is no failure.
fn written(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(ErrorCode::Internal, format!("standard output: {e}"))),
        _ => Ok(()),
    }
}

pub(super) fn new_table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

pub(super) fn table(rows: &[Value], columns: &[Column<'_>]) -> String {
    let mut table = new_table();
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for row in rows {
        table.add_row(columns.iter().map(|(_, field)| show(&row[*field])));
    }
    for (i, (_, field)) in columns.iter().enumerate() {
        if rows.iter().all(|r| r[*field].is_number()) {
            if let Some(column) = table.column_mut(i) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    table.to_string()
}

pub(super) fn csv(rows: &[Value], columns: &[Column<'_>]) -> String {
    let mut out = columns.iter().map(|(_, field)| *field).collect::<Vec<_>>().join(",") + "\n";
    for row in rows {
        let cells: Vec<_> = columns.iter().map(|(_, field)| quote(&show(&row[*field]))).collect();
        out += &(cells.join(",") + "\n");
    }
    out
}

fn quote(s: &str) -> String {
    if s.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", s.replace('"', "\"\""))
    } else {
        s.to_owned()
    }
}

fn is_empty(v: &Value) -> bool {
    match v {
        Value::Null => true,
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.is_empty(),
        _ => false,
    }
}

fn show(v: &Value) -> String {
    match v {
        Value::Null => String::new(),
        Value::String(s) => s.clone(),
        Value::Array(a) => a.iter().map(show).collect::<Vec<_>>().join(", "),
        Value::Object(o) => o.iter().map(|(k, v)| format!("{k}={}", show(v))).collect::<Vec<_>>().join(" "),
        v => v.to_string(),
    }
}

/// Bytes for people.
pub(crate) fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}
