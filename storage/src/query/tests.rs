//! Queries over tables that were committed through the catalog.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use lakewright_proto::ErrorCode;

use crate as storage_crate;

mod fixture;
mod types;
mod walls;

use fixture::{Lake, TenantLake};

pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("_version", DataType::Int64, false),
        Field::new("_partition_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("_extra", DataType::Utf8, true),
        Field::new("id", DataType::Int64, false),
        Field::new("title", DataType::Utf8, true),
    ]))
}

pub(super) fn rows(from: i64, count: i64) -> RecordBatch {
    let ids: Vec<i64> = (from..from + count).collect();
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from(vec![1; ids.len()])),
            Arc::new(TimestampMicrosecondArray::from(ids.clone()).with_timezone("UTC")),
            Arc::new(StringArray::from(vec![None::<&str>; ids.len()])),
            Arc::new(Int64Array::from(ids.clone())),
            Arc::new(StringArray::from_iter_values(ids.iter().map(|i| format!("t{i}")))),
        ],
    )
    .unwrap()
}

/// Tenant acme with ids 0..1000 in one file of row groups of 100, and 1000..1100 in another.
async fn acme() -> (Lake, TenantLake, crate::table::DataFile) {
    let lake = Lake::new().await;
    let mut t = lake.tenant("acme", schema()).await;
    let first = lake.add(&mut t, &rows(0, 1_000), 100, (0, 999)).await;
    lake.add(&mut t, &rows(1_000, 100), 100, (1_000, 1_099)).await;
    (lake, t, first)
}

async fn ints(lake: &Lake, t: &TenantLake, sql: &str) -> Vec<i64> {
    let batches = lake.engine.session(t.id, None).unwrap().collect(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

async fn columns(lake: &Lake, t: &TenantLake, sql: &str) -> Vec<String> {
    let s = lake.engine.session(t.id, None).unwrap();
    let planned = s.plan(sql).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    s.schema(&planned).unwrap().fields().iter().map(|f| f.name().clone()).collect()
}

async fn failure(lake: &Lake, t: &TenantLake, sql: &str) -> lakewright_proto::Error {
    lake.engine.session(t.id, None).unwrap().collect(sql).await.err().unwrap_or_else(|| panic!("{sql} was done"))
}

#[tokio::test]
async fn deleted_rows_are_not_seen_in_any_kind_of_scan() {
    let (lake, mut t, first) = acme().await;
    // The whole of row group 2, all but one of group 3, ends of group 0, and scattered ones.
    let gone: Vec<u64> = (200..300).chain(301..400).chain([0, 1, 99]).chain((500..1_000).step_by(7)).collect();
    lake.delete(&mut t, &first, gone.clone(), 1).await;
    let live: Vec<i64> = (0..1_100).filter(|i| !gone.contains(&(*i as u64))).collect();
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM opportunity").await, [live.len() as i64]);
    assert_eq!(ints(&lake, &t, "SELECT count(title) FROM opportunity").await, [live.len() as i64]);
    let mut all = ints(&lake, &t, "SELECT id FROM opportunity").await;
    all.sort_unstable();
    assert_eq!(all, live);
    let sql = "SELECT id FROM opportunity WHERE id >= 190 AND id < 520 ORDER BY id";
    assert_eq!(ints(&lake, &t, sql).await, live.iter().copied().filter(|i| (190..520).contains(i)).collect::<Vec<_>>());
    let sql = "SELECT count(*) FROM opportunity WHERE title = 't250'";
    assert_eq!(ints(&lake, &t, sql).await, [0]);
    for limit in [0, 1, 99, 150, 700, 5_000] {
        let got = ints(&lake, &t, &format!("SELECT id FROM opportunity LIMIT {limit}")).await;
        assert_eq!(got.len(), limit.min(live.len()), "limit {limit}");
        assert!(got.iter().all(|i| live.contains(i)));
    }
    assert_eq!(ints(&lake, &t, "SELECT id FROM opportunity ORDER BY id DESC LIMIT 2").await, [1_099, 1_098]);
    assert_eq!(ints(&lake, &t, "SELECT max(id) FROM opportunity WHERE id < 400").await, [300]);
    let sql = "SELECT sum(deleted_rows) FROM system.files WHERE \"table\" = 'opportunity'";
    assert_eq!(ints(&lake, &t, sql).await, [gone.len() as i64]);
}

#[tokio::test]
async fn a_session_reads_one_version_while_commits_go_on() {
    let (lake, mut t, first) = acme().await;
    let pinned = lake.engine.session(t.id, None).unwrap();
    lake.delete(&mut t, &first, 0..10, 1).await;
    lake.add(&mut t, &rows(2_000, 50), 100, (2_000, 2_049)).await;
    lake.delete(&mut t, &first, 0..20, 2).await;
    let count = |b: Vec<RecordBatch>| b[0].column(0).as_primitive::<Int64Type>().value(0);
    assert_eq!(count(pinned.collect("SELECT count(*) FROM opportunity").await.unwrap()), 1_100);
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM opportunity").await, [1_130]);
    let again = lake.engine.session(t.id, Some(pinned.version())).unwrap();
    assert_eq!(count(again.collect("SELECT count(*) FROM opportunity").await.unwrap()), 1_100);
    let ahead = lake.engine.session(t.id, Some(u64::MAX)).err().unwrap();
    assert_eq!(ahead.code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn files_outside_the_filter_are_not_opened() {
    let (lake, t, _) = acme().await;
    let s = lake.engine.session(t.id, None).unwrap();
    let sql = "EXPLAIN SELECT id FROM opportunity WHERE _partition_at >= to_timestamp_micros(1050)";
    let text = arrow::util::pretty::pretty_format_batches(&s.collect(sql).await.unwrap()).unwrap().to_string();
    assert_eq!(text.matches(".parquet").count(), 1, "{text}");
    let sql = "SELECT count(*) FROM opportunity WHERE _partition_at >= to_timestamp_micros(1050)";
    assert_eq!(ints(&lake, &t, sql).await, [50]);
}

#[tokio::test]
async fn a_star_leaves_system_columns_out() {
    let (lake, t, _) = acme().await;
    let star = ["_extra", "id", "title"];
    assert_eq!(columns(&lake, &t, "SELECT * FROM opportunity").await, star);
    assert_eq!(columns(&lake, &t, "SELECT * FROM silver.opportunity o WHERE o._version = 1").await, star);
    assert_eq!(columns(&lake, &t, "SELECT o.* FROM acme.silver.opportunity AS o").await, star);
    assert_eq!(columns(&lake, &t, "SELECT *, _version FROM opportunity").await, ["_extra", "id", "title", "_version"]);
    assert_eq!(columns(&lake, &t, "SELECT * EXCLUDE (title) FROM opportunity").await, ["_extra", "id"]);
    assert_eq!(columns(&lake, &t, "SELECT * FROM (SELECT * FROM opportunity)").await, star);
    assert_eq!(columns(&lake, &t, "WITH x AS (SELECT _version, id FROM opportunity) SELECT * FROM x").await, ["_version", "id"]);
    let joined = columns(&lake, &t, "SELECT * FROM opportunity a JOIN opportunity b USING (id)").await;
    assert_eq!(joined, ["_extra", "id", "title", "_extra", "title"]);
    let joined = columns(&lake, &t, "SELECT * FROM opportunity a, (SELECT 1 AS one) b").await;
    assert_eq!(joined, ["_extra", "id", "title", "one"]);
    assert_eq!(columns(&lake, &t, "SELECT * FROM files_opportunity").await, ["_shard", "payload"]);
    assert_eq!(columns(&lake, &t, "SELECT * FROM opportunity__changes").await, ["_change"]);
    assert_eq!(columns(&lake, &t, "SELECT * FROM opportunity UNION ALL SELECT * FROM opportunity").await, star);
}

#[tokio::test]
async fn bare_names_are_looked_up_in_order() {
    let (lake, t, _) = acme().await;
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM runs").await, [1]);
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM bronze.files_opportunity").await, [1_100]);
    let sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'silver'";
    assert_eq!(ints(&lake, &t, sql).await, [2]);
    let sql = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'opportunity'";
    assert_eq!(ints(&lake, &t, sql).await, [5]);
    let sql = "SELECT count(DISTINCT table_schema) FROM information_schema.tables";
    assert_eq!(ints(&lake, &t, sql).await, [4], "the search path is not listed");
    let e = failure(&lake, &t, "SELECT * FROM nowhere").await;
    assert_eq!(e.code, ErrorCode::InvalidArgument);
    assert!(e.message.contains("nowhere") && !e.message.contains("search_path"), "{e}");
}

#[tokio::test]
async fn the_quality_score_query_runs_verbatim() {
    let (lake, mut t, _) = acme().await;
    lake.quality(&mut t, &[("opportunity", true), ("opportunity", true), ("opportunity", false), ("lead", true)]).await;
    let sql = "-- DQ score per entity per run
SELECT
  entity,
  ingestion_run_id,
  COUNT(*) as total_records,
  SUM(CASE WHEN is_valid THEN 1 ELSE 0 END)::float / COUNT(*) as quality_score
FROM data_quality_results
GROUP BY 1, 2;
";
    let batches = lake.engine.session(t.id, None).unwrap().collect(sql).await.unwrap();
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(all.num_rows(), 2);
    let entity = all.column(0).as_string::<i32>();
    let score = arrow::compute::cast(all.column(3), &DataType::Float64).unwrap();
    for i in 0..2 {
        let expected = if entity.value(i) == "lead" { 1.0 } else { 2.0 / 3.0 };
        assert!((score.as_primitive::<Float64Type>().value(i) - expected).abs() < 1e-6);
    }
}

#[tokio::test]
async fn every_system_table_can_be_read() {
    let (lake, t, _) = acme().await;
    for table in super::system::SystemTable::ALL {
        let n = ints(&lake, &t, &format!("SELECT count(*) FROM system.{}", table.name())).await;
        let least = i64::from(!["alerts", "passport"].contains(&table.name()));
        assert!(n[0] >= least, "{} has {} rows", table.name(), n[0]);
    }
    assert_eq!(ints(&lake, &t, "SELECT read FROM system.runs WHERE status = 'running'").await, [1_100]);
    assert_eq!(ints(&lake, &t, "SELECT inserted FROM runs").await, [1_100]);
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM lineage WHERE from_kind = 'source' AND to_kind = 'bronze'").await, [2]);
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM lineage WHERE to_kind = 'silver' AND \"table\" = 'silver.opportunity'").await, [2]);
}

#[tokio::test]
async fn placeholders_are_bound_in_the_order_of_the_text() {
    let (lake, t, _) = acme().await;
    let s = lake.engine.session(t.id, None).unwrap();
    let planned = s.plan("SELECT id + ? FROM opportunity WHERE id >= ? AND id < ? ORDER BY 1").await.unwrap();
    assert_eq!(planned.parameters().unwrap().len(), 3);
    let short = planned.clone().bind(vec![1i64.into()]).err().unwrap();
    assert_eq!(short.code, ErrorCode::InvalidArgument);
    let bound = planned.bind(vec![1_000_000i64.into(), 5i64.into(), 7i64.into()]).unwrap();
    let got: Vec<RecordBatch> = futures::TryStreamExt::try_collect(s.run(bound).await.unwrap()).await.unwrap();
    let got: Vec<i64> = got.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(got, [1_000_005, 1_000_006]);
}

#[tokio::test]
async fn limits_end_a_query_with_advice() {
    let options = storage_crate::query::QueryOptions {
        memory_per_tenant: 200_000,
        spill_per_tenant: 1,
        timeout: Duration::from_millis(300),
        partitions: 1,
        ..Default::default()
    };
    let lake = Lake::with(options).await;
    let mut t = lake.tenant("acme", schema()).await;
    lake.add(&mut t, &rows(0, 20_000), 20_000, (0, 20_000)).await;
    let sql = "SELECT title, count(*) FROM opportunity GROUP BY title";
    let e = failure(&lake, &t, sql).await;
    assert_eq!(e.code, ErrorCode::ResourceExhausted, "{e}");
    assert!(e.message.contains("memory_per_tenant") || e.message.contains("temp"), "{e}");
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM opportunity").await, [20_000], "the memory was given back");
    let sql = "SELECT count(*) FROM opportunity a, opportunity b, opportunity c WHERE a.id + b.id + c.id = -1";
    let e = failure(&lake, &t, sql).await;
    assert_eq!(e.code, ErrorCode::ResourceExhausted, "{e}");
}

#[tokio::test]
async fn now_is_the_instant_of_the_query() {
    let (lake, t, _) = acme().await;
    let sql = "SELECT CASE WHEN NOW() > TIMESTAMP '2020-01-01' AND CURRENT_DATE > DATE '2020-01-01' THEN 1 ELSE 0 END";
    assert_eq!(ints(&lake, &t, sql).await, [1]);
}
