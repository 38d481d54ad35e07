//! The parts: patterns, positions of bounded size, framing at every cut.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::connectors::files::batch::BatchBuilder;
use crate::connectors::files::config::FilesConfig;
use crate::connectors::files::framer::{Framer, Pull};
use crate::connectors::files::listing::Found;
use crate::connectors::files::position::{Entry, Position};
use crate::connectors::files::scanner::{Framing, Scanner};
use crate::connectors::files::{glob, position};

#[test]
fn patterns() {
    for (pattern, yes, no) in [
        ("*.json", &["a.json"][..], &["a/b.json", "a.jsonx", "xjson"][..]),
        ("**/*.json", &["a.json", "a/b/c.json"], &["a.csv"]),
        ("in/**", &["in/a", "in/b/c"], &["out/a"]),
        ("a?.{csv,tsv}{,.gz}", &["a1.csv", "a2.tsv.gz"], &["a.csv", "a12.csv", "a1.csv.zst"]),
        ("[!ab][0-9].x", &["c1.x"], &["a1.x", "cc.x"]),
        ("a+(b).x", &["a+(b).x"], &["aab.x"]),
    ] {
        let re = glob::compile(pattern).unwrap();
        for y in yes {
            assert!(re.is_match(y), "{pattern} {y}");
        }
        for n in no {
            assert!(!re.is_match(n), "{pattern} {n}");
        }
    }
    assert!(glob::compile("{a").is_err() && glob::compile("[a").is_err());
}

#[test]
fn a_fault_of_a_secret_does_not_show_it() {
    let faults = FilesConfig::parse(&json!({"url": "s3://b/p", "secret_access_key": 918273, "access_key_id": ["918273"]})).unwrap_err();
    assert_eq!(faults, ["access_key_id: is not a text", "secret_access_key: is not a text"]);
}

fn file(name: &str, time: i64) -> Found {
    Found { name: name.to_owned(), size: 10, time, modified: time, id: "1".to_owned() }
}

fn entry(f: &Found) -> Entry {
    Entry {
        size: f.size,
        time: f.time,
        modified: f.modified,
        id: f.id.clone(),
        offset: f.size,
        covered: f.size,
        head: u64::MAX,
        tail: u64::MAX,
        finished: true,
        ..Entry::default()
    }
}

#[test]
fn the_position_is_frozen() {
    let mut p = Position::default();
    p.begin_pass(50);
    let f = file("a.ndjson", 40);
    p.entries.insert(f.name.clone(), Entry { head: 7, tail: 8, open: 2, in_array: true, failed: true, ..entry(&f) });
    p.passed(&f);
    let text = "{\"v\":1,\"w\":-9223372036854775808,\"p\":50,\"n\":\"a.ndjson\",\"e\":{\"a.ndjson\":{\"s\":10,\"t\":40,\"m\":40,\"i\":\"1\",\"o\":10,\"u\":2,\"c\":10,\"h\":7,\"l\":8,\"a\":true,\"x\":true,\"f\":true}}}";
    assert_eq!(p.encode().unwrap().0, text);
    assert_eq!(Position::decode(Some(&SourcePosition(text.to_owned()))).unwrap(), p);
    assert!(Position::decode(Some(&SourcePosition("{}".to_owned()))).is_err());
    assert!(Position::decode(Some(&SourcePosition(text.replace("\"v\":1", "\"v\":2")))).is_err());
}

#[test]
fn a_hundred_thousand_files_fit_and_none_is_read_twice_or_missed() {
    let mut p = Position::default();
    // Names and times in different orders, with restarts and late-comers in the middle of the pass.
    let mut files: Vec<Found> =
        (0..100_000i64).map(|i| file(&format!("dir/{:06}-some-longer-name.ndjson", i * 7919 % 100_000), i)).collect();
    let mut read = BTreeSet::new();
    for round in 0..30 {
        let now = 100_000 + round * 100;
        let newest = files.iter().map(|f| f.time).max().unwrap();
        p.begin_pass(newest);
        let mut wanted: Vec<Found> = files.iter().filter(|f| p.wants(f, now)).cloned().collect();
        wanted.sort_by(|a, b| a.name.cmp(&b.name));
        let whole = wanted.len() < 10_000;
        for f in wanted.iter().take(10_000) {
            assert!(read.insert((f.name.clone(), f.time)), "{} read twice", f.name);
            p.entries.insert(f.name.clone(), entry(f));
            p.passed(f);
            p.shrink();
        }
        if whole {
            p.end_pass();
        }
        let text = p.encode().unwrap();
        assert!(text.0.len() < 32 << 10, "{}", text.0.len());
        p = Position::decode(Some(&text)).unwrap();
        if round < 15 {
            files.push(file(&format!("dir/{:06}-late-{round}.ndjson", round * 6000), now));
        }
    }
    assert_eq!(read.len(), files.len());
    assert_eq!(position::PRINT_BYTES, 4096);
}

/// Gives its bytes in pieces of the given sizes.
struct Pieces(Vec<u8>, Vec<usize>);

impl std::io::Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.pop().unwrap_or(usize::MAX).max(1).min(out.len()).min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0.drain(..n);
        Ok(n)
    }
}

fn frames(framing: Framing, bytes: &[u8], limit: usize) -> Vec<Vec<u8>> {
    let mut scanner = Scanner::new(framing, false);
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        at += scanner.gap(&bytes[at..]);
        if at == bytes.len() {
            break;
        }
        let (end, closed) = scanner.scan(&bytes[at..]).map_or((bytes.len(), false), |n| (at + n, true));
        let record = &bytes[at..end];
        let content = if closed { &record[..scanner.content(record)] } else { record };
        if framing == Framing::Json || !content.trim_ascii().is_empty() {
            out.push(if content.len() > limit { b"OVER".to_vec() } else { content.to_vec() });
        }
        at = end;
    }
    out
}

proptest! {
    #[test]
    fn framing_does_not_depend_on_cuts(
        text in "([a{}\\[\\]\",: \\\\\r\n1]|aaaaaaaaaaaa){0,200}",
        cuts in prop::collection::vec(1..20usize, 0..100),
        which in 0..3usize,
        limit in 8..64usize,
    ) {
        let framing = [Framing::Line, Framing::Csv, Framing::Json][which];
        let expected = frames(framing, text.as_bytes(), limit);
        let mut f = Framer::new(Box::new(Pieces(text.into_bytes(), cuts)), Scanner::new(framing, false), 0, limit, 0);
        let mut batch = BatchBuilder::new();
        let mut positions = BTreeSet::new();
        let open = loop {
            positions.insert(f.at());
            match f.pull(&mut batch, 1, "x@").unwrap() {
                Pull::More => {}
                Pull::End(open) => break open,
                Pull::Fault(e) => panic!("{e:?}"),
            }
        };
        if open > 0 {
            f.deliver_open(&mut batch, "x@").unwrap();
        }
        let batch = batch.finish(SourcePosition(String::new()), Vec::new());
        let mut got: Vec<Vec<u8>> = batch.payload.iter().map(|p| p.unwrap().to_vec()).collect();
        for o in batch.oversize.iter().rev() {
            got.insert(o.before_row, b"OVER".to_vec());
        }
        prop_assert_eq!(got, expected);
    }
}
