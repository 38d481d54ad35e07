//! A table with all that can happen to its rows verifies clean; a row that is not what Bronze says is found.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use futures::TryStreamExt as _;
use lakewright_proto::{ConnectorId, FileId, RecordAddress, ShardId};
use lakewright_storage::catalog::command::{Command, CommitCompaction, Reply};
use lakewright_storage::deletion_vector;
use lakewright_storage::parquet::{write_file, Owner, Profile, Span};
use lakewright_storage::paths::{self, Key, Month, SilverPart};
use lakewright_storage::silver::compact::{execute, CompactionPlan};
use lakewright_storage::silver::live_rows;
use lakewright_storage::table::SilverDelta;
use roaring::RoaringTreemap;
use serde_json::json;

use super::*;
use crate::replay::replay;
use crate::world::{World, SHOP};

/// Ten runs: inserts, updates, deletes, re-inserts, late and equal versions, a dead letter replayed
/// under a pack with one column more, a compaction.
async fn eventful() -> (World, ConnectorId) {
    let w = World::new(SHOP).await;
    let connector = w.connect(json!({"stream": "orders"})).await;
    let lines = |file: u64| -> String {
        (0..40u64)
            .map(|k| {
                // Some keys move on, some lag behind, some repeat what was there.
                let version = match k % 4 {
                    0 => file,
                    1 => 20 - file,
                    2 => 5,
                    _ => (file * 7 + k) % 10,
                };
                let op = if (k + file).is_multiple_of(6) { ",\"op\":\"delete\"" } else { "" };
                format!("{{\"id\":\"k{k}\",\"v\":{version},\"total\":\"{}.50\",\"tags\":[\"t{file}\",\"u\"]{op}}}\n", file + k)
            })
            .collect()
    };
    for file in 0..10 {
        w.write(&format!("{file}.ndjson"), lines(file));
        w.run(connector, "orders").await;
    }
    w.write("bad.ndjson", "{\"id\":\"late\",\"v\":1,\"total\":\"much\",\"note\":\"n\"}\n{\"id\":\"k1\",\"v\":90,\"total\":\"1e9\"}\n");
    let run = w.run(connector, "orders").await;
    assert_eq!(run.counts.rejected, 2);
    let fixed = SHOP.replace("from: $.total}", "from: $.total, on_error: null_and_flag}\n      - {name: note, type: string, from: $.note}");
    w.pin(&fixed).await;
    let letters = w.lines("select address_shard, address_offset from system.dead_letters order by 2").await;
    let address = |line: &String| {
        let (shard, offset) = line.split_once('|').unwrap();
        RecordAddress { shard: ShardId(shard.parse().unwrap()), offset: offset.parse().unwrap() }
    };
    let letters: Vec<_> = letters.iter().map(address).collect();
    let again = replay(&w.services, "test", w.tenant, run.id, &letters).await.unwrap();
    let again = w.sealed(again).await;
    assert_eq!((again.counts.accepted, again.counts.rejected), (2, 0));
    (w, connector)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_eventful_table_is_what_bronze_makes_of_it() {
    let (w, connector) = eventful().await;
    let report = w.verified().await;
    assert_eq!((report.comparison.fault_count, report.comparison.faults.clone()), (0, Vec::new()));
    compact(&w).await;
    assert_eq!(w.table("purchase").files, 1);
    w.write("after.ndjson", "{\"id\":\"k3\",\"v\":50,\"op\":\"delete\"}\n{\"id\":\"new\",\"v\":1,\"total\":\"1\"}\n");
    w.run(connector, "orders").await;
    let report = w.verified().await;
    assert_eq!((report.comparison.fault_count, report.comparison.faults.clone()), (0, Vec::new()));
    assert_eq!((report.commits >= 13, report.records), (true, 404));
    let live = w.lines("select count(*) from silver.purchase").await;
    assert_eq!(live, [report.comparison.rows.to_string()]);
    let outcomes = w.lines("select _change, count(*) from silver.purchase__changes group by 1 order by 1").await;
    let kinds: Vec<&str> = outcomes.iter().map(|o| o.split('|').next().unwrap()).collect();
    assert_eq!(kinds, ["delete", "insert", "update_after", "update_before"], "the table was eventful");
    w.end().await;
}

/// All files as one.
async fn compact(w: &World) {
    let table = w.table("purchase");
    let claim = Command::ClaimBucket { table: table.id, bucket: 0, node: w.services.node };
    let Reply::Epoch(epoch) = w.propose(claim).await else { panic!("an epoch") };
    let state = w.services.catalog.view().bucket_state(table.id, 0).unwrap();
    let plan = CompactionPlan::of(state.files.iter().map(|f| f.id).collect());
    let context = silver_context(&w.services, &table, 0, epoch).unwrap();
    let (delta, inputs) = execute(context, &state, &plan).await.unwrap();
    w.propose(Command::CommitCompaction(CommitCompaction { table: table.id, bucket: 0, epoch, inputs, delta })).await;
}

/// Commits a compaction that does not keep to its rows.
async fn tamper(w: &World, change: impl Fn(RecordBatch) -> RecordBatch) {
    let table = w.table("purchase");
    let claim = Command::ClaimBucket { table: table.id, bucket: 0, node: w.services.node };
    let Reply::Epoch(epoch) = w.propose(claim).await else { panic!("an epoch") };
    let state = w.services.catalog.view().bucket_state(table.id, 0).unwrap();
    let file = state.files.iter().max_by_key(|f| f.rows).unwrap();
    let vector = state.deletion_vectors.iter().find(|v| v.data_file == file.id);
    let deleted = match vector {
        Some(v) => deletion_vector::read(&w.services.store, v).await.unwrap(),
        None => RoaringTreemap::new(),
    };
    let batches: Vec<RecordBatch> = live_rows(&w.services.store, file, &deleted, None).await.unwrap().try_collect().await.unwrap();
    let schema = batches[0].schema();
    let id = FileId::generate();
    let key =
        Key::Silver { tenant: w.tenant, entity: "purchase".into(), part: SilverPart::Rows(Month::of_micros(file.time_range.0)), file: id };
    let span = Span::Watermark { from: state.watermark, to: state.watermark };
    let footer = w.services.footer(w.tenant, table.id, id, Owner::Bucket(0), epoch, span);
    let profile = Profile::Silver { time_column: "_partition_at".into(), raw: Vec::new() };
    let written = write_file(&w.services.store, key, &schema, batches.into_iter().map(change), &footer, &profile).await.unwrap();
    let delta = SilverDelta { added: vec![written], removed: vec![file.id], ..SilverDelta::default() };
    let inputs = vec![(file.id, vector.map_or(0, |v| v.version))];
    w.propose(Command::CommitCompaction(CommitCompaction { table: table.id, bucket: 0, epoch, inputs, delta })).await;
}

/// A batch with another text in the first row of a column.
fn with_text(batch: &RecordBatch, name: &str, text: &str) -> RecordBatch {
    let at = batch.schema().index_of(name).unwrap();
    let old = batch.column(at).as_string::<i32>();
    let new = StringArray::from_iter((0..batch.num_rows()).map(|i| Some(if i == 0 { text } else { old.value(i) })));
    let mut columns = batch.columns().to_vec();
    columns[at] = Arc::new(new) as ArrayRef;
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_not_what_bronze_says_is_found() {
    let (w, _) = eventful().await;
    tamper(&w, |b| with_text(&b, "number", "forged")).await;
    let found = w.verified().await.comparison;
    assert_eq!(found.fault_count, 1, "{:?}", found.faults);
    assert!(found.faults[0].starts_with("key \"k") && found.faults[0].ends_with("other number than Bronze gives"), "{:?}", found.faults);
    // Under another key it is one row too many and one too few.
    tamper(&w, |b| with_text(&b, "_source_key", "nobody")).await;
    let found = w.verified().await.comparison;
    assert_eq!(found.fault_count, 2, "{:?}", found.faults);
    assert!(found.faults.iter().any(|f| f.contains("\"nobody\"") && f.ends_with("by Bronze there is none")), "{:?}", found.faults);
    assert!(found.faults.iter().any(|f| f.ends_with("by Bronze there is one")), "{:?}", found.faults);
    w.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_waiting_and_a_stop_end_it_and_leave_nothing() {
    let (w, _) = eventful().await;
    let (tell, told) = watch::channel(Progress::default());
    drop(told);
    let ended = verify_from_bronze(&w.services, w.table("purchase").id, &tell).await;
    assert!(matches!(ended, Err(WorkError::Superseded(_))), "{ended:?}");
    let scratch = paths::scratch(w.services.node, uuid::Uuid::nil());
    w.services.store.put(&format!("{scratch}/left"), bytes::Bytes::from_static(b"x")).await.unwrap();
    clear_left_behind(&w.services.store, w.services.node).await;
    let left = w.services.store.list(&paths::scratch_root(w.services.node));
    assert_eq!(left.try_collect::<Vec<_>>().await.unwrap(), Vec::new());
    w.end().await;
}
