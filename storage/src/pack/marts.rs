//! `marts.yaml`: Gold tables that a pack makes with SQL.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::load::PackFault;

/// The file that lists marts.
pub const MARTS: &str = "marts.yaml";
/// The longest SQL of a mart, bytes.
const MAX_SQL: usize = 64 << 10;

/// A Gold table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mart {
    /// Its name, and its table's in `gold`.
    pub name: String,
    /// What it tells.
    pub description: String,
    /// The query that makes its rows.
    pub sql: String,
    /// The query that lists what a row is made of; `$1` and so on are the row's grain.
    pub explain: Option<String>,
    /// Columns that name a row.
    pub grain: Vec<String>,
    /// What columns mean.
    pub columns: BTreeMap<String, String>,
    /// How long it waits after a change for more of them.
    pub debounce: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMarts {
    marts: Vec<RawMart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMart {
    name: String,
    description: String,
    sql: String,
    explain: Option<String>,
    #[serde(default)]
    grain: Vec<String>,
    #[serde(default)]
    columns: BTreeMap<String, String>,
    #[serde(default = "five")]
    debounce_seconds: f64,
}

fn five() -> f64 {
    5.0
}

/// Reads a pack's marts; a pack without the file has none.
pub(super) fn parse(files: &[(String, Vec<u8>)]) -> Result<Vec<Mart>, Vec<PackFault>> {
    let Some((_, content)) = files.iter().find(|(path, _)| path == MARTS) else { return Ok(Vec::new()) };
    let whole = |line, message| vec![PackFault { file: MARTS.to_owned(), line, message }];
    let text = std::str::from_utf8(content).map_err(|e| whole(0, format!("it is not UTF-8: {e}")))?;
    let raw: RawMarts = serde_yaml_ng::from_str(text).map_err(|e| whole(e.location().map_or(0, |l| l.line() as u32), e.to_string()))?;
    let mut faults = Vec::new();
    let mut marts: Vec<Mart> = Vec::new();
    for m in raw.marts {
        let line = text.lines().position(|l| l.contains("name:") && l.contains(&m.name)).map_or(0, |n| n as u32 + 1);
        let mut fault = |message: String| faults.push(PackFault { file: MARTS.to_owned(), line, message });
        if let Err(e) = crate::paths::validate_table(&m.name) {
            fault(e.message);
        }
        if marts.iter().any(|other| other.name == m.name) {
            fault(format!("mart {} is there twice", m.name));
        }
        if !(0.0..=86_400.0).contains(&m.debounce_seconds) {
            fault(format!("mart {}: debounce_seconds is between 0 and 86400", m.name));
        }
        if m.explain.is_some() && m.grain.is_empty() {
            fault(format!("mart {}: explain needs a grain, the columns that name a row", m.name));
        }
        let mut read = |path: &str| match sql(files, path) {
            Ok(text) => text,
            Err(why) => {
                fault(format!("mart {}: {why}", m.name));
                String::new()
            }
        };
        let query = read(&m.sql);
        let explain = m.explain.as_deref().map(&mut read);
        marts.push(Mart {
            name: m.name,
            description: m.description,
            sql: query,
            explain,
            grain: m.grain,
            columns: m.columns,
            debounce: Duration::from_secs_f64(m.debounce_seconds.clamp(0.0, 86_400.0)),
        });
    }
    if faults.is_empty() {
        Ok(marts)
    } else {
        Err(faults)
    }
}

fn sql(files: &[(String, Vec<u8>)], path: &str) -> Result<String, String> {
    let (_, content) = files.iter().find(|(p, _)| p == path).ok_or_else(|| format!("the pack has no file {path}"))?;
    let text = std::str::from_utf8(content).map_err(|e| format!("{path} is not UTF-8: {e}"))?;
    if text.len() > MAX_SQL {
        return Err(format!("{path} has {} bytes; at most {MAX_SQL}", text.len()));
    }
    let parsed = datafusion::sql::parser::DFParser::parse_sql(text).map_err(|e| format!("{path}: {e}"))?;
    match parsed.len() {
        1 => Ok(text.trim().trim_end_matches(';').to_owned()),
        n => Err(format!("{path} has {n} statements; a mart is one query")),
    }
}

#[cfg(test)]
#[path = "marts_tests.rs"]
mod tests;
