//! Vectors round trip, refuse damage, and keep their bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

#[test]
fn the_bytes_are_frozen() {
    let rows: RoaringTreemap = [1u64, 5, (1 << 32) + 7].into_iter().collect();
    let encoded = encode_file(&rows, "silver/a.parquet").unwrap();
    let blob = &encoded.bytes[encoded.offset as usize..(encoded.offset + encoded.length) as usize];
    assert_eq!(
        hex::encode(blob),
        "0000003ad1d339640200000000000000000000003a30000001000000000001001000000001000500010000003a30000001000000000000001000000007002b8b8db5",
        "the blob is Iceberg's format: other engines read it"
    );
    assert!(encoded.bytes.starts_with(b"PFA1") && encoded.bytes.ends_with(b"PFA1"));
}

proptest! {
    #[test]
    fn vectors_round_trip(rows in prop::collection::btree_set(0u64..1 << 40, 0..200)) {
        let rows: RoaringTreemap = rows.into_iter().collect();
        let e = encode_file(&rows, "x").unwrap();
        let blob = &e.bytes[e.offset as usize..(e.offset + e.length) as usize];
        prop_assert_eq!(decode_blob("x", blob).unwrap(), rows);
    }

    #[test]
    fn damage_is_refused(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let rows: RoaringTreemap = (0..50).collect();
        let e = encode_file(&rows, "x").unwrap();
        let mut blob = e.bytes[e.offset as usize..(e.offset + e.length) as usize].to_vec();
        let at = at.index(blob.len());
        blob[at] ^= 1 << bit;
        prop_assert!(decode_blob("x", &blob).is_err());
    }
}
