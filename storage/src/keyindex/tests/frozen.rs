//! Runs written by earlier versions stay readable. The files are never edited: a new format writes a
//! new one (with `LAKEWRIGHT_FREEZE=1`) and goes on reading these.

use std::path::PathBuf;

use super::*;

fn frozen_entries() -> Vec<Entry> {
    let extreme = Entry {
        version: i64::MIN,
        commit: CommitSeq(u64::MAX),
        address: RecordAddress { shard: ShardId(u64::MAX), offset: u64::MAX },
        hash: u128::MAX,
        partition_at: i64::MIN,
        ..entry(u32::MAX, 1)
    };
    vec![entry(1, 5), tombstone(2, 6), entry(700, 7), extreme]
}

#[tokio::test]
async fn the_bytes_of_a_run_are_frozen() {
    let mut lake = Lake::new();
    let run = lake.run(&frozen_entries()).await;
    let written = hex::encode(lake.store.get(&run.path).await.unwrap());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/compat/keyindex-v1.hex");
    if std::env::var_os("LAKEWRIGHT_FREEZE").is_some() && !path.exists() {
        std::fs::write(&path, &written).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, frozen.trim(), "today's bytes are those of version 1");
    let bytes = hex::decode(frozen.trim()).unwrap();
    let old =
        IndexRun { id: FileId(Uuid::from_u128(77)), path: "index/old.run".into(), size: bytes.len() as u64, entries: 4, level_order: 1 };
    lake.store.put(&old.path, bytes.into()).await.unwrap();
    assert_eq!(lake.found(&[old], &[1, 2, 3, 700, u32::MAX]).await, frozen_entries());
}

#[test]
fn the_identity_of_a_record_is_frozen() {
    let tenant = lakewright_proto::TenantId(Uuid::from_u128(1));
    let mut scratch = Vec::new();
    let id = record_id(tenant, "Order", "scope", "a", &mut scratch);
    assert_ne!(id, record_id(tenant, "Order", "scop", "ea", &mut scratch), "parts are told apart");
    assert_eq!(id, record_id(tenant, "Order", "scope", "a", &mut scratch));
}
