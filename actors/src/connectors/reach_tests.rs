//! What sources may reach: nothing of the node's own, and no path around it.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use super::SourceReach;

#[test]
fn files_are_read_below_the_named_directories_and_never_the_nodes_own() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["inbox/a", "node/raft", "other"] {
        fs::create_dir_all(at(name)).unwrap();
    }
    std::os::unix::fs::symlink(at("node"), at("inbox/link")).unwrap();
    let reach = SourceReach { directories: vec![at("inbox"), at("node")], own: vec![at("node")], ..SourceReach::default() };
    assert_eq!(reach.of_path(&at("inbox")), None);
    assert_eq!(reach.of_path(&at("inbox/a/to come")), None, "a directory may come later");
    for refused in ["other", "node", "node/raft", "inbox/link", "inbox/link/raft", "inbox/../node", "inbox/missing/../../node", "inbox-2"] {
        assert!(reach.of_path(&at(refused)).is_some(), "{refused}");
    }
    let reach = SourceReach { directories: vec!["/".into()], ..reach };
    assert!(reach.of_path(dir.path()).is_some(), "a directory above the node's own holds them");
    assert_eq!(reach.of_path(&at("other")), None);
    assert!(SourceReach::default().of_path(&at("other")).unwrap().contains("sources.directories"));
}

#[test]
fn endpoints_are_public_and_encrypted() {
    let reach = SourceReach::default();
    for good in ["https://s3.eu-central-1.amazonaws.com", "https://8.8.8.8:9000/x", "https://minio.example.org:9000"] {
        assert_eq!(reach.of_endpoint("endpoint", good), None, "{good}");
    }
    for bad in [
        "http://s3.amazonaws.com",
        "https://127.0.0.1:1",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://10.1.2.3",
        "https://100.64.0.1",
        "https://localhost:9000",
        "https://a@metadata.google.internal/",
        "https://minio",
        "ftp://x.org",
    ] {
        assert!(reach.of_endpoint("endpoint", bad).is_some(), "{bad}");
    }
    assert_eq!(SourceReach::everything().of_endpoint("endpoint", "http://localhost"), None);
}
