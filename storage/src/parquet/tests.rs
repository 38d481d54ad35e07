//! Data files: written in a stream, labelled, and read back by address.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BinaryArray, BinaryViewArray, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use futures::TryStreamExt;
use lakewright_proto::*;
use object_store::memory::InMemory;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::object::Store;
use crate::paths::{Day, Key};

const T0: i64 = 1_793_491_199_000_000;

fn schema() -> SchemaRef {
    let id = |f: Field, n: u32| f.with_metadata([("PARQUET:field_id".to_owned(), n.to_string())].into());
    Arc::new(Schema::new(vec![
        id(Field::new("_offset", DataType::Int64, false), 22),
        id(Field::new("_ingested_at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false), 23),
        id(Field::new("payload", DataType::BinaryView, false), 33),
    ]))
}

fn payload(offset: i64) -> Vec<u8> {
    format!("{{\"n\":{offset},\"x\":\"{}\"}}", offset.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)).into_bytes()
}

fn batch(offsets: &[i64]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(offsets.to_vec())),
        Arc::new(TimestampMicrosecondArray::from_iter_values(offsets.iter().map(|o| T0 + o)).with_timezone("UTC")),
        Arc::new(BinaryViewArray::from_iter_values(offsets.iter().map(|o| payload(*o)))),
    ];
    RecordBatch::try_new(schema(), columns).unwrap()
}

fn footer(first: u64, end: u64) -> Footer {
    let id = Uuid::from_u128;
    Footer {
        cluster: ClusterId(id(1)),
        incarnation: 2,
        tenant: TenantId(id(3)),
        table: TableId(id(4)),
        file: FileId(id(5)),
        owner: Owner::Shard(ShardId(6)),
        epoch: ShardEpoch(7),
        span: Span::Offsets { first, end },
        previous: None,
        next: Some(SourcePosition("{\"v\":1}".into())),
        run: Some(RunId(id(8))),
        pack: Some("abc".into()),
    }
}

fn key() -> Key {
    Key::Bronze {
        tenant: TenantId(Uuid::from_u128(3)),
        source: "files.x".into(),
        day: Day::of_micros(T0),
        file: FileId(Uuid::from_u128(5)),
    }
}

fn memory() -> Store {
    Store::over(Arc::new(InMemory::new()), "memory")
}

async fn offsets_of(stream: futures::stream::BoxStream<'static, crate::error::Result<RecordBatch>>) -> Vec<i64> {
    let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
    let mut out = Vec::new();
    for b in &batches {
        let o = b.column(0).as_primitive::<Int64Type>();
        let p: &BinaryArray = b.column(2).as_binary();
        for i in 0..b.num_rows() {
            assert_eq!(p.value(i), payload(o.value(i)), "row {i} holds its own payload");
        }
        out.extend_from_slice(o.values());
    }
    out
}

#[tokio::test]
async fn written_files_read_back_with_their_label() {
    let store = memory();
    let f = footer(100, 10_100);
    let parts = (0..10).map(|i| batch(&(100 + i * 1000..1100 + i * 1000).collect::<Vec<_>>()));
    let file = write_file(&store, key(), &schema(), parts, &f, &Profile::Bronze).await.unwrap();
    assert_eq!((file.rows, file.path.clone(), file.id), (10_000, key().to_string(), FileId(Uuid::from_u128(5))));
    assert_eq!(file.time_range, (T0 + 100, T0 + 10_099));
    assert_eq!(file.partition, "year=2026/month=10/day=31");
    assert_eq!(file.size, store.head(&file.path).await.unwrap().size);
    let r = FileReader::open(&store, &file.path, file.size).await.unwrap();
    assert_eq!((r.footer().unwrap(), r.rows()), (f, 10_000));
    assert_eq!(r.schema().field(2).data_type(), &DataType::Binary, "views stay in memory");
    assert_eq!(r.schema().field(2).metadata()["PARQUET:field_id"], "33");
    assert_eq!(r.schema().field(1).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    assert_eq!(offsets_of(r.stream(None).unwrap()).await, (100..10_100).collect::<Vec<_>>());
    assert_eq!(offsets_of(r.read_range(5000..5003, None).await.unwrap()).await, [5000, 5001, 5002]);
    assert_eq!(offsets_of(r.read_offsets(&[3, 100, 4195, 10_099, 99_999], None).await.unwrap()).await, [100, 4195, 10_099]);
    let one = r.stream(Some(&["_offset"])).unwrap().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(one[0].num_columns(), 1);
}

#[tokio::test]
async fn large_files_leave_in_parts_and_memory_stays_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::local(dir.path()).unwrap();
    let schema = schema();
    let mut w = FileWriter::start(&store, key(), &schema, &Profile::Bronze).unwrap();
    let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(1);
    // 8 MiB that zstd cannot shrink: pages are compressed one by one.
    let mut block = vec![0u8; 8 << 20];
    rand::RngCore::fill_bytes(&mut rng, &mut block);
    let rows: Vec<&[u8]> = block.chunks(128 << 10).collect();
    let (mut most, mut written) = (0, 0u64);
    for i in 0..24i64 {
        let b = RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from_iter_values(i * 64..(i + 1) * 64)),
                Arc::new(TimestampMicrosecondArray::from_value(T0, 64).with_timezone("UTC")),
                Arc::new(BinaryViewArray::from_iter_values(&rows)),
            ],
        );
        w.write(b.unwrap()).await.unwrap();
        most = most.max(w.memory());
        written = w.bytes();
    }
    assert!(written > 190 << 20 && most < 80 << 20, "{written} written, {most} waited at most");
    let file = w.finish(&footer(0, 1536)).await.unwrap();
    assert_eq!(file.size, store.head(&file.path).await.unwrap().size);
    let r = FileReader::open(&store, &file.path, file.size).await.unwrap();
    assert_eq!((r.rows(), r.footer().unwrap()), (1536, footer(0, 1536)));
    assert_eq!(std::fs::read_dir(dir.path().join("_lakewright/staging")).unwrap().count(), 0);
}

#[test]
fn the_footer_is_frozen() {
    let text: Vec<String> = footer(100, 200).encode().into_iter().map(|kv| format!("{}={}", kv.key, kv.value.unwrap())).collect();
    let id = |n: u128| Uuid::from_u128(n).to_string();
    let frozen = [
        "lakewright.format=1".to_owned(),
        format!("lakewright.cluster={}", id(1)),
        "lakewright.incarnation=2".to_owned(),
        format!("lakewright.tenant={}", id(3)),
        format!("lakewright.table={}", id(4)),
        format!("lakewright.file={}", id(5)),
        "lakewright.shard=6".to_owned(),
        "lakewright.epoch=7".to_owned(),
        "lakewright.offsets=100..200".to_owned(),
        "lakewright.next={\"v\":1}".to_owned(),
        format!("lakewright.run={}", id(8)),
        "lakewright.pack=abc".to_owned(),
        format!("lakewright.crc32={}", FROZEN_CRC),
    ];
    assert_eq!(text, frozen);
}

const FROZEN_CRC: &str = "ce8502a1";

#[test]
fn a_changed_footer_is_noticed() {
    let bucket = Footer {
        owner: Owner::Bucket(3),
        span: Span::Watermark { from: CommitSeq(4), to: CommitSeq(9) },
        next: None,
        run: None,
        pack: None,
        ..footer(0, 0)
    };
    for f in [footer(1, 2), bucket] {
        let good = f.encode();
        assert_eq!(Footer::decode("p", Some(&good)).unwrap(), f);
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i].value = Some("1".into());
            if bad[i].value != good[i].value {
                assert_eq!(Footer::decode("p", Some(&bad)).unwrap_err().code(), ErrorCode::DataLoss, "{}", good[i].key);
            }
            let mut missing = good.clone();
            missing.remove(i);
            assert!(Footer::decode("p", Some(&missing)).is_err(), "without {}", good[i].key);
        }
    }
    assert!(Footer::decode("p", None).unwrap_err().to_string().contains("not written by Lakewright"));
}

#[tokio::test]
async fn a_damaged_file_is_named() {
    let store = memory();
    let file = write_file(&store, key(), &schema(), [batch(&[1, 2, 3])], &footer(1, 4), &Profile::Bronze).await.unwrap();
    let mut bytes = store.get(&file.path).await.unwrap().to_vec();
    let n = bytes.len();
    bytes[n - 6] ^= 0xff;
    store.put(&file.path, bytes.into()).await.unwrap();
    let e = FileReader::open(&store, &file.path, file.size).await.err().unwrap();
    assert_eq!(e.code(), ErrorCode::DataLoss);
    assert!(e.to_string().contains(&file.path), "{e}");
    let gone = FileReader::open(&store, "bronze/none", 100).await.err().unwrap();
    assert_eq!(gone.code(), ErrorCode::NotFound);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_offsets_are_found(gaps in prop::collection::vec(1..5i64, 1..9000), seed in any::<u64>(), range in (0..30_000u64, 0..9000u64)) {
        let offsets: Vec<i64> = gaps.iter().scan(0, |at, g| { *at += g; Some(*at) }).collect();
        let wanted: Vec<u64> = (0..40).map(|i| (seed.wrapping_mul(i * 2 + 1) >> 7) % 30_000).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = memory();
            let parts: Vec<_> = offsets.chunks(1000).map(batch).collect();
            let file = write_file(&store, key(), &schema(), parts, &footer(0, 1), &Profile::Bronze).await.unwrap();
            let r = FileReader::open(&store, &file.path, file.size).await.unwrap();
            let got = offsets_of(r.read_offsets(&wanted, None).await.unwrap()).await;
            let expected: Vec<i64> = offsets.iter().copied().filter(|o| wanted.contains(&(*o as u64))).collect();
            assert_eq!(got, expected);
            let span = range.0..range.0 + range.1;
            let got = offsets_of(r.read_range(span.clone(), None).await.unwrap()).await;
            let expected: Vec<i64> = offsets.iter().copied().filter(|o| span.contains(&(*o as u64))).collect();
            assert_eq!(got, expected);
        });
    }
}
