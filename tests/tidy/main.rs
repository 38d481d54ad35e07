//! The rules of the repository that a program can hold: layering, sizes, names, what is forbidden.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file that git knows, with its text.
fn tracked(endings: &[&str]) -> Vec<(String, String)> {
    let listed = Command::new("git").args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root()).output().unwrap();
    assert!(listed.status.success(), "the tidy tests need git: apt-get install git");
    String::from_utf8(listed.stdout)
        .unwrap()
        .lines()
        .filter(|f| endings.iter().any(|e| f.ends_with(e)))
        .filter_map(|f| Some((f.to_owned(), fs::read_to_string(root().join(f)).ok()?)))
        .collect()
}

fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn crates_depend_downwards_only() {
    let order = ["proto", "storage", "actors", "flight", "node"];
    let mut wrong = Vec::new();
    for (i, krate) in order.iter().enumerate() {
        let manifest: toml::Table = fs::read_to_string(root().join(krate).join("Cargo.toml")).unwrap().parse().unwrap();
        for above in &order[i + 1..] {
            for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
                let named = manifest.get(section).and_then(|s| s.get(format!("lakewright-{above}"))).is_some();
                if named {
                    wrong.push(format!("{krate} depends on {above}"));
                }
            }
        }
    }
    none("layering is proto <- storage <- actors <- flight <- node", wrong);
}

#[test]
fn sled_and_openraft_are_named_in_one_place_each() {
    let mut found = Vec::new();
    for (path, text) in tracked(&[".rs"]) {
        for (name, home) in [("sled::", "storage/src/catalog/"), ("openraft::", "node/src/raft/")] {
            let own = path.starts_with(home) || path.starts_with("tests/tidy/");
            if !own && text.contains(name) {
                found.push(format!("{path} names {name}"));
            }
        }
    }
    none("sled belongs to storage/src/catalog, openraft to node/src/raft", found);
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    let mut found = Vec::new();
    for (path, text) in tracked(&[".rs"]) {
        let lines = text.lines().count();
        if lines > 500 {
            found.push(format!("{path} has {lines} lines"));
        }
        if !text.starts_with("//! ") {
            found.push(format!("{path} does not begin with what it is for (`//! ...`)"));
        }
    }
    none("a file has one job, at most 500 lines, and says so in its first line", found);
}

#[test]
fn nothing_is_ignored_or_unfinished() {
    let marks = [["#[ig", "nore"].concat(), ["tod", "o!("].concat(), ["unimple", "mented!("].concat(), ["FIX", "ME"].concat()];
    let mut found = Vec::new();
    for (path, text) in tracked(&[".rs", ".proto", ".py"]) {
        for mark in &marks {
            if text.contains(mark.as_str()) {
                found.push(format!("{path} has {mark}"));
            }
        }
    }
    none("tests are not skipped, and code is finished", found);
}

#[test]
fn log_messages_begin_in_lower_case_and_have_no_full_stop() {
    let mut found = Vec::new();
    for (path, text) in tracked(&[".rs"]) {
        for line in
            text.lines().filter(|l| ["trace", "debug", "info", "warn", "error"].iter().any(|m| l.contains(&format!("tracing::{m}!("))))
        {
            let Some(message) = line.rsplit_once(", \"").or_else(|| line.split_once("!(\"")).map(|(_, m)| m) else { continue };
            let message = message.split('"').next().unwrap_or_default();
            let starts = message.chars().next().is_some_and(char::is_uppercase);
            if starts || (message.ends_with('.') && !message.ends_with("...")) {
                found.push(format!("{path}: {message}"));
            }
        }
    }
    none("log text is lower-case, without a full stop", found);
}

#[test]
fn the_example_configuration_is_the_default_one() {
    let text = fs::read_to_string(root().join("cluster.toml")).unwrap();
    let shown: toml::Table = text.parse().unwrap();
    let sections = fs::read_to_string(root().join("node/src/config/sections.rs")).unwrap();
    // Each key stands in the macro as `name: type = "default",`.
    let mut missing = Vec::new();
    let mut section = String::new();
    for line in sections.lines().skip_while(|l| !l.starts_with("sections! {")) {
        let line = line.trim();
        if let Some((name, _)) = line.split_once(": ").filter(|(_, rest)| rest.ends_with("Section {")) {
            section = name.to_owned();
        } else if let Some((name, _)) = line.split_once(": ").filter(|(n, rest)| !n.starts_with('/') && rest.contains(" = \"")) {
            if shown.get(&section).and_then(|s| s.get(name)).is_none() {
                missing.push(format!("{section}.{name}"));
            }
        }
    }
    assert!(shown.len() >= 10, "cluster.toml shows {} sections", shown.len());
    none("cluster.toml shows every key", missing);
}

#[test]
fn the_repository_speaks_of_the_product_alone() {
    let words = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["/fa", "rm/"].concat(), ["index.crates", ".io-"].concat()];
    let mut found = Vec::new();
    for (path, text) in tracked(&[".rs", ".md", ".py", ".sh", ".toml", ".yaml", ".proto", "Makefile"]) {
        for word in &words {
            if text.contains(word.as_str()) {
                found.push(format!("{path} names {word}"));
            }
        }
    }
    none("no machine's paths", found);
}

#[test]
fn the_readme_names_targets_that_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut missing = Vec::new();
    for word in readme.split("make ").skip(1) {
        let target: String = word.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
        let in_code = readme.contains(&format!("`make {target}")) || readme.contains(&format!("\nmake {target}"));
        if in_code && !makefile.lines().any(|l| l.starts_with(&format!("{target}:"))) {
            missing.push(target);
        }
    }
    none("README names make targets that are not there", missing);
}
