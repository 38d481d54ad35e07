//! The real process is killed at every named point of Raft, at arbitrary instants, and run out of
//! disk; what it had acknowledged is there afterwards, once and in order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use lakewright_proto::ErrorCode;

use super::memory_state::MemoryState;
use super::{MetaLog, Outcome, RaftNode, RaftOptions, RaftRuntime, Recovery, ReplicatedState};

const DIR_VARIABLE: &str = "LAKEWRIGHT_CRASHING_DIR";
const ACK: &str = "acknowledged ";
const SIGKILL: i32 = 9;

fn options() -> RaftOptions {
    RaftOptions { snapshot_after_entries: 25, keep_entries: 3, ..RaftOptions::default() }
}

/// The process that dies; an ordinary run has nothing to do here. It goes on from what it finds
/// and says each acknowledged number on its error stream.
#[tokio::test]
async fn crashing_child() {
    let Ok(dir) = std::env::var(DIR_VARIABLE) else { return };
    let state = MemoryState::shared();
    let shared = Arc::clone(&state) as Arc<dyn ReplicatedState>;
    let raft = RaftRuntime::start(Path::new(&dir), 1, RaftNode::default(), shared, options()).await.unwrap();
    let meta = raft.meta_log();
    for i in state.commands().len() as u32.. {
        let mut command = i.to_be_bytes().to_vec();
        command.resize(200, 0);
        match meta.propose(command).await {
            Outcome::Done(_) => writeln!(std::io::stderr().lock(), "{ACK}{i}").unwrap(),
            // The disk is full: told apart, and the node knows that it must end.
            Outcome::NotDone(e) => panic!("a lost append was called not done: {e}"),
            Outcome::Unknown(e) => {
                assert_eq!(e.code, ErrorCode::UnknownOutcome);
                let why = raft.failed().await;
                assert!(why.message.contains("File too large"), "{why}");
                assert!(matches!(meta.propose(vec![1]).await, Outcome::NotDone(_)));
                drop(raft.shutdown().await);
                return;
            }
        }
    }
}

fn child(dir: &Path, program: &mut Command) -> Child {
    program
        .args(["--exact", "raft::crash_tests::crashing_child", "--nocapture"])
        .env(DIR_VARIABLE, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads acknowledgements until the child is gone, killing it after `kill_after` of them.
/// Answers the last acknowledged number and how the child ended.
fn watch(mut child: Child, kill_after: Option<usize>) -> (Option<u32>, std::process::ExitStatus, String) {
    let mut last = None;
    let mut seen = 0;
    let mut said = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix(ACK) {
            last = Some(number.parse().unwrap());
            seen += 1;
            if Some(seen) == kill_after {
                child.kill().unwrap();
            }
        } else {
            said.push_str(&line);
        }
    }
    (last, child.wait().unwrap(), said)
}

/// Reopens what the dead process left and compares: 0, 1, 2, ... without hole or repetition, and
/// at least up to the last acknowledged one.
fn check(dir: &Path, acknowledged: Option<u32>) -> Recovery {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let state = MemoryState::shared();
        let shared = Arc::clone(&state) as Arc<dyn ReplicatedState>;
        let raft = RaftRuntime::start(dir, 1, RaftNode::default(), shared, options()).await.unwrap();
        let numbers: Vec<u32> = state.commands().iter().map(|c| u32::from_be_bytes(c[..4].try_into().unwrap())).collect();
        assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>());
        assert!(Some(numbers.len() as u32) > acknowledged, "{} applied, acknowledged up to {acknowledged:?}", numbers.len());
        let recovery = raft.recovery();
        raft.shutdown().await.unwrap();
        recovery
    })
}

#[test]
fn a_kill_at_every_named_point_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = None;
    for point in [
        "raft.append.before_sync:1",
        "raft.append.after_sync:1",
        "raft.append.before_sync:40",
        "raft.append.after_sync:61",
        "catalog.snapshot.written:1",
        "catalog.snapshot.written:3",
    ] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let (acknowledged, status, said) = watch(child(dir.path(), program.env("LAKEWRIGHT_CRASH_AT", point)), None);
        assert_eq!(status.signal(), Some(SIGKILL), "{point}: {status} {said}");
        last = acknowledged.or(last);
        check(dir.path(), last);
    }
    assert!(last.is_some_and(|n| n > 100), "{last:?}");
}

#[test]
fn a_kill_at_any_instant_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut last = None;
    let mut recoveries = Vec::new();
    for kill_after in [1, 7, 33, 58, 90] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let (acknowledged, status, said) = watch(child(dir.path(), &mut program), Some(kill_after));
        assert_eq!(status.signal(), Some(SIGKILL), "{status} {said}");
        last = acknowledged.or(last);
        recoveries.push(check(dir.path(), last));
    }
    assert!(recoveries.contains(&Recovery::Loaded), "{recoveries:?}");
}

/// A file size limit stands for a full disk: the write of the log fails.
#[test]
fn a_full_disk_stops_the_node_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = Command::new("sh");
    program.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    let (acknowledged, status, said) = watch(child(dir.path(), &mut program), None);
    assert!(status.success(), "{status} {said}");
    assert!(acknowledged.is_some_and(|n| n > 10), "{acknowledged:?}");
    check(dir.path(), acknowledged);
}
