//! Bad input: said clearly, nothing lost, nothing else disturbed.

use sha2::{Digest, Sha256};

use super::formats::gzip;
use super::*;
use crate::connectors::files::batch::BatchBuilder;
use crate::connectors::files::framer::{Framer, Pull};
use crate::connectors::files::scanner::{Framing, Scanner};

#[tokio::test]
async fn a_gzip_cut_short_gives_its_good_records_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..20_000).map(|i| format!("{{\"i\":{i},\"r\":\"{:x}\"}}", Sha256::digest(i.to_string()))).collect();
    let whole = gzip((lines.join("\n") + "\n").as_bytes());
    std::fs::write(dir.path().join("a.ndjson.gz"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(dir.path().join("b.ndjson"), "{\"good\":true}\n").unwrap();
    let config = config(dir.path(), json!({}));
    let mut reader = open(&config, None).await;
    let got = drain(&mut reader, 1 << 20).await;
    assert_eq!(got.kinds(), ["bad_compression"]);
    assert!(got.notices[0].message.contains("a.ndjson.gz: it is cut short"), "{:?}", got.notices);
    let (last, good) = got.texts().split_last().map(|(l, g)| (l.clone(), g.to_vec())).unwrap();
    assert_eq!(last, "{\"good\":true}");
    assert!(good.len() > 5000 && good == lines[..good.len()]);
    assert!(drain(&mut reader, 1 << 20).await.notices.is_empty(), "said once");
    // The upload goes on: the rest and nothing twice, also after a restart.
    std::fs::write(dir.path().join("a.ndjson.gz"), &whole).unwrap();
    let rest = read(&config, got.position.as_ref()).await;
    assert_eq!(rest.texts(), lines[good.len()..]);
    assert!(rest.notices.is_empty(), "{:?}", rest.notices);
}

#[tokio::test]
async fn damaged_files_do_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.parquet"), b"PAR1 this is no parquet file PAR1").unwrap();
    std::fs::write(dir.path().join("b.json.gz"), b"plain text").unwrap();
    std::fs::write(dir.path().join("c.ndjson.zst"), [0x28, 0xb5, 0x2f, 0xfd, 9, 9, 9, 9, 9]).unwrap();
    std::fs::write(dir.path().join("d.parquet"), b"").unwrap();
    std::fs::write(dir.path().join("e.ndjson"), b"{\"bad\":\"\xff\xfe\"}\n{\"trunc").unwrap();
    let got = read(&config(dir.path(), json!({})), None).await;
    assert_eq!(got.kinds(), ["bad_parquet", "bad_compression", "bad_compression"]);
    assert_eq!(got.payloads, [b"{\"bad\":\"\xff\xfe\"}".to_vec(), b"{\"trunc".to_vec()], "invalid UTF-8 passes as it is");
}

#[tokio::test]
async fn a_line_of_50_mb_is_measured_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let big = format!("{{\"x\":\"{}\"}}", "y".repeat(50_000_000));
    std::fs::write(dir.path().join("a.ndjson"), format!("{{\"a\":1}}\r\n{big}\r\n{{\"a\":2}}\n{big}")).unwrap();
    let config = config(dir.path(), json!({"max_record_bytes": 1 << 20}));
    let got = read(&config, None).await;
    assert_eq!(got.texts(), ["{\"a\":1}", "{\"a\":2}"]);
    assert_eq!(got.oversize.len(), 2);
    for o in &got.oversize {
        assert_eq!((o.length, o.head.as_slice()), (big.len() as u64, &big.as_bytes()[..64 << 10]));
        assert_eq!(o.sha256.as_slice(), Sha256::digest(big.as_bytes()).as_slice());
    }
    assert_eq!(got.oversize[0].location, "a.ndjson@9");
    assert!(read(&config, got.position.as_ref()).await.oversize.is_empty(), "once");
    // Only its newline was missing.
    let mut f = std::fs::File::options().append(true).open(dir.path().join("a.ndjson")).unwrap();
    std::io::Write::write_all(&mut f, b"\n{\"a\":3}\n").unwrap();
    let more = read(&config, got.position.as_ref()).await;
    assert_eq!((more.texts(), more.oversize.len()), (vec!["{\"a\":3}".to_owned()], 0));
}

#[test]
fn oversize_records_take_constant_memory() {
    for framing in [Framing::Line, Framing::Csv, Framing::Json] {
        let text =
            std::io::Read::chain(&b"\""[..], std::io::Read::chain(std::io::Read::take(std::io::repeat(b'a'), 60 << 20), &b"\"\n1\n"[..]));
        let mut f = Framer::new(Box::new(text), Scanner::new(framing, false), 0, 1 << 20, 0);
        let mut batch = BatchBuilder::new();
        let mut most = 0;
        loop {
            let pulled = f.pull(&mut batch, 1 << 20, "x@").unwrap();
            most = most.max(f.held());
            if matches!(pulled, Pull::End(_)) {
                break;
            }
        }
        assert!(most <= 2 << 20, "{framing:?} held {most}");
        let batch = batch.finish(SourcePosition(String::new()), Vec::new());
        assert_eq!((batch.oversize.len(), batch.oversize[0].length, batch.payload.len()), (1, (60 << 20) + 2, 1), "{framing:?}");
    }
}

#[tokio::test]
async fn a_directory_that_vanishes_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("in");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("a.ndjson"), "{\"a\":1}\n").unwrap();
    let config = config(&place, json!({}));
    let mut reader = open(&config, None).await;
    assert_eq!(drain(&mut reader, 1000).await.payloads.len(), 1);
    let away = dir.path().join("away");
    std::fs::rename(&place, &away).unwrap();
    match reader.next(1000).await {
        Err(SourceError::Retry { message, .. }) => assert!(message.contains("does not exist") && message.contains("/in"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert!(FilesKind.build(&config, no_host()).unwrap().test().await.is_err());
    std::fs::write(away.join("b.ndjson"), "{\"a\":2}\n").unwrap();
    std::fs::rename(&away, &place).unwrap();
    assert_eq!(drain(&mut reader, 1000).await.texts(), ["{\"a\":2}"]);
}

#[test]
fn every_fault_of_a_configuration_is_named() {
    let faults = FilesKind.check(&json!({
        "url": "relative", "formta": "csv", "shards": 0, "format": "xml", "csv": {"delim": ";"}, "pattern": "[a"
    }));
    for key in ["formta: unknown key", "format: unknown variant `xml`", "csv: unknown field `delim`"] {
        assert!(faults.iter().any(|f| f.contains(key)), "{key}: {faults:?}");
    }
    let faults = FilesKind.check(&json!({
        "url": "relative", "shards": 0, "pattern": "[a", "stream": "A B", "max_record_bytes": 1, "csv": {"delimiter": "\n"}, "poll_ms": 0
    }));
    for key in ["url:", "shards:", "pattern:", "stream:", "max_record_bytes:", "csv.delimiter:", "poll_ms:"] {
        assert!(faults.iter().any(|f| f.starts_with(key)), "{key}: {faults:?}");
    }
    assert!(!FilesKind.check(&json!("x")).is_empty());
    assert!(FilesKind.build(&json!({}), no_host()).is_err());
}
