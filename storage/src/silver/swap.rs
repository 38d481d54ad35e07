//! A table made again in place of the one before: what that changes for those who follow it.

use lakewright_proto::FileId;

use super::changes::{write_changes, Cause, Changed};
use super::compare::{Pairs, Side};
use super::context::SilverContext;
use super::digest::Digests;
use crate::error::Result;
use crate::keyindex::State;
use crate::table::DataFile;

/// How two tables differ in what people see of their rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Rows that only the new one has.
    pub inserted: u64,
    /// Rows that both have, with other values.
    pub updated: u64,
    /// Rows that only the old one has.
    pub deleted: u64,
}

/// Writes the changes from one table to the other as change files of it. `scratch`: where to sort. Memory:
/// some bytes a row that differs, and what sorting takes.
pub async fn write_differences(live: Side<'_>, made: Side<'_>, scratch: &SilverContext) -> Result<(Differences, Vec<DataFile>)> {
    let columns = shown(made.context);
    let read = |_: u64| ();
    let ours = Digests::of(live.context, live.state, scratch, &columns, &read).await?;
    let theirs = Digests::of(made.context, made.state, scratch, &columns, &read).await?;
    let (mut a, mut b) = (ours.in_order().await?, theirs.in_order().await?);
    let mut pairs = Pairs::open(&mut a, &mut b).await?;
    let (mut differences, mut changed) = (Differences::default(), Changed::default());
    let place = |state: State| -> Option<(FileId, u32)> {
        match state {
            State::Live { file, row } => Some((file, row)),
            State::Tombstone => None,
        }
    };
    while let Some((left, right)) = pairs.next().await? {
        match (&left, &right) {
            (Some(l), Some(r)) if l.hash == r.hash => continue,
            (Some(_), Some(_)) => differences.updated += 1,
            (Some(_), None) => differences.deleted += 1,
            (None, _) => differences.inserted += 1,
        }
        changed.insert(left.and_then(|e| place(e.state)), right.and_then(|e| place(e.state)));
    }
    let files = write_changes(made.context, live.state, &made.state.files, changed, made.state.watermark, Cause::Rebuild).await?;
    Ok((differences, files))
}

/// The columns that people see: where a record came from, and which pack version checked it, is no change of a row.
fn shown(context: &SilverContext) -> Vec<usize> {
    let compared = super::digest::compared(context);
    let is_shown = |name: &str| !name.starts_with('_') || matches!(name, "_extra" | "_flags");
    compared.into_iter().filter(|i| is_shown(context.schema.field(*i).name())).collect()
}
