//! Merges against a naive oracle that applies records one at a time.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Schema};
use futures::TryStreamExt;
use lakewright_proto::{ClusterId, CommitSeq, ShardEpoch, TableId, TenantId};
use object_store::memory::InMemory;
use proptest::prelude::*;
use roaring::RoaringTreemap;

use super::*;
use crate::deletion_vector;
use crate::keyindex::{record_id, BlockCache};
use crate::object::Store;
use crate::table::schemas::{change_columns, column, silver_system_columns};
use crate::table::{BucketState, OutcomeCounts, SilverDelta};

const DAY: i64 = 86_400_000_000;

#[derive(Clone, Debug)]
pub(super) struct Op {
    pub key: u8,
    pub version: i64,
    pub content: u8,
    pub delete: bool,
}

fn op() -> impl Strategy<Value = Op> {
    (0u8..6, 0i64..8, 0u8..3, prop::bool::weighted(0.25)).prop_map(|(key, version, content, delete)| Op { key, version, content, delete })
}

pub(super) fn context() -> SilverContext {
    let mut rows = silver_system_columns();
    rows.push(column(1000, "value", DataType::Utf8, true));
    let mut changes = change_columns();
    changes.extend(rows.iter().map(|f| f.clone().with_nullable(true)));
    SilverContext {
        store: Store::over(Arc::new(InMemory::new()), "memory"),
        blocks: Arc::new(BlockCache::new(1 << 20)),
        cluster: ClusterId::generate(),
        incarnation: 1,
        tenant: TenantId::generate(),
        entity: "Thing".into(),
        table: TableId::generate(),
        name: "thing".into(),
        changes: TableId::generate(),
        bucket: 0,
        epoch: ShardEpoch(1),
        pack: None,
        schema: Arc::new(Schema::new(rows)),
        changes_schema: Arc::new(Schema::new(changes)),
        by_content: false,
        lookups: None,
        now_us: 1_700_000_000_000_000,
    }
}

/// A batch of ops; partitions spread over three months, differently for each delivery.
pub(super) fn batch(c: &SilverContext, first: u64, ops: &[Op]) -> MergeBatch {
    let n = ops.len();
    let same = |t: &str| -> ArrayRef { Arc::new(StringArray::from(vec![t; n])) };
    let keys: Vec<String> = ops.iter().map(|o| format!("k{}", o.key)).collect();
    let versions = Int64Array::from_iter_values(ops.iter().map(|o| o.version));
    let times = |f: &dyn Fn(u64) -> i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..n as u64).map(|i| f(first + i))).with_timezone("UTC"))
    };
    let flags = c.schema.field_with_name("_flags").unwrap().data_type().clone();
    let DataType::List(item) = flags else { unreachable!("flags are a list") };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_value(1, n)),
        Arc::new(Int64Array::from_iter_values((0..n as i64).map(|i| first as i64 + i))),
        Arc::new(Int64Array::from_value(0, n)),
        Arc::new(versions.clone()),
        Arc::new(StringArray::from(keys.clone())),
        same("scope"),
        times(&|offset| (offset as i64 % 3) * 31 * DAY),
        times(&|_| 7),
        same("run"),
        same("pack"),
        same("source"),
        Arc::new(ListArray::new_null(item, n)),
        Arc::new(StringArray::new_null(n)),
        Arc::new(StringArray::from_iter_values(ops.iter().map(|o| format!("v{}", o.content)))),
    ];
    let mut scratch = Vec::new();
    let ids = keys.iter().map(|k| record_id(c.tenant, &c.entity, "scope", k, &mut scratch));
    MergeBatch {
        rows: RecordBatch::try_new(c.schema.clone(), columns).unwrap(),
        keys: FixedSizeBinaryArray::try_from_iter(ids).unwrap(),
        versions,
        operations: ops.iter().map(|o| i8::from(o.delete)).collect(),
        content_hash: ops.iter().map(|o| u128::from(o.content)).collect(),
    }
}

#[derive(Clone, Debug, Default)]
struct Known {
    version: i64,
    content: u8,
    live: bool,
    partition: Option<i64>,
}

/// One record at a time, as decisions on order say, and nothing else.
fn apply(rows: &mut BTreeMap<String, Known>, offset: u64, op: &Op, counts: &mut OutcomeCounts) {
    let partition = (offset as i64 % 3) * 31 * DAY;
    let key = format!("k{}", op.key);
    let Some(old) = rows.get_mut(&key) else {
        let known = Known { version: op.version, content: op.content, live: !op.delete, partition: (!op.delete).then_some(partition) };
        if op.delete {
            counts.unchanged += 1;
        } else {
            counts.inserted += 1;
        }
        rows.insert(key, known);
        return;
    };
    match (old.live, op.delete) {
        (true, false) if op.version == old.version && op.content == old.content => counts.unchanged += 1,
        (true, _) if op.version < old.version => counts.stale += 1,
        (true, false) => {
            counts.updated += 1;
            (old.version, old.content) = (op.version, op.content);
        }
        (true, true) => {
            counts.deleted += 1;
            (old.version, old.live) = (op.version, false);
        }
        (false, true) => {
            counts.unchanged += 1;
            old.version = old.version.max(op.version);
        }
        (false, false) if op.version <= old.version => counts.stale += 1,
        (false, false) => {
            counts.inserted += 1;
            (old.version, old.content, old.live) = (op.version, op.content, true);
            old.partition.get_or_insert(partition);
        }
    }
}

type Row = (i64, String, i64);

async fn live(c: &SilverContext, state: &BucketState) -> BTreeMap<String, Row> {
    let mut out = BTreeMap::new();
    for file in &state.files {
        let deleted = match state.deletion_vectors.iter().find(|v| v.data_file == file.id) {
            Some(v) => deletion_vector::read(&c.store, v).await.unwrap(),
            None => RoaringTreemap::new(),
        };
        let batches: Vec<RecordBatch> = live_rows(&c.store, file, &deleted, None).await.unwrap().try_collect().await.unwrap();
        for (key, row) in batches.iter().flat_map(rows_of) {
            assert!(out.insert(key, row).is_none(), "a key has one live row");
        }
    }
    out
}

fn rows_of(b: &RecordBatch) -> Vec<(String, Row)> {
    let text = |n: &str| b.column_by_name(n).unwrap().as_string::<i32>().clone();
    let (keys, values) = (text("_source_key"), text("value"));
    let versions = b.column_by_name("_version").unwrap().as_primitive::<Int64Type>().clone();
    let partitions = b.column_by_name("_partition_at").unwrap().as_primitive::<TimestampMicrosecondType>().clone();
    (0..b.num_rows()).map(|i| (keys.value(i).to_owned(), (versions.value(i), values.value(i).to_owned(), partitions.value(i)))).collect()
}

async fn replay(c: &SilverContext, delta: &SilverDelta, table: &mut BTreeMap<String, Row>) {
    for file in &delta.changes {
        let batches: Vec<RecordBatch> = live_rows(&c.store, file, &RoaringTreemap::new(), None).await.unwrap().try_collect().await.unwrap();
        for b in &batches {
            let kinds = b.column_by_name("_change").unwrap().as_string::<i32>().clone();
            for (i, (key, row)) in rows_of(b).into_iter().enumerate() {
                match kinds.value(i) {
                    "insert" => assert!(table.insert(key, row).is_none(), "an insert is of a key without a row"),
                    "update_before" | "delete" => assert_eq!(table.remove(&key), Some(row), "what ended is what was there"),
                    _ => assert!(table.insert(key, row).is_none(), "an update follows its before-image"),
                }
            }
        }
    }
}

async fn run(sessions: Vec<Vec<Vec<Op>>>, compact_after: usize) {
    let c = context();
    let mut state = BucketState { buckets: 1, ..BucketState::default() };
    let (mut oracle, mut total, mut changed) = (BTreeMap::new(), OutcomeCounts::default(), BTreeMap::new());
    let (mut offset, mut seq) = (0u64, 0u64);
    for (n, session) in sessions.into_iter().enumerate() {
        let mut merge = MergeSession::open(c.clone(), state.clone()).await.unwrap();
        for ops in session {
            seq += 1;
            if ops.is_empty() {
                merge.apply_empty(CommitSeq(seq)).unwrap();
                continue;
            }
            merge.apply(CommitSeq(seq), batch(&c, offset, &ops)).await.unwrap();
            for o in &ops {
                apply(&mut oracle, offset, o, &mut total);
                offset += 1;
            }
        }
        let delta = merge.finish().await.unwrap();
        state.advance(&delta).unwrap();
        replay(&c, &delta, &mut changed).await;
        if n == compact_after && !state.files.is_empty() {
            for inputs in [vec![state.files[0].id]] {
                let plan = compact::CompactionPlan::of(inputs);
                let (delta, _) = compact::execute(c.clone(), &state, &plan).await.unwrap();
                state.advance(&delta).unwrap();
            }
        }
        let want: BTreeMap<String, Row> = oracle
            .iter()
            .filter(|(_, k)| k.live)
            .map(|(key, k)| (key.clone(), (k.version, format!("v{}", k.content), k.partition.unwrap())))
            .collect();
        assert_eq!(live(&c, &state).await, want);
        assert_eq!(changed, want, "the changes replay to the table");
        assert_eq!(state.live_rows, want.len() as u64);
        let report = verify::verify(&c.store, &c.blocks, c.tenant, &c.entity, &state).await.unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
        total = check_counts(total, &delta);
    }
}

/// The oracle's counts since the last merge are this merge's; answers what is left of them.
fn check_counts(oracle: OutcomeCounts, delta: &SilverDelta) -> OutcomeCounts {
    let mut sum = OutcomeCounts::default();
    delta.outcomes.iter().for_each(|(_, o)| sum.add(o));
    assert_eq!(sum, oracle);
    OutcomeCounts::default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn merges_are_records_applied_one_at_a_time(
        sessions in prop::collection::vec(prop::collection::vec(prop::collection::vec(op(), 0..12), 1..4), 1..6),
        compact_after in 0usize..6,
    ) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(sessions, compact_after));
    }
}
