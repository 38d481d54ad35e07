//! Session options: `schema`, `require_quality`, `require_freshness`, set with SQL (`SET`, `RESET`, `SHOW`) or with the
//! session actions of Flight SQL.

use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use lakewright_proto::{Error, ErrorCode, Layer};
use lakewright_storage::query::Requirements;
use serde::{Deserialize, Serialize};

/// What a session has set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Options {
    /// The schema in which bare names are looked up first.
    #[serde(default)]
    pub(crate) schema: Option<Layer>,
    /// What answers must be like.
    #[serde(default)]
    pub(crate) require: Requirements,
}

/// The options that there are.
pub(crate) const NAMES: [&str; 4] = ["catalog", "schema", "require_quality", "require_freshness"];
const LAYERS: [Layer; 5] = [Layer::Bronze, Layer::Silver, Layer::Gold, Layer::Platinum, Layer::System];

/// Why an option was not set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none of this name.
    Name(String),
    /// It cannot have this value.
    Value(String),
}

impl From<Fault> for Error {
    fn from(f: Fault) -> Self {
        let (Fault::Name(message) | Fault::Value(message)) = f;
        Error::new(ErrorCode::InvalidArgument, message)
    }
}

impl Options {
    /// Sets an option; no value: its default.
    pub(crate) fn set(&mut self, catalog: &str, name: &str, value: Option<&str>) -> Result<(), Fault> {
        match name {
            "catalog" => match value {
                None | Some("") => {}
                Some(v) if v == catalog => {}
                Some(v) => return Err(Fault::Value(format!("catalog {v:?} does not exist; a session sees {catalog:?} alone"))),
            },
            "schema" => {
                let layer = |v: &str| LAYERS.into_iter().find(|l| l.as_str() == v);
                let wrong = |v: &str| Fault::Value(format!("schema {v:?} does not exist: bronze, silver, gold, platinum, system"));
                self.schema = value.filter(|v| !v.is_empty()).map(|v| layer(v).ok_or_else(|| wrong(v))).transpose()?;
            }
            "require_quality" => self.require.quality = value.map(share).transpose()?,
            "require_freshness" => self.require.freshness = value.map(span).transpose()?,
            other => return Err(Fault::Name(format!("{other:?} is no session option: {}", NAMES.join(", ")))),
        }
        Ok(())
    }

    /// An option's value; none: it is not set.
    pub(crate) fn get(&self, catalog: &str, name: &str) -> Option<String> {
        match name {
            "catalog" => Some(catalog.to_owned()),
            "schema" => self.schema.map(|l| l.as_str().to_owned()),
            "require_quality" => self.require.quality.map(|q| q.to_string()),
            "require_freshness" => self.require.freshness.map(|us| format!("{}s", us as f64 / 1e6)),
            _ => None,
        }
    }
}

fn share(text: &str) -> Result<f64, Fault> {
    let number = text.parse::<f64>().ok().filter(|q| (0.0..=1.0).contains(q));
    number.ok_or_else(|| Fault::Value(format!("require_quality is a share from 0 to 1 such as 0.98, not {text:?}")))
}

/// `1h`, `90s`, `1h 30m`, in microseconds.
fn span(text: &str) -> Result<i64, Fault> {
    let wrong = || Fault::Value(format!("require_freshness is a span such as '90s', '15m', '1h 30m' or '2d', not {text:?}"));
    let mut rest = text.trim();
    let mut total = 0f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit = match rest[..letters].to_ascii_lowercase().as_str() {
            "ms" => 1e3,
            "s" | "sec" | "second" | "seconds" => 1e6,
            "m" | "min" | "minute" | "minutes" => 60e6,
            "h" | "hour" | "hours" => 3_600e6,
            "d" | "day" | "days" => 86_400e6,
            _ => return Err(wrong()),
        };
        total += number * unit;
        rest = rest[letters..].trim_start();
    }
    if total <= 0.0 || total > i64::MAX as f64 {
        return Err(wrong());
    }
    Ok(total as i64)
}

/// A statement about options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Setting {
    /// `SET name = value`; no value: `RESET name`, `SET name = NONE`.
    Set(String, Option<String>),
    /// `SHOW name`.
    Show(String),
}

impl Setting {
    pub(crate) fn name(&self) -> &str {
        let (Self::Set(name, _) | Self::Show(name)) = self;
        name
    }
}

/// The statement about options that a text is, if it is one.
pub(crate) fn setting(sql: &str) -> Result<Option<Setting>, Error> {
    let text = uncommented(sql).trim_end_matches(|c: char| c == ';' || c.is_whitespace());
    let (verb, rest) = text.split_once(|c: char| c.is_whitespace()).unwrap_or((text, ""));
    let rest = rest.trim();
    let name = |n: &str| n.trim().trim_matches('"').to_ascii_lowercase();
    let bad = || Error::new(ErrorCode::InvalidArgument, format!("write SET name = value; session options are {}", NAMES.join(", ")));
    Ok(match verb.to_ascii_lowercase().as_str() {
        "set" => {
            let rest = ["session ", "local "].iter().find_map(|w| strip_word(rest, w)).unwrap_or(rest);
            let (n, v) = match rest.split_once('=') {
                Some(pair) => pair,
                None => rest
                    .split_once(|c: char| c.is_whitespace())
                    .and_then(|(n, v)| Some((n, strip_word(v.trim(), "to ")?)))
                    .ok_or_else(bad)?,
            };
            Some(Setting::Set(name(n), literal(v.trim()).ok_or_else(bad)?))
        }
        "reset" => Some(Setting::Set(name(rest), None)),
        "show" if NAMES.contains(&name(rest).as_str()) => Some(Setting::Show(name(rest))),
        _ => None,
    })
}

fn strip_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let head = text.get(..word.len())?;
    head.eq_ignore_ascii_case(word).then(|| text[word.len()..].trim_start())
}

/// A value without its quotes; `NONE`, `NULL`, `OFF` and `DEFAULT` unset.
fn literal(v: &str) -> Option<Option<String>> {
    if let Some(inner) = v.strip_prefix('\'') {
        return Some(Some(inner.strip_suffix('\'')?.replace("''", "'")));
    }
    if v.is_empty() || v.contains(['\'', ';']) {
        return None;
    }
    let unset = ["none", "null", "off", "default"].iter().any(|w| v.eq_ignore_ascii_case(w));
    Some((!unset).then(|| v.trim_matches('"').to_owned()))
}

/// A text without the comments before it.
fn uncommented(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let after = if rest.starts_with("--") {
            rest.split_once('\n').map_or("", |(_, r)| r)
        } else if rest.starts_with("/*") {
            rest.split_once("*/").map_or("", |(_, r)| r)
        } else {
            return rest;
        };
        rest = after.trim_start();
    }
}

/// The columns of what a statement about options answers.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, true), Field::new("value", DataType::Utf8, true)]))
}

/// What it answers: the option as it is now.
pub(crate) fn answer(options: &Options, catalog: &str, name: &str) -> Result<RecordBatch, Error> {
    let columns: Vec<arrow_array::ArrayRef> =
        vec![Arc::new(StringArray::from(vec![name])), Arc::new(StringArray::from(vec![options.get(catalog, name)]))];
    RecordBatch::try_new(schema(), columns).map_err(|e| Error::new(ErrorCode::Internal, e.to_string()))
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
