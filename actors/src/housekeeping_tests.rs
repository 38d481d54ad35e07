//! A burst is re-packed before it is folded.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_storage::catalog::keyspace::Files;
use lakewright_storage::catalog::manifests::RECENT;
use lakewright_storage::catalog::Read as _;
use lakewright_storage::invariants;

use super::*;
use crate::fixture::Lake;
use crate::services::now_us;

#[tokio::test]
async fn a_burst_becomes_few_files_and_few_entries() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    for _ in 0..700 {
        lake.commit(&mut s, 2, now_us()).await;
    }
    let (repacked, folded) = keep_once(&lake.services).await.unwrap();
    assert!(repacked >= 600 && folded >= 600, "{repacked} re-packed, {folded} folded");
    assert!(lake.bronze_in_catalog(&s).len() <= 120);
    let count = |table| lake.services.catalog.view().scan::<Files>(&table).unwrap().len();
    assert!(count(s.shard.bronze_table) <= RECENT);
    let sql = "SELECT count(*) FROM system.files WHERE \"table\" = 'files_notes'";
    assert!(lake.numbers(&s, None, sql).await[0] <= 120, "none of the small ones went to a manifest alive");
    assert_eq!(lake.numbers(&s, None, "SELECT count(DISTINCT payload) FROM bronze.files_notes").await, [1_400]);
    assert_eq!(lake.numbers(&s, None, "SELECT count(*) FROM system.data_quality_results").await, [1_400]);
    invariants::check_all(&lake.services.catalog.view()).unwrap();
}
