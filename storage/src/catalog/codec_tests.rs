//! Keys sort as their values do; values refuse damage; the format's bytes are frozen.
#![expect(clippy::unwrap_used, reason = "tests")]

use lakewright_proto::ShardId;
use proptest::prelude::*;

use super::*;

#[test]
fn value_bytes_are_frozen() {
    let bytes = encode_value(&("a".to_owned(), 7u64)).unwrap();
    assert_eq!(hex::encode(&bytes), "01210e350c92a16107", "format 1 is never edited, only followed by a format 2");
}

proptest! {
    #[test]
    fn keys_round_trip_and_sort((a, b) in (("[a-z]{0,6}", any::<u64>(), any::<u32>()), ("[a-z]{0,6}", any::<u64>(), any::<u32>()))) {
        let ka = (a.0.clone(), ShardId(a.1), a.2);
        let kb = (b.0.clone(), ShardId(b.1), b.2);
        let (mut ea, mut eb) = (Vec::new(), Vec::new());
        ka.put(&mut ea);
        kb.put(&mut eb);
        prop_assert_eq!(ka.cmp(&kb), ea.cmp(&eb));
        let mut rest = &ea[..];
        prop_assert_eq!(<(String, ShardId, u32)>::take(&mut rest), Some(ka));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_flipped_bit_is_refused(text in "[a-z]{1,40}", at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = encode_value(&text).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode_value::<String>("a test value", &bytes).is_err());
    }
}
