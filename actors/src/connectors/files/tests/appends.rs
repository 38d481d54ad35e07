//! Files that change while they are read.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn append(path: &PathBuf, text: &str) {
    File::options().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn append_replace_and_truncate_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (file, config) = (dir.path().join("a.ndjson"), config(dir.path(), json!({})));
    fs::write(&file, "{\"a\":1}\n{\"a\":2}\n").unwrap();
    let mut reader = open(&config, None).await;
    assert_eq!(drain(&mut reader, 1000).await.payloads.len(), 2);
    append(&file, "{\"a\":3}\n");
    let got = drain(&mut reader, 1000).await;
    assert_eq!((got.texts(), got.kinds()), (vec!["{\"a\":3}".to_owned()], vec![]));
    // Shorter.
    File::options().write(true).open(&file).unwrap().set_len(8).unwrap();
    let got = drain(&mut reader, 1000).await;
    assert_eq!((got.texts(), got.kinds()), (vec!["{\"a\":1}".to_owned()], vec!["file_truncated"]));
    // Another file under the name, by rename and in place.
    fs::write(dir.path().join("tmp"), "{\"b\":1}\n{\"b\":2}\n").unwrap();
    fs::rename(dir.path().join("tmp"), &file).unwrap();
    let got = drain(&mut reader, 1000).await;
    assert_eq!((got.payloads.len(), got.kinds()), (2, vec!["file_replaced"]));
    fs::write(&file, "{\"c\":1}\n{\"c\":2}\n").unwrap();
    let got = drain(&mut reader, 1000).await;
    assert_eq!((got.payloads.len(), got.kinds()), (2, vec!["file_replaced"]));
    // A file moved in with an old modification time is new all the same.
    let old = dir.path().join("old");
    fs::write(&old, "{\"d\":1}\n").unwrap();
    File::options().write(true).open(&old).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    fs::rename(&old, dir.path().join("0.ndjson")).unwrap();
    assert_eq!(drain(&mut reader, 1000).await.texts(), ["{\"d\":1}"]);
    // Only permissions change: nothing to read.
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let got = drain(&mut reader, 1000).await;
    assert!(got.payloads.is_empty() && got.notices.is_empty(), "{got:?}");
    fs::remove_file(&file).unwrap();
    assert!(drain(&mut reader, 1000).await.notices.is_empty(), "a file that was read may go");
}

#[tokio::test]
async fn a_new_reader_sees_files_that_came_while_nobody_read() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), json!({}));
    fs::write(dir.path().join("b.ndjson"), "{\"a\":1}\n").unwrap();
    let first = read(&config, None).await;
    // The last position stands within a pass: the new file's name is before the pass's, its time after.
    fs::write(dir.path().join("a.ndjson"), "{\"a\":2}\n").unwrap();
    let got = read(&config, first.position.as_ref()).await;
    assert_eq!(got.texts(), ["{\"a\":2}"]);
}

#[tokio::test]
async fn an_open_last_line_is_neither_lost_nor_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let (file, config) = (dir.path().join("a.ndjson"), config(dir.path(), json!({})));
    fs::write(&file, "{\"a\":1}\n{\"a\":2}").unwrap();
    let got = read(&config, None).await;
    assert_eq!(got.payloads.len(), 2, "a file may end without a newline");
    append(&file, "\r\n{\"a\":3");
    let got = read(&config, got.position.as_ref()).await;
    assert_eq!((got.texts(), got.kinds()), (vec!["{\"a\":3".to_owned()], vec![]));
    append(&file, "3}\n");
    let got = read(&config, got.position.as_ref()).await;
    assert_eq!((got.texts(), got.kinds()), (vec!["{\"a\":33}".to_owned()], vec!["line_completed"]));
    assert!(read(&config, got.position.as_ref()).await.payloads.is_empty());
    append(&file, "{\"a\":4}\r");
    let got = read(&config, got.position.as_ref()).await;
    assert_eq!(got.payloads.len(), 1);
    append(&file, "\n{\"a\":5}\n");
    let got = read(&config, got.position.as_ref()).await;
    assert_eq!((got.texts(), got.kinds()), (vec!["{\"a\":5}".to_owned()], vec![]), "a line end written in two pieces");
}

#[tokio::test]
async fn a_line_being_written_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.ndjson");
    fs::write(&file, "{\"a\":1}\n{\"a\":").unwrap();
    let mut c = config(dir.path(), json!({}));
    c["settle_ms"] = json!(60_000);
    let mut reader = open(&c, None).await;
    let Fetch::Batch(b) = reader.next(1000).await.unwrap() else { panic!("a batch comes first") };
    assert_eq!(b.payload.len(), 1, "the open line is withheld");
    append(&file, "2}\n");
    assert_eq!(read(&c, Some(&b.position)).await.texts(), ["{\"a\":2}"]);
    c["settle_ms"] = json!(50);
    append(&file, "{\"a\":3}");
    let got = drain(&mut open(&c, Some(&b.position)).await, 1000).await;
    assert_eq!(got.texts(), ["{\"a\":2}", "{\"a\":3}"], "delivered once its file has settled");
}

#[derive(Clone, Debug)]
enum Op {
    Append(usize),
    AppendPart(usize),
    AppendNewline,
    Rename(usize),
    Rewrite(usize),
    ReadOne(usize),
    ReadAll,
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (1..60usize).prop_map(Op::Append),
        2 => (1..30usize).prop_map(Op::AppendPart),
        1 => Just(Op::AppendNewline),
        1 => (0..60usize).prop_map(Op::Rename),
        1 => (0..60usize).prop_map(Op::Rewrite),
        4 => (1..8000usize).prop_map(Op::ReadOne),
        2 => Just(Op::ReadAll),
        3 => Just(Op::Restart),
    ]
}

/// What the file is, and all lines of each of its versions.
struct Model {
    file: PathBuf,
    version: usize,
    lines: Vec<String>,
    /// Bytes of the last line that are not written yet; `None`: the file ends with a newline.
    open: Option<String>,
}

impl Model {
    fn line(&self) -> String {
        let i = self.lines.len();
        format!("{{\"v\":{},\"i\":{i},\"pad\":\"{}\"}}", self.version, "p".repeat((i * 37 + self.version * 11) % 400))
    }

    fn finish_line(&mut self) -> String {
        self.open.take().map_or(String::new(), |rest| rest + "\n")
    }

    fn more(&mut self, n: usize) -> String {
        let mut text = self.finish_line();
        for _ in 0..n {
            let line = self.line();
            text += &line;
            text.push('\n');
            self.lines.push(line);
        }
        text
    }

    fn part(&mut self, n: usize) -> String {
        let mut text = self.finish_line();
        let line = self.line();
        let n = n.min(line.len());
        text += &line[..n];
        self.open = Some(line[n..].to_owned());
        self.lines.push(line);
        text
    }

    fn replace(&mut self, n: usize) -> String {
        self.version += 1;
        self.lines.clear();
        self.open = None;
        self.more(n)
    }
}

async fn run(ops: Vec<Op>) {
    let dir = tempfile::tempdir().unwrap();
    let mut m = Model { file: dir.path().join("a.ndjson"), version: 0, lines: Vec::new(), open: None };
    fs::write(&m.file, "").unwrap();
    let config = config(dir.path(), json!({}));
    let mut reader = open(&config, None).await;
    let mut position: Option<SourcePosition> = None;
    let mut delivered: Vec<String> = Vec::new();
    let take = |fetch: Fetch, position: &mut Option<SourcePosition>, delivered: &mut Vec<String>| {
        let mut got = Got::default();
        let more = got.add(fetch);
        if got.position.is_some() {
            *position = got.position.clone();
        }
        delivered.extend(got.texts());
        more
    };
    let ops = ops.into_iter().chain([Op::Append(1), Op::Restart, Op::ReadAll]);
    let mut versions: Vec<Vec<String>> = Vec::new();
    for op in ops {
        match op {
            Op::Append(n) => append(&m.file.clone(), &m.more(n)),
            Op::AppendPart(n) => append(&m.file.clone(), &m.part(n)),
            Op::AppendNewline => append(&m.file.clone(), &m.more(0)),
            Op::Rename(n) => {
                versions.push(m.lines.clone());
                let tmp = dir.path().join("tmp");
                fs::write(&tmp, m.replace(n)).unwrap();
                fs::rename(&tmp, &m.file).unwrap();
            }
            Op::Rewrite(n) => {
                versions.push(m.lines.clone());
                let text = m.replace(n);
                fs::write(&m.file, text).unwrap();
            }
            Op::ReadOne(n) => {
                take(reader.next(n).await.unwrap(), &mut position, &mut delivered);
            }
            Op::ReadAll => while take(reader.next(3000).await.unwrap(), &mut position, &mut delivered) {},
            Op::Restart => reader = open(&config, position.as_ref()).await,
        }
    }
    versions.push(m.lines.clone());
    for (v, lines) in versions.iter().enumerate() {
        let mark = format!("{{\"v\":{v},");
        let whole: Vec<&String> = delivered.iter().filter(|d| d.starts_with(&mark) && d.ends_with('}')).collect();
        assert!(whole.len() <= lines.len() && whole.iter().zip(lines).all(|(a, b)| *a == b), "version {v}: {whole:?} of {lines:?}");
    }
    assert_eq!(delivered.iter().filter(|d| d.starts_with(&format!("{{\"v\":{},", m.version)) && d.ends_with('}')).count(), m.lines.len());
    for d in &delivered {
        assert!(versions.iter().flatten().any(|l| l.starts_with(d.as_str())), "{d:?} is neither a line nor the start of one");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 64, ..ProptestConfig::default() })]
    #[test]
    fn every_line_comes_exactly_once(ops in prop::collection::vec(op(), 1..16)) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(ops));
    }
}
