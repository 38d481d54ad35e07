//! A copy taken while keys change is the state at its start.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

proptest! {
    #[test]
    fn the_copy_is_the_state_at_its_start(
        start in prop::collection::btree_map(0u8..40, any::<u8>(), 0..40),
        writes in prop::collection::vec((0u8..40, prop::option::of(any::<u8>())), 0..80),
        chunk in 1usize..7,
    ) {
        let mut live: Map = start.iter().map(|(k, v)| (vec![*k], vec![*v])).collect();
        let expected = live.clone();
        let mut export = Export::default();
        let mut copy = Map::new();
        let mut writes = writes.into_iter();
        while !export.is_complete() {
            for (k, v) in writes.by_ref().take(3) {
                let key = vec![k];
                if export.wants(&key) {
                    export.keep(key.clone(), live.get(&key).cloned());
                }
                match v {
                    Some(v) => live.insert(key, vec![v]),
                    None => live.remove(&key),
                };
            }
            let next: Vec<_> = live.range(export.resume_bound()).take(chunk).map(|(k, v)| (k.clone(), v.clone())).collect();
            let at_end = next.len() < chunk;
            copy.extend(export.merge(next, at_end));
        }
        prop_assert_eq!(copy, expected);
    }
}
