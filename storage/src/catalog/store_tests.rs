//! Views and applies do not wait for each other in a circle.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn a_second_view_of_a_thread_does_not_wait_for_an_apply_that_waits_for_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = CatalogStore::open(dir.path(), 1 << 20).unwrap();
    std::thread::scope(|s| {
        let first = store.view();
        let apply = s.spawn(|| store.write(vec![(vec![1], Some(vec![0, 7]))], 1).unwrap());
        while !store.gate.is_locked_exclusive() {
            std::thread::yield_now();
        }
        let second = store.view();
        assert_eq!((first.version().unwrap(), second.version().unwrap()), (0, 0));
        drop((first, second));
        apply.join().unwrap();
    });
    // Counted per thread and given back: the next view waits its turn again.
    assert!(!Held::enter().again);
}
