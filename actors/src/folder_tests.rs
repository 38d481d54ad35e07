//! After a fold every reader sees what it saw before, and the catalog holds a bounded list.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use lakewright_proto::{CommitSeq, RecordAddress};
use lakewright_storage::catalog::keyspace::{Files, Manifests};
use lakewright_storage::catalog::{LineageNode, Read as _};
use lakewright_storage::invariants;

use super::*;
use crate::fixture::{Lake, Stream};
use crate::recover::{bronze_files, from_bronze};

const COMMITS: u64 = 300;

async fn committed() -> (Lake, Stream) {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    lake.commits(&mut s, COMMITS).await;
    lake.settle(&s).await;
    (lake, s)
}

#[tokio::test]
async fn queries_see_every_row_of_folded_tables() {
    let (lake, s) = committed().await;
    let before = lake.version();
    let sums = ["bronze.files_notes", "system.data_quality_results"].map(|t| format!("SELECT count(*) FROM {t}"));
    let rows = 3 * COMMITS as i64;
    for sql in &sums {
        assert_eq!(lake.numbers(&s, None, sql).await, [rows], "{sql}");
    }
    assert_eq!(fold_once(&lake.services).await.unwrap(), 2 * (COMMITS - 128));
    for sql in &sums {
        assert_eq!(lake.numbers(&s, None, sql).await, [rows], "{sql}");
        assert_eq!(lake.numbers(&s, Some(before), sql).await, [rows], "{sql} at a version before the fold");
    }
    let sql = "SELECT _offset FROM bronze.files_notes ORDER BY _offset";
    assert_eq!(lake.numbers(&s, None, sql).await, (0..rows).collect::<Vec<_>>());
    let sql = "SELECT count(*) FROM system.files WHERE \"table\" = 'files_notes'";
    assert_eq!(lake.numbers(&s, None, sql).await, [COMMITS as i64]);
    let sql = "SELECT sum(rows) FROM system.files WHERE \"table\" = 'files_notes'";
    assert_eq!(lake.numbers(&s, None, sql).await, [rows]);
}

#[tokio::test]
async fn recovery_and_lineage_still_reach_folded_files() {
    let (lake, s) = committed().await;
    let commits: Vec<_> = (1..=COMMITS).map(|n| lake.services.catalog.view().bronze_commit(CommitSeq(n)).unwrap()).collect();
    let mut before = Vec::new();
    for c in [&commits[0], &commits[150], &commits[299]] {
        before.push(from_bronze(&lake.services, c, s.silver).await.unwrap());
    }
    assert!(fold_once(&lake.services).await.unwrap() > 0);
    for (c, expected) in [&commits[0], &commits[150], &commits[299]].into_iter().zip(&before) {
        let again = from_bronze(&lake.services, c, s.silver).await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!((&again[0].rows, &again[0].content_hash), (&expected[0].rows, &expected[0].content_hash), "commit {}", c.seq);
    }
    // Every record's address leads to its commit, to one file, to the source before it and to Silver after it.
    let all = bronze_files(&lake.services, &s.shard, &[(0, 3 * COMMITS)]).await.unwrap();
    assert_eq!(all.len() as u64, COMMITS);
    for offset in (0..3 * COMMITS).step_by(7) {
        let (commit, inputs, outputs) = {
            let view = lake.services.catalog.view();
            let commit = view.commit_of(RecordAddress { shard: s.shard.id, offset }).unwrap();
            let (inputs, outputs) = (view.bronze_inputs(&commit).unwrap(), view.bronze_outputs(&commit).unwrap());
            (commit, inputs, outputs)
        };
        assert!(matches!(&inputs[..], [e] if matches!(e.from, LineageNode::Source { .. })));
        assert!(matches!(&outputs[..], [e] if matches!(e.to, LineageNode::Silver { .. })));
        let file = bronze_files(&lake.services, &s.shard, &[(offset, 1)]).await.unwrap();
        let LineageNode::Bronze { files, .. } = &outputs[0].from else { panic!("{outputs:?}") };
        assert_eq!(files, &file.iter().map(|f| f.id).collect::<Vec<_>>(), "offset {offset} of commit {}", commit.seq);
    }
    invariants::check_all(&lake.services.catalog.view()).unwrap();
}

#[tokio::test]
async fn the_catalog_holds_a_bounded_list_however_many_commits() {
    let lake = Lake::new().await;
    let mut s = lake.stream("acme").await;
    for _ in 0..6 {
        lake.commits(&mut s, 130).await;
        fold_once(&lake.services).await.unwrap();
        let view = lake.services.catalog.view();
        let files = view.scan::<Files>(&s.shard.bronze_table).unwrap().len();
        let manifests = view.scan::<Manifests>(&s.shard.bronze_table).unwrap().len();
        assert!(files <= manifests::RECENT && manifests <= 6, "{files} files and {manifests} manifests");
    }
    assert_eq!(fold_once(&lake.services).await.unwrap(), 0, "nothing more is due");
    assert_eq!(lake.numbers(&s, None, "SELECT count(*) FROM bronze.files_notes").await, [6 * 130 * 3]);
}
