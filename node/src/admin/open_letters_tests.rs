//! Tests of which dead letters are open, and which of them are replayed.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn letter(run: RunId, address: &str, reason: &str) -> pb::DeadLetter {
    pb::DeadLetter { ingestion_run_id: run.to_string(), address: address.into(), reason: reason.into(), ..Default::default() }
}

#[test]
fn a_letter_is_open_until_a_later_run_has_checked_its_record() {
    let (read, replay) = (RunId::generate(), RunId::generate());
    assert!(is_open(None, &letter(read, "3/17", "schema")).unwrap());
    assert!(!is_open(Some(&replay), &letter(read, "3/17", "schema")).unwrap());
    assert!(is_open(Some(&replay), &letter(replay, "3/17", "schema")).unwrap(), "it was rejected again");
}

#[test]
fn only_open_and_whole_records_are_replayed_and_the_others_counted_once() {
    let (read, replay) = (RunId::generate(), RunId::generate());
    let last: HashMap<u64, RunId> = [(1, replay), (2, replay)].into();
    let mut letters = vec![
        letter(read, "3/1", "schema"),
        // Two entities refused it; both took it later.
        letter(read, "3/1", "parse"),
        // Refused again by the replay.
        letter(read, "3/2", "schema"),
        letter(replay, "3/2", "schema"),
        letter(read, "3/3", "schema"),
        letter(read, "3/4", "oversize"),
    ];
    let mut checks = LastChecks { by_shard: [(ShardId(3), last)].into() };
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(lakewright_storage::catalog::CatalogStore::open(dir.path(), 1 << 20).unwrap().0);
    let proposer = lakewright_storage::catalog::LocalProposer::new(std::sync::Arc::clone(&store));
    let catalog = Catalog::new(store, std::sync::Arc::new(proposer));
    checks.mark(&catalog, TenantId::generate(), &mut letters).unwrap();
    let mut chosen = Chosen::default();
    // In two pages, of which the second opens what the first has closed.
    let second = letters.split_off(3);
    chosen.add(letters);
    chosen.add(second);
    let addresses: Vec<&str> = chosen.letters.iter().map(|l| l.address.as_str()).collect();
    assert_eq!((addresses, chosen.skipped, chosen.mended()), (vec!["3/2", "3/3"], 1, 1));
}
