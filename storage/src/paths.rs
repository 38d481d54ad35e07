//! The only file that spells object keys. Hive style, so that Glue and Athena read Bronze and Gold:
//! what follows a table's root is its partition. `tenant_id` is the uuid, never the slug.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use lakewright_proto::{Error, ErrorCode, FileId, NodeId, TableId, TenantId};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Whose store this is.
pub const CLUSTER_MARKER: &str = "_lakewright/cluster.json";
/// Catalog snapshots live below this.
pub const CATALOG_ROOT: &str = "_lakewright/catalog";
/// Manifests (older file lists of tables) live below this.
pub const MANIFEST_ROOT: &str = "_lakewright/manifests";

/// Tables made to be compared and thrown away live below this, node by node.
const SCRATCH_ROOT: &str = "_lakewright/scratch";

/// Where a node keeps what it throws away; nothing there outlives the process that wrote it.
pub fn scratch_root(node: NodeId) -> String {
    format!("{SCRATCH_ROOT}/node={node}")
}

/// The place of one piece of work of a node; the usual keys stand below it.
pub fn scratch(node: NodeId, work: Uuid) -> String {
    format!("{}/{work}", scratch_root(node))
}

/// A probe key, deleted after use.
pub fn probe(id: Uuid) -> String {
    format!("_lakewright/probe/{id}")
}

/// A UTC calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// The year; may be negative.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
}

fn date_of(micros: i64) -> NaiveDate {
    let edge = if micros < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::<Utc>::from_timestamp_micros(micros).unwrap_or(edge).date_naive()
}

impl Month {
    /// The month of an instant, microseconds since 1970 UTC (clamped to the calendar's ends).
    pub fn of_micros(micros: i64) -> Self {
        let d = date_of(micros);
        Self { year: d.year(), month: d.month() }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "year={:04}/month={:02}", self.year, self.month)
    }
}

/// A UTC calendar day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub NaiveDate);

impl Day {
    /// The day of an instant, microseconds since 1970 UTC (clamped to the calendar's ends).
    pub fn of_micros(micros: i64) -> Self {
        Self(date_of(micros))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "year={:04}/month={:02}/day={:02}", self.0.year(), self.0.month(), self.0.day())
    }
}

/// A Silver table's rows, or its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SilverPart {
    /// Data files.
    Rows(Month),
    /// Change rows (CDC), by the month in which they were committed.
    Changes(Month),
    /// A run of the key index.
    Index,
    /// A deletion vector.
    DeletionVector,
}

/// Every object that Lakewright names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Raw records of one ingest day.
    Bronze {
        /// The owner.
        tenant: TenantId,
        /// Connector kind and stream: `files.opportunity`.
        source: String,
        /// UTC day of ingest.
        day: Day,
        /// The file.
        file: FileId,
    },
    /// Rows of a mart as of one UTC day.
    Gold {
        /// The owner.
        tenant: TenantId,
        /// The mart.
        mart: String,
        /// As of.
        date: Day,
        /// The file.
        file: FileId,
    },
    /// A file of a Silver table.
    Silver {
        /// The owner.
        tenant: TenantId,
        /// The entity.
        entity: String,
        /// What kind of file.
        part: SilverPart,
        /// The file.
        file: FileId,
    },
    /// A file of a system table (`dead_letters`, `data_quality_results`, ...).
    System {
        /// The owner.
        tenant: TenantId,
        /// The table.
        table: String,
        /// The month of its rows.
        month: Month,
        /// The file.
        file: FileId,
    },
    /// An older file list of a table.
    Manifest {
        /// The owner.
        tenant: TenantId,
        /// The table.
        table: TableId,
        /// The manifest.
        file: FileId,
    },
    /// A catalog snapshot up to a log index.
    Snapshot {
        /// The last log index in it.
        index: u64,
        /// The snapshot.
        file: FileId,
    },
}

fn refuse(what: &str, s: &str, rule: &str) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("{what} {s:?} is not valid: {rule}"))
}

/// An entity's or system table's name: `[a-z][a-z0-9_]*`, at most 63 bytes, without `__`.
pub fn validate_table(s: &str) -> Result<(), Error> {
    let good = s.len() <= 63
        && s.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !s.contains("__");
    if good {
        return Ok(());
    }
    Err(refuse("table name", s, "use lower-case letters, digits and single '_', starting with a letter, at most 63"))
}

/// A Bronze source: `kind.stream` of `[a-z0-9_.-]`, at most 200 bytes.
pub fn validate_source(s: &str) -> Result<(), Error> {
    let good = s.len() <= 200
        && s.split_once('.').is_some_and(|(kind, stream)| !kind.is_empty() && !stream.is_empty())
        && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.-".contains(&b));
    if good {
        return Ok(());
    }
    Err(refuse("source", s, "use kind.stream of lower-case letters, digits, '_', '.' and '-', at most 200"))
}

/// The source of a connector kind's stream.
pub fn source(kind: &str, stream: &str) -> Result<String, Error> {
    let s = format!("{kind}.{stream}");
    validate_source(&s).map(|()| s)
}

/// The root of a Bronze table: everything of one source.
pub fn bronze_root(tenant: TenantId, source: &str) -> String {
    format!("bronze/tenant_id={tenant}/source={source}")
}

/// The root of a Silver table.
pub fn silver_root(tenant: TenantId, entity: &str) -> String {
    format!("silver/tenant_id={tenant}/entity={entity}")
}

/// The root of a Silver table's changes.
pub fn changes_root(tenant: TenantId, entity: &str) -> String {
    format!("silver/tenant_id={tenant}/entity={entity}__changes")
}

/// The root of a system table.
pub fn system_root(tenant: TenantId, table: &str) -> String {
    format!("system/tenant_id={tenant}/table={table}")
}

/// The root of a mart.
pub fn gold_root(tenant: TenantId, mart: &str) -> String {
    format!("gold/tenant_id={tenant}/mart={mart}")
}

/// The root of a table's manifests.
pub fn manifest_root(tenant: TenantId, table: TableId) -> String {
    format!("{MANIFEST_ROOT}/tenant_id={tenant}/table={table}")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bronze { tenant, source, day, file } => write!(f, "{}/{day}/{file}.parquet", bronze_root(*tenant, source)),
            Self::Gold { tenant, mart, date, file } => write!(f, "{}/date={}/{file}.parquet", gold_root(*tenant, mart), date.0),
            Self::Silver { tenant, entity, part, file } => match part {
                SilverPart::Rows(m) => write!(f, "{}/{m}/{file}.parquet", silver_root(*tenant, entity)),
                SilverPart::Changes(m) => write!(f, "{}/{m}/{file}.parquet", changes_root(*tenant, entity)),
                SilverPart::Index => write!(f, "{}/_index/{file}.run", silver_root(*tenant, entity)),
                SilverPart::DeletionVector => write!(f, "{}/_deletes/{file}.puffin", silver_root(*tenant, entity)),
            },
            Self::System { tenant, table, month, file } => write!(f, "{}/{month}/{file}.parquet", system_root(*tenant, table)),
            Self::Manifest { tenant, table, file } => write!(f, "{}/{file}.manifest", manifest_root(*tenant, *table)),
            Self::Snapshot { index, file } => write!(f, "{CATALOG_ROOT}/{index:020}-{file}.snapshot"),
        }
    }
}

/// A field `name=value` of a key.
fn field<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    part.strip_prefix(name)?.strip_prefix('=')
}

fn file_id(part: &str, ext: &str) -> Option<FileId> {
    part.strip_suffix(ext)?.strip_suffix('.')?.parse().ok()
}

fn month(y: &str, m: &str) -> Option<Month> {
    Some(Month { year: field(y, "year")?.parse().ok()?, month: field(m, "month")?.parse().ok().filter(|m| (1..=12).contains(m))? })
}

fn parse(key: &str) -> Option<Key> {
    let parts: Vec<&str> = key.split('/').collect();
    let tenant = |p: &str| field(p, "tenant_id").and_then(|t| t.parse::<TenantId>().ok());
    let name = |p: &str, f: &str| field(p, f).filter(|n| !n.is_empty()).map(str::to_owned);
    Some(match parts.as_slice() {
        ["bronze", t, s, y, m, d, file] => {
            let mo = month(y, m)?;
            let day = NaiveDate::from_ymd_opt(mo.year, mo.month, field(d, "day")?.parse().ok()?)?;
            Key::Bronze { tenant: tenant(t)?, source: name(s, "source")?, day: Day(day), file: file_id(file, "parquet")? }
        }
        ["gold", t, m, d, file] => {
            let date = NaiveDate::parse_from_str(field(d, "date")?, "%Y-%m-%d").ok()?;
            Key::Gold { tenant: tenant(t)?, mart: name(m, "mart")?, date: Day(date), file: file_id(file, "parquet")? }
        }
        ["silver", t, e, "_index", file] => {
            Key::Silver { tenant: tenant(t)?, entity: name(e, "entity")?, part: SilverPart::Index, file: file_id(file, "run")? }
        }
        ["silver", t, e, "_deletes", file] => {
            Key::Silver { tenant: tenant(t)?, entity: name(e, "entity")?, part: SilverPart::DeletionVector, file: file_id(file, "puffin")? }
        }
        ["silver", t, e, y, m, file] => {
            let (entity, mo) = (name(e, "entity")?, month(y, m)?);
            let (entity, part) = match entity.strip_suffix("__changes") {
                Some(base) => (base.to_owned(), SilverPart::Changes(mo)),
                None => (entity, SilverPart::Rows(mo)),
            };
            Key::Silver { tenant: tenant(t)?, entity, part, file: file_id(file, "parquet")? }
        }
        ["system", t, n, y, m, file] => {
            Key::System { tenant: tenant(t)?, table: name(n, "table")?, month: month(y, m)?, file: file_id(file, "parquet")? }
        }
        ["_lakewright", "manifests", t, n, file] => {
            Key::Manifest { tenant: tenant(t)?, table: field(n, "table")?.parse().ok()?, file: file_id(file, "manifest")? }
        }
        ["_lakewright", "catalog", file] => {
            let (index, rest) = file.split_once('-')?;
            Key::Snapshot { index: index.parse().ok()?, file: file_id(rest, "snapshot")? }
        }
        _ => return None,
    })
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        // Only the one spelling that we write is ours.
        parse(s).filter(|k| k.to_string() == s).ok_or_else(|| refuse("key", s, "Lakewright writes no such key"))
    }
}

impl Key {
    /// The file's id.
    pub fn file(&self) -> FileId {
        match self {
            Self::Bronze { file, .. }
            | Self::Gold { file, .. }
            | Self::Silver { file, .. }
            | Self::System { file, .. }
            | Self::Manifest { file, .. }
            | Self::Snapshot { file, .. } => *file,
        }
    }

    /// The owner; catalog snapshots have none.
    pub fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Bronze { tenant, .. }
            | Self::Gold { tenant, .. }
            | Self::Silver { tenant, .. }
            | Self::System { tenant, .. }
            | Self::Manifest { tenant, .. } => Some(*tenant),
            Self::Snapshot { .. } => None,
        }
    }

    /// The part between the table's root and the file: `year=2026/month=11`, or "".
    pub fn partition(&self) -> String {
        match self {
            Self::Bronze { day, .. } => day.to_string(),
            Self::Gold { date, .. } => format!("date={}", date.0),
            Self::Silver { part: SilverPart::Rows(m) | SilverPart::Changes(m), .. } | Self::System { month: m, .. } => m.to_string(),
            _ => String::new(),
        }
    }
}

/// Whether a key is one of this tenant's data files: the wall between tenants. Anything that does
/// not parse belongs to nobody.
pub fn belongs_to(tenant: TenantId, key: &str) -> bool {
    Key::from_str(key).is_ok_and(|k| k.tenant() == Some(tenant))
}
