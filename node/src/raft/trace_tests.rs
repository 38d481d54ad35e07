//! A system-call trace proves that an acknowledged command was fsynced: this test binary runs
//! itself under strace.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;
use std::process::Command;

use super::memory_state::MemoryState;
use super::{MetaLog, Outcome, RaftNode, RaftOptions, RaftRuntime};

const DIR_VARIABLE: &str = "LAKEWRIGHT_TRACED_DIR";
const COMMAND: &str = "TRACED-COMMAND";
const ACK: &str = "TRACED-ACKNOWLEDGEMENT";

/// The traced process; an ordinary run has nothing to do here.
#[tokio::test]
async fn traced_child() {
    let Ok(dir) = std::env::var(DIR_VARIABLE) else { return };
    let dir = Path::new(&dir);
    let raft = RaftRuntime::start(dir, 1, RaftNode::default(), MemoryState::shared(), RaftOptions::default()).await.unwrap();
    for i in 0..5 {
        let done = raft.meta_log().propose(format!("{COMMAND}-{i}").into_bytes()).await;
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
        // One write that the trace shows: what a client would have been sent.
        std::fs::write(dir.join("ack"), format!("{ACK}-{i}")).unwrap();
    }
    raft.shutdown().await.unwrap();
}

#[test]
fn an_acknowledged_command_was_fsynced() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("trace");
    let child = Command::new("strace")
        .args(["-f", "-y", "-s", "4096", "-e", "trace=write,writev,pwrite64,pwritev,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "raft::trace_tests::traced_child", "--nocapture"])
        .env(DIR_VARIABLE, dir.path())
        .output();
    let child = match child {
        Ok(child) => child,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => panic!("strace is missing: apt-get install strace"),
        Err(e) => panic!("strace cannot be run: {e}"),
    };
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let trace = std::fs::read_to_string(trace).unwrap();
    for i in 0..5 {
        assert!(synced_between(&trace, &format!("{COMMAND}-{i}"), &format!("{ACK}-{i}")), "command {i}:\n{trace}");
    }
}

/// Whether a sync of a log file began after the write of `command` into it had ended, and itself
/// ended well before the write of `ack` began. A call that another thread interrupts stands on two
/// lines, `unfinished` and `resumed`.
fn synced_between(trace: &str, command: &str, ack: &str) -> bool {
    let mut writer = None;
    let mut written = false;
    let mut syncing = None;
    let mut synced = false;
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(char::is_whitespace) else { continue };
        let call = call.trim_start();
        let on_log = call.split_once('>').is_some_and(|(head, _)| head.ends_with(".wal"));
        let ended = !call.contains("<unfinished ...>");
        if call.starts_with("write") || call.starts_with("pwrite") {
            if on_log && call.contains(command) {
                writer = Some(pid);
                written = ended;
            } else if call.contains(ack) {
                return synced;
            }
        } else if call.starts_with("<... write") && writer == Some(pid) {
            written = true;
        } else if (call.starts_with("fdatasync") || call.starts_with("fsync")) && on_log && written {
            syncing = Some(pid);
            synced |= ended && call.ends_with("= 0");
        } else if (call.starts_with("<... fdatasync") || call.starts_with("<... fsync")) && syncing == Some(pid) {
            synced |= call.ends_with("= 0");
        }
    }
    false
}

#[test]
fn the_reading_of_a_trace_tells_order() {
    let good = "1 writev(5</d/r-0.wal>, \"CMD\") = 3\n2 fdatasync(6</d/x> <unfinished ...>\n1 fdatasync(5</d/r-0.wal> <unfinished ...>\n\
                2 <... fdatasync resumed>) = 0\n1 <... fdatasync resumed>) = 0\n3 write(7</d/ack>, \"ACK\") = 3\n";
    assert!(synced_between(good, "CMD", "ACK"));
    let late = "1 writev(5</d/r-0.wal>, \"CMD\") = 3\n3 write(7</d/ack>, \"ACK\") = 3\n1 fdatasync(5</d/r-0.wal>) = 0\n";
    assert!(!synced_between(late, "CMD", "ACK"));
    let before = "1 fdatasync(5</d/r-0.wal>) = 0\n1 writev(5</d/r-0.wal>, \"CMD\") = 3\n3 write(7</d/ack>, \"ACK\") = 3\n";
    assert!(!synced_between(before, "CMD", "ACK"));
}
