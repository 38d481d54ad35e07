//! Gold: the rows of a mart's day take the place of those made before, at once.

use lakewright_proto::{ErrorCode, Layer};

use super::super::command::{CommitGold, Reply};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::tables::{add_file, ensure_table, remove_file, table_by_id, touch};

/// Files of one build at most.
const MAX_FILES: usize = 64;

/// An older state of its inputs never takes the place of a newer one, and an earlier day stays as it is.
pub(super) fn commit(tx: &mut Tx<'_>, c: &CommitGold) -> Result<Reply, ApplyError> {
    if c.spec.layer != Layer::Gold || c.spec.changes.is_some() {
        return refuse(ErrorCode::InvalidArgument, format!("table {} is not of Gold", c.spec.name));
    }
    if c.build.files.len() != c.files.len() || c.files.len() > MAX_FILES {
        return refuse(ErrorCode::InvalidArgument, format!("a build has at most {MAX_FILES} files, each named once"));
    }
    let id = ensure_table(tx, c.tenant, &c.spec, Some(&c.build.pack))?;
    let mut table = table_by_id(tx, id)?;
    if let Some((later, _)) = tx.between::<GoldBuilds>(&(id, c.build.date + 1), &(id, u32::MAX), 1)?.pop() {
        return refuse(
            ErrorCode::Conflict,
            format!("gold.{} has rows of day {} already, and this build is of {}", table.name, later.1, c.build.date),
        );
    }
    if let Some(last) = tx.get::<GoldBuilds>(&(id, c.build.date))? {
        if last.snapshot > c.build.snapshot {
            return refuse(
                ErrorCode::Conflict,
                format!("gold.{} was built of snapshot {} meanwhile, and this one is of {}", table.name, last.snapshot, c.build.snapshot),
            );
        }
        for file in &last.files {
            remove_file(tx, &mut table, 0, *file)?;
        }
        table.rows = table.rows.saturating_sub(last.rows);
    }
    let to = c.build.inputs.iter().map(|i| i.watermark).max().unwrap_or_default();
    for file in &c.files {
        if !c.build.files.contains(&file.id) {
            return refuse(ErrorCode::InvalidArgument, format!("file {} is not one of the build's", file.path));
        }
        add_file(tx, &mut table, 0, file, FileRange::Watermark(to))?;
    }
    tx.put::<GoldBuilds>(&(id, c.build.date), &GoldBuild { built_at: tx.now, ..c.build.clone() })?;
    touch(tx, table)?;
    Ok(Reply::Gold(id))
}
