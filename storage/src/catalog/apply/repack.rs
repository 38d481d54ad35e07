//! Re-packing Bronze: small files become one, and every record keeps its address.

use lakewright_proto::{ErrorCode, Layer, ShardId};

use super::super::command::{ReplaceBronze, Reply};
use super::super::keyspace::*;
use super::super::records::*;
use super::super::repack::MAX_INPUTS;
use super::super::tx::{refuse, ApplyError, Tx};
use super::super::view::Read;
use super::tables::{add_file, remove_file, table_by_id, touch};

/// The inputs must be current and hold one stretch of a shard's offsets, of whole commits. Work
/// grows with the inputs alone: commits keep the names of the files they were made with, and
/// `Packed` says where their records are now.
pub(super) fn replace_bronze(tx: &mut Tx<'_>, c: &ReplaceBronze) -> Result<Reply, ApplyError> {
    let mut table = table_by_id(tx, c.table)?;
    if table.layer != Layer::Bronze {
        return refuse(ErrorCode::InvalidArgument, format!("table {} is not of Bronze", table.name));
    }
    if c.inputs.len() < 2 || c.inputs.len() > MAX_INPUTS {
        return refuse(ErrorCode::InvalidArgument, format!("2 to {MAX_INPUTS} files become one, not {}", c.inputs.len()));
    }
    let mut stretch: Option<(ShardId, u64, u64)> = None;
    let rows = table.rows;
    for id in &c.inputs {
        let current = tx.get::<Files>(&(c.table, 0, *id))?.is_some_and(|e| e.removed.is_none());
        if !current {
            return refuse(ErrorCode::Conflict, format!("file {id} of {} is not current; read the state again", table.name));
        }
        let entry = remove_file(tx, &mut table, 0, *id)?;
        let FileRange::Offsets { shard, first, count } = entry.range else {
            return refuse(ErrorCode::InvalidArgument, format!("file {id} of {} holds no records", table.name));
        };
        stretch = match stretch {
            None => Some((shard, first, first + count)),
            Some((s, from, end)) if s == shard && end == first => Some((s, from, end + count)),
            Some((s, _, end)) => {
                return refuse(
                    ErrorCode::InvalidArgument,
                    format!("file {id} goes on at {shard}/{first}, and the one before it ends at {s}/{end}"),
                );
            }
        };
        if entry.file.partition != c.output.partition {
            return refuse(ErrorCode::InvalidArgument, format!("file {id} is of another day than {}", c.output.path));
        }
        tx.remove::<Packed>(&(shard, first));
    }
    let Some((shard, first, end)) = stretch else {
        return refuse(ErrorCode::InvalidArgument, "a re-pack without files");
    };
    let count = end - first;
    if c.output.rows != count {
        return refuse(ErrorCode::InvalidArgument, format!("file {} has {} rows for {count} records", c.output.path, c.output.rows));
    }
    let next = tx.need::<Shards>(&shard, || format!("shard {shard}"))?.next_offset;
    let begins = tx.get::<Offsets>(&(shard, first))?.is_some();
    let ends = end == next || tx.get::<Offsets>(&(shard, end))?.is_some();
    if !begins || !ends {
        return refuse(ErrorCode::InvalidArgument, format!("records {first} to {end} of shard {shard} are not whole commits"));
    }
    add_file(tx, &mut table, 0, &c.output, FileRange::Offsets { shard, first, count })?;
    tx.put::<Packed>(&(shard, first), &PackedFile { file: c.output.id, count })?;
    table.rows = rows;
    touch(tx, table)?;
    Ok(Reply::Done)
}
