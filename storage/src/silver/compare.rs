//! Two buckets that should be one: every row and every index entry of the one is in the other and
//! is the same. All columns are compared; only where a row lies (file and row number) may differ.

use std::future::Future;

use arrow_array::cast::AsArray;
use arrow_array::RecordBatch;
use uuid::Uuid;

use super::context::SilverContext;
use super::digest::{row_at, Digests};
use crate::error::Result;
use crate::keyindex::{Entry, KeyIndex, Merged, State};
use crate::table::BucketState;

/// Faults told one by one.
const TOLD: usize = 20;

/// A bucket with what is needed to read it.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its store, schema and names.
    pub context: &'a SilverContext,
    /// Its files and index.
    pub state: &'a BucketState,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Live rows of the first side.
    pub rows: u64,
    /// Keys of the first side's index, dead ones included.
    pub keys: u64,
    /// What differs: the first of it, in words.
    pub faults: Vec<String>,
    /// How much of it there is.
    pub fault_count: u64,
}

impl Comparison {
    /// Counts a fault and tells it if there is room.
    pub fn fault(&mut self, text: String) {
        self.fault_count += 1;
        if self.faults.len() < TOLD {
            self.faults.push(text);
        }
    }

    async fn fault_of(&mut self, text: impl Future<Output = Result<String>>) -> Result<()> {
        self.fault_count += 1;
        if self.faults.len() < TOLD {
            self.faults.push(text.await?);
        }
        Ok(())
    }
}

/// Compares a live bucket with one made again. The second's store takes what is sorted on the way.
/// `read` is told of rows as they are read, of both sides. Memory: the pieces being sorted and 1 MiB
/// for each 400,000 rows.
pub async fn compare(live: Side<'_>, again: Side<'_>, read: &(dyn Fn(u64) + Sync)) -> Result<Comparison> {
    let mut out = Comparison::default();
    let columns = super::digest::compared(live.context);
    let ours = Digests::of(live.context, live.state, again.context, &columns, read).await?;
    let theirs = Digests::of(again.context, again.state, again.context, &columns, read).await?;
    out.rows = ours.rows;
    let (mut a, mut b) = (ours.in_order().await?, theirs.in_order().await?);
    let mut distinct = 0u64;
    let mut pairs = Pairs::open(&mut a, &mut b).await?;
    while let Some((left, right)) = pairs.next().await? {
        distinct += u64::from(left.is_some());
        if left.map(|e| e.hash) != right.map(|e| e.hash) {
            out.fault_of(row_fault(live, again, left, right)).await?;
        }
    }
    let doubles = ours.rows - distinct;
    if doubles > 0 {
        out.fault_count += doubles - 1;
        out.fault(format!("{doubles} live rows have the key of another live row; `table verify` without Bronze names them"));
    }
    let (ours, theirs) = (live.state.live_rows, again.state.live_rows);
    if ours != out.rows || ours != theirs {
        out.fault(format!("the catalog says {ours} live rows, the files have {}, and Bronze gives {theirs}", out.rows));
    }
    compare_index(live, again, &mut out).await?;
    Ok(out)
}

async fn compare_index(live: Side<'_>, again: Side<'_>, out: &mut Comparison) -> Result<()> {
    let ours = KeyIndex::open(&live.context.store, &live.state.index, &again.context.blocks).await?;
    let theirs = KeyIndex::open(&again.context.store, &again.state.index, &again.context.blocks).await?;
    let (mut a, mut b) = (Merged::open(ours.runs()).await?, Merged::open(theirs.runs()).await?);
    let mut pairs = Pairs::open(&mut a, &mut b).await?;
    while let Some((left, right)) = pairs.next().await? {
        out.keys += u64::from(left.is_some());
        match (left, right) {
            (Some(l), Some(r)) => {
                let differing = differing(&l, &r);
                if !differing.is_empty() {
                    out.fault(format!("key index, record {}: other {} than Bronze gives", Uuid::from_bytes(l.key), differing.join(", ")));
                }
            }
            (Some(l), None) => out.fault(format!("key index, record {}: Bronze has no such record", Uuid::from_bytes(l.key))),
            (None, Some(r)) => out.fault(format!("key index, record {}: it is missing", Uuid::from_bytes(r.key))),
            (None, None) => {}
        }
    }
    Ok(())
}

/// What of two entries differs, but for the place of the row.
fn differing(l: &Entry, r: &Entry) -> Vec<&'static str> {
    let is_live = |e: &Entry| matches!(e.state, State::Live { .. });
    [
        ("version", l.version == r.version),
        ("commit", l.commit == r.commit),
        ("address", l.address == r.address),
        ("content hash", l.hash == r.hash),
        ("partition", l.partition_at == r.partition_at),
        ("state", is_live(l) == is_live(r)),
    ]
    .into_iter()
    .filter_map(|(what, same)| (!same).then_some(what))
    .collect()
}

async fn row_fault(live: Side<'_>, again: Side<'_>, left: Option<Entry>, right: Option<Entry>) -> Result<String> {
    let read = |side: Side<'_>, entry: Option<Entry>| {
        let (context, state) = (side.context.clone(), side.state.clone());
        async move {
            match entry {
                Some(e) => row_at(&context, &state, e.state).await,
                None => Ok(None),
            }
        }
    };
    let (ours, theirs) = (read(live, left).await?, read(again, right).await?);
    Ok(match (&ours, &theirs) {
        (Some(l), Some(r)) => {
            let compared = super::digest::compared(live.context);
            let columns: Vec<&str> = live
                .context
                .schema
                .fields()
                .iter()
                .enumerate()
                .filter(|(i, _)| compared.contains(i) && l.column(*i).as_ref() != r.column(*i).as_ref())
                .map(|(_, f)| f.name().as_str())
                .collect();
            format!("{}: other {} than Bronze gives", name(l), columns.join(", "))
        }
        (Some(l), None) => format!("{}: there is a row, and by Bronze there is none", name(l)),
        (None, Some(r)) => format!("{}: there is no row, and by Bronze there is one", name(r)),
        (None, None) => "a row that was read before is gone".to_owned(),
    })
}

/// A row's key as people know it.
fn name(row: &RecordBatch) -> String {
    let text = |name: &str| row.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).map_or("?", |c| c.value(0));
    format!("key {:?} of scope {:?}", text("_source_key"), text("_key_scope"))
}

/// Two ordered lists side by side: what has the same key comes together.
pub(super) struct Pairs<'a> {
    sides: (&'a mut Merged, &'a mut Merged),
    heads: (Option<Entry>, Option<Entry>),
}

impl<'a> Pairs<'a> {
    pub async fn open(a: &'a mut Merged, b: &'a mut Merged) -> Result<Self> {
        let heads = (a.next().await?, b.next().await?);
        Ok(Self { sides: (a, b), heads })
    }

    pub async fn next(&mut self) -> Result<Option<(Option<Entry>, Option<Entry>)>> {
        let (left, right) = self.heads;
        let least = match (left, right) {
            (None, None) => return Ok(None),
            (Some(l), Some(r)) => l.key.min(r.key),
            (Some(e), None) | (None, Some(e)) => e.key,
        };
        let (left, right) = (left.filter(|e| e.key == least), right.filter(|e| e.key == least));
        if left.is_some() {
            self.heads.0 = self.sides.0.next().await?;
        }
        if right.is_some() {
            self.heads.1 = self.sides.1.next().await?;
        }
        Ok(Some((left, right)))
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
