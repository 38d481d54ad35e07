//! No query reaches another tenant, and no query writes.

use lakewright_proto::ErrorCode;

use super::fixture::Lake;
use super::{acme, failure, ints, rows, schema};
use crate::catalog::SilverFile;

#[tokio::test]
async fn another_tenants_tables_do_not_exist() {
    let (lake, t, _) = acme().await;
    let mut other = lake.tenant("globex", schema()).await;
    lake.add(&mut other, &rows(0, 7), 10, (0, 7)).await;
    assert_eq!(ints(&lake, &other, "SELECT count(*) FROM opportunity").await, [7]);
    assert_eq!(ints(&lake, &t, "SELECT count(*) FROM opportunity").await, [1_100]);
    let e = failure(&lake, &t, "SELECT * FROM globex.silver.opportunity").await;
    assert_eq!(e.code, ErrorCode::InvalidArgument);
    let absent = failure(&lake, &t, "SELECT * FROM nobody.silver.opportunity").await;
    assert_eq!(absent.message.replace("nobody", "globex"), e.message, "the answer does not tell whether the tenant exists");
    for table in ["tenants", "users", "runs", "audit", "files", "connectors", "shards", "tables", "lineage"] {
        let s = lake.engine.session(t.id, None).unwrap();
        let shown = s.collect(&format!("SELECT * FROM system.{table}")).await.unwrap();
        let text = arrow::util::pretty::pretty_format_batches(&shown).unwrap().to_string();
        assert!(!text.contains("globex") && !text.contains(&other.id.to_string()), "{table}: {text}");
    }
}

#[tokio::test]
async fn a_snapshot_that_names_a_foreign_file_is_refused() {
    let (lake, t, first) = acme().await;
    let other = lake.tenant("globex", schema()).await;
    let view = lake.catalog.view();
    let table = view.table(other.silver).unwrap();
    let mut snapshot = view.table_snapshot(&table, None).unwrap();
    drop(view);
    let provide = |s| super::super::scan::SnapshotTable::new(s, other.id, lake.vectors.clone());
    assert!(provide(snapshot.clone()).is_ok());
    snapshot.files.push(SilverFile { file: first.clone(), vector: None });
    assert_eq!(provide(snapshot.clone()).err().unwrap().code(), ErrorCode::Internal);
    snapshot.files[0].file.path = format!("silver/tenant_id={}/../tenant_id={}/x", other.id, t.id);
    assert!(provide(snapshot).is_err());
}

#[tokio::test]
async fn nothing_is_written() {
    let lake = Lake::new().await;
    let t = lake.tenant("acme", schema()).await;
    for sql in [
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/etc'",
        "DROP TABLE opportunity",
        "INSERT INTO opportunity SELECT * FROM opportunity",
        "DELETE FROM opportunity",
        "UPDATE opportunity SET id = 1",
        "COPY (SELECT 1) TO '/tmp/x.csv'",
        "COPY opportunity TO 's3://bucket/x'",
        "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
        "SET datafusion.execution.batch_size = 1",
        "RESET datafusion.execution.batch_size",
        "CREATE FUNCTION f() RETURNS INT RETURN 1",
        "PREPARE p AS SELECT 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT 1; SELECT 2",
        "BEGIN",
    ] {
        let e = failure(&lake, &t, sql).await;
        assert_eq!(e.code, ErrorCode::InvalidArgument, "{sql}: {e}");
    }
    let e = failure(&lake, &t, "DROP TABLE opportunity").await;
    assert!(e.message.contains("read-only"), "{e}");
}
