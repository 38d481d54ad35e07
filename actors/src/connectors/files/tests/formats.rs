//! Each format under each compression, whole and resumed from each position.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;

use super::*;

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut e = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn ndjson(n: usize) -> (Vec<u8>, Vec<String>) {
    let lines: Vec<String> = (0..n).map(|i| format!("{{\"i\":{i},\"t\":\"ü{}\"}}", "x".repeat(i % 300))).collect();
    (lines.iter().flat_map(|l| format!("{l}\n").into_bytes()).collect(), lines)
}

fn json_array(n: usize) -> (Vec<u8>, Vec<String>) {
    let items: Vec<String> = (0..n).map(|i| format!("{{\"i\": {i}, \"s\": \"]}}\\\"[{{\", \"deep\": [[{{}}], {i}]}}")).collect();
    (format!("[\n  {}\n]\n", items.join(",\n  ")).into_bytes(), items)
}

fn csv(n: usize) -> (Vec<u8>, Vec<String>) {
    let lines: Vec<String> = (0..n).map(|i| format!("{i},\"line one\nand \"\"two\"\" of {i}\",z")).collect();
    let mut text = "\u{feff}id,\"a, text\",last\r\n".to_owned();
    for l in &lines {
        text.push_str(l);
        text.push_str("\r\n");
    }
    (text.into_bytes(), lines)
}

fn parquet(n: usize) -> (Vec<u8>, Vec<String>) {
    let money = Decimal128Array::from_iter_values((0..n as i128).map(|i| i * 100 + 7)).with_precision_and_scale(38, 2).unwrap();
    let names: StringArray = (0..n).map(|i| (i % 3 != 0).then(|| format!("n\n{i}"))).collect();
    let columns: Vec<(&str, ArrayRef)> =
        vec![("id", Arc::new(Int64Array::from_iter_values(0..n as i64))), ("name", Arc::new(names)), ("amount", Arc::new(money))];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).unwrap();
    let mut w = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    w.write(&batch).unwrap();
    let rows = (0..n)
        .map(|i| {
            let name = if i % 3 == 0 { "null".to_owned() } else { format!("\"n\\n{i}\"") };
            format!("{{\"id\":{i},\"name\":{name},\"amount\":{i}.07}}")
        })
        .collect();
    (w.into_inner().unwrap(), rows)
}

#[tokio::test]
async fn every_format_and_compression_reads_alike() {
    let n = 3000;
    for (ext, (bytes, expected)) in [("ndjson", ndjson(n)), ("json", json_array(n)), ("csv", csv(n)), ("parquet", parquet(n))] {
        let compressions = if ext == "parquet" { &["", ".zst"][..1] } else { &["", ".gz", ".zst"][..] };
        for c in compressions {
            let dir = tempfile::tempdir().unwrap();
            let packed = match *c {
                // Two members and two frames: both kinds may be concatenated.
                ".gz" => [gzip(&bytes[..bytes.len() / 2]), gzip(&bytes[bytes.len() / 2..])].concat(),
                ".zst" => [zstd::encode_all(&bytes[..999], 1).unwrap(), zstd::encode_all(&bytes[999..], 1).unwrap()].concat(),
                _ => bytes.clone(),
            };
            std::fs::write(dir.path().join(format!("a.{ext}{c}")), &packed).unwrap();
            let config = config(dir.path(), json!({}));
            let got = drain(&mut open(&config, None).await, 64 << 10).await;
            assert_eq!(got.texts(), expected, "{ext}{c}");
            assert!(got.notices.is_empty(), "{ext}{c}: {:?}", got.notices);
            if ext == "csv" {
                assert_eq!(got.headers[0].as_ref().unwrap(), &["id", "a, text", "last"]);
            }
            // From every position: exactly the rest.
            let mut before = 0;
            let mut reader = open(&config, None).await;
            while let Fetch::Batch(b) = reader.next(64 << 10).await.unwrap() {
                before += b.payload.len();
                let rest = read(&config, Some(&b.position)).await;
                assert_eq!(rest.texts(), expected[before..], "{ext}{c} after {before}");
            }
            assert_eq!(before, expected.len());
        }
    }
}

#[tokio::test]
async fn locations_lead_back_to_the_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (bytes, lines) = ndjson(500);
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/a.jsonl"), &bytes).unwrap();
    let got = read(&config(dir.path(), json!({})), None).await;
    for (l, line) in got.locations.iter().zip(&lines) {
        let at: usize = l.strip_prefix("sub/a.jsonl@").unwrap().parse().unwrap();
        assert!(bytes[at..].starts_with(line.as_bytes()));
    }
    std::fs::write(dir.path().join("b.parquet"), parquet(3).0).unwrap();
    let got = read(&config(dir.path(), json!({"format": "parquet"})), None).await;
    assert!(got.locations[2].starts_with("b.parquet@2#") && got.locations[2].len() == "b.parquet@2#".len() + 16, "{:?}", got.locations);
}

#[tokio::test]
async fn json_documents_and_oddities() {
    for (text, expected) in [
        ("", &[][..]),
        ("  \n", &[]),
        ("[]", &[]),
        ("[ ]\n", &[]),
        ("{\"a\": [1,\n2]}", &["{\"a\": [1,\n2]}"]),
        ("{\"a\":1}\n{\"a\":2}", &["{\"a\":1}", "{\"a\":2}"]),
        ("[1, \"x,]\" ,null,[2,[3]]]", &["1", "\"x,]\"", "null", "[2,[3]]"]),
        ("[{\"a\":1},{\"a\":", &["{\"a\":1}", "{\"a\":"]),
        ("\"a \\\" b\"", &["\"a \\\" b\""]),
        ("42", &["42"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.json"), text).unwrap();
        let got = read(&config(dir.path(), json!({})), None).await;
        assert_eq!(got.texts(), expected, "{text}");
        assert!(read(&config(dir.path(), json!({})), got.position.as_ref()).await.payloads.is_empty(), "{text}");
    }
}

#[tokio::test]
async fn blank_lines_and_a_bom_are_no_records() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.ndjson"), "\u{feff}{\"a\":1}\r\n\n  \r\n\t\n{\"a\":2}\n\n  ").unwrap();
    std::fs::write(dir.path().join("b.csv"), "1;x\n\n2;y").unwrap();
    std::fs::write(dir.path().join("c.ndjson"), "").unwrap();
    let got = read(&config(dir.path(), json!({"csv": {"delimiter": ";", "header": false}})), None).await;
    assert_eq!(got.texts(), ["{\"a\":1}", "{\"a\":2}", "1;x", "2;y"]);
    assert_eq!(got.headers[1].as_ref().unwrap(), &["column_1", "column_2"]);
    assert!(got.notices.is_empty(), "{:?}", got.notices);
}

#[tokio::test]
async fn shards_and_directories_split_the_files() {
    let dir = tempfile::tempdir().unwrap();
    for d in ["Deals", "leads"] {
        std::fs::create_dir(dir.path().join(d)).unwrap();
        for i in 0..20 {
            std::fs::write(dir.path().join(format!("{d}/{i}.ndjson")), format!("{{\"f\":\"{d}{i}\"}}\n")).unwrap();
        }
    }
    std::fs::write(dir.path().join(".hidden.ndjson"), "{}\n").unwrap();
    let config = config(dir.path(), json!({"stream_by": "directory", "shards": 3}));
    let connector = FilesKind.build(&config, no_host()).unwrap();
    let streams: Vec<_> = connector.discover().await.unwrap().into_iter().map(|s| s.name).collect();
    assert_eq!(streams, ["deals", "leads"]);
    let mut all = Vec::new();
    for shard in connector.shards("deals", RunScope::Incremental).await.unwrap() {
        let mut reader = connector.open(at("deals", shard, None)).await.unwrap();
        let got = drain(&mut reader, 1 << 20).await.texts();
        assert!((1..20).contains(&got.len()));
        all.extend(got);
    }
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|t| t.contains("Deals")));
    assert!(connector.test().await.unwrap().contains("40 files"));
    let foreign = SourceShard { key: "0/4".into(), parents: vec![] };
    assert!(connector.open(at("deals", foreign, None)).await.is_err());
}
