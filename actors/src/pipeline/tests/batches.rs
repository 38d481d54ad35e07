//! Where a batch begins and ends changes nothing, nor whether records come from a source or from
//! Bronze.

use arrow::compute::concat_batches;
use proptest::prelude::*;

use super::*;

/// Records good and bad, as a number each.
fn record(n: u32) -> Vec<u8> {
    let id = n % 7;
    match n % 13 {
        0 => b"{\"id\":".to_vec(),
        1 => b"{\"id\":\"\xc3\"}".to_vec(),
        2 => order(&format!(r#"{{"id":"{id}","v":{n},"extra":{n}}}"#)).into_bytes(),
        3 => order(&format!(r#"{{"id":"{id}","day":"2026-02-30"}}"#)).into_bytes(),
        4 => order(&format!(r#"{{"id":"{id}","fee":"x","code":"zz"}}"#)).into_bytes(),
        5 => order(&format!(r#"{{"id":"{id}","total":-{n}}}"#)).into_bytes(),
        6 => format!(r#"{{"id":"{id}","v":{n},"op":"delete"}}"#).into_bytes(),
        7 => format!(r#"{{"id":"{id}","v":1,"customer":{{"name":"a","name":"é{n}","notes":[{n}]}}}}"#).into_bytes(),
        8 => br#"{"id":"\ud800","v":1}"#.to_vec(),
        9 => order(&format!(r#"{{"id":"{id}","tags":"{n}"}}"#)).into_bytes(),
        _ => order(&format!(r#"{{"id":"{id}","v":{n},"tags":["{n}",null,"ü"],"at":"2026-01-01T00:00:0{id}Z"}}"#)).into_bytes(),
    }
}

struct Whole {
    rows: RecordBatch,
    keys: Vec<Vec<u8>>,
    versions: Vec<i64>,
    operations: Vec<i8>,
    hashes: Vec<u128>,
    quality: RecordBatch,
    dead: RecordBatch,
    bronze: RecordBatch,
    counts: StreamCounts,
}

fn whole(outputs: &[PipelineOutput]) -> Whole {
    let join = |f: fn(&PipelineOutput) -> &RecordBatch| {
        let all: Vec<RecordBatch> = outputs.iter().map(|o| f(o).clone()).collect();
        concat_batches(&all[0].schema(), &all).unwrap()
    };
    let entities = || outputs.iter().map(|o| &o.entities[0]);
    let mut counts = StreamCounts::default();
    outputs.iter().for_each(|o| counts.add(&o.counts));
    Whole {
        rows: join(|o| &o.entities[0].rows),
        keys: entities().flat_map(|e| e.keys.iter().map(|k| k.unwrap().to_vec())).collect(),
        versions: entities().flat_map(|e| e.versions.values().to_vec()).collect(),
        operations: entities().flat_map(|e| e.operations.clone()).collect(),
        hashes: entities().flat_map(|e| e.content_hash.clone()).collect(),
        quality: join(|o| &o.quality),
        dead: join(|o| &o.dead_letters),
        bronze: join(|o| &o.bronze),
        counts,
    }
}

fn same(a: &Whole, b: &Whole) -> Result<(), TestCaseError> {
    prop_assert_eq!(&a.rows, &b.rows);
    prop_assert_eq!((&a.keys, &a.versions, &a.operations, &a.hashes), (&b.keys, &b.versions, &b.operations, &b.hashes));
    prop_assert_eq!(&a.quality, &b.quality);
    prop_assert_eq!(&a.dead, &b.dead);
    prop_assert_eq!(&a.bronze, &b.bronze);
    prop_assert_eq!(a.counts, b.counts);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_split_gives_the_same(numbers in prop::collection::vec(0u32..500, 1..40), cuts in prop::collection::vec(0usize..40, 0..6)) {
        let records: Vec<Vec<u8>> = numbers.iter().map(|n| record(*n)).collect();
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c < records.len()).chain([0, records.len()]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        let pipeline = shop();
        let at_once = whole(&[pipeline.normalise(&raw(&records), ShardId(5), 100, NOW).unwrap()]);
        let spans = || cuts.windows(2).map(|w| (w[0], w[1]));
        let parts: Vec<PipelineOutput> =
            spans().map(|(from, to)| pipeline.normalise(&raw(&records[from..to]), ShardId(5), 100 + from as u64, NOW).unwrap()).collect();
        same(&at_once, &whole(&parts))?;
        // Out of Bronze, cut in the same places, by a pipeline that remembers nothing.
        let again: Vec<PipelineOutput> = spans().map(|(from, to)| shop().normalise_bronze(&at_once.bronze.slice(from, to - from)).unwrap()).collect();
        same(&at_once, &whole(&again))?;
    }

    #[test]
    fn no_bytes_panic(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..5), cut in 0usize..400) {
        let mut all = records;
        let good = record(11);
        all.push(good[..cut.min(good.len())].to_vec());
        let output = run(&shop(), &all);
        consistent(&output);
    }

    /// What we call JSON is what serde_json calls JSON, but for what text may hold.
    #[test]
    fn json_is_what_others_call_json(text in "[\\[\\]{}:,\"a0.eE+\\-tn]{0,24}") {
        let text = format!("{{{text}}}");
        let ours = Scanner::new(&Layout::default()).scan(0, text.as_bytes()).is_ok();
        prop_assert_eq!(ours, serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
    }
}
