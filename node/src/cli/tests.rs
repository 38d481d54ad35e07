//! Tests of the command line.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::{Decimal128Array, Int64Array, ListArray, RecordBatch, StringArray};
use clap::CommandFactory as _;
use lakewright_proto::admin as api;
use lakewright_proto::ErrorCode;
use serde_json::json;
use tokio::net::TcpListener;
use tonic::{Code, Status};

use super::args::Globals;
use super::client::{all, explain, find_token};
use super::near::suggestion;
use super::output::{self, Format, Output};
use super::*;

fn parse(words: &[&str]) -> Cli {
    Cli::try_parse_from(std::iter::once("lakewright").chain(words.iter().copied())).unwrap()
}

fn refused(words: &[&str]) -> String {
    Cli::try_parse_from(std::iter::once("lakewright").chain(words.iter().copied())).unwrap_err().to_string()
}

fn globals() -> Globals {
    parse(&["--token", "lw_x", "status"]).globals
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn the_documented_commands_are_understood() {
    for line in [
        "node --config cluster.toml --data-dir d --set flight.max_sessions=8",
        "check-config --print-defaults",
        "status",
        "audit --limit 5",
        "tenant create acme --plan large",
        "tenant suspend acme",
        "user create --tenant acme --email a@b --role analyst,engineer",
        "user update --tenant acme a@b --status suspended",
        "token create --tenant acme --user a@b --ttl 90d",
        "token recover --data-dir d",
        "connector create --tenant acme --name opps --kind files --config {}",
        "connector clear-broken --tenant acme opps",
        "run start --tenant acme opps --stream s --mode batch --follow",
        "run list --tenant acme --status failed -o json",
        "pack load packs/aws-partner --tenant acme --pin",
        "pack plan --tenant acme aws-partner",
        "table list --tenant acme --layer silver",
        "table verify --tenant acme silver.opportunity",
        "table verify --tenant acme silver.opportunity --from-bronze",
        "quality scores --tenant acme --entity opportunity",
        "quality results --tenant acme --failed",
        "quality alerts --tenant acme --kind freshness --connector opps -o json",
        "deadletter list --tenant acme --reason schema --open",
        "deadletter show --tenant acme 3/17 --raw",
        "deadletter replay --tenant acme 3/17 3/18 --follow",
        "lineage walk --tenant acme silver.opportunity",
        "lineage walk --tenant acme --address 3/17 --down",
        "sql --output csv select",
    ] {
        parse(&line.split_whitespace().collect::<Vec<_>>());
    }
}

#[test]
fn wrong_words_are_refused_with_a_reason() {
    assert!(refused(&["tenant", "crate"]).contains("create"));
    assert!(refused(&["connector", "create", "--name", "x", "--kind", "files", "--config", "{"]).contains("not JSON"));
    assert!(refused(&["connector", "create", "--name", "x", "--kind", "files", "--config", "@/nowhere.json"]).contains("cannot be read"));
    for flawed in [r#"{"secret_access_key":"hunter2","#, r#"{"a": hunter2}"#, "hunter2", r#"["hunter2"]"#] {
        for command in [&["connector", "create", "--name", "x", "--kind", "files"][..], &["connector", "update", "x"][..]] {
            let said = refused(&[command, &["--config", flawed][..]].concat());
            assert!(said.contains("--config: the configuration is not") && !said.contains("hunter2"), "{said}");
            assert!(said.contains("line 1 column") || said.contains("a JSON object"), "{said}");
        }
    }
    assert!(refused(&["deadletter", "show", "17"]).contains("SHARD/OFFSET"));
    assert!(refused(&["lineage", "walk"]).contains("required"));
    assert!(refused(&["token", "create", "--ttl", "90"]).contains("not a duration"));
    assert!(refused(&["node", "--set", "x"]).contains("SECTION.KEY=VALUE"));
}

#[test]
fn flags_become_settings() {
    let Command::Node(args) = parse(&["--data-dir", "d", "node", "--set", "log.format=json"]).command else { unreachable!() };
    let config = load_config(&ConfigArgs { config: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../cluster.toml").into()), ..args }).unwrap();
    assert_eq!((config.node.data_dir.to_str(), config.log.format), (Some("d"), crate::config::LogFormat::Json));
}

#[test]
fn the_token_is_found_where_it_was_said_to_be() {
    let mut g = globals();
    assert_eq!(*find_token(&g).unwrap(), "lw_x");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("admin.token"), "lw_y\n").unwrap();
    g.token = None;
    g.data_dir = Some(dir.path().to_owned());
    assert_eq!(find_token(&g).unwrap().trim(), "lw_y");
    g.data_dir = Some("/nowhere".into());
    let e = find_token(&g).unwrap_err();
    assert!(e.code == ErrorCode::Unauthenticated && e.message.contains("/nowhere/admin.token"), "{e}");
}

#[test]
fn refusals_say_what_to_do_next() {
    for (code, word) in [
        (Code::Unauthenticated, "token recover"),
        (Code::Aborted, "look at its present state"),
        (Code::Unavailable, "nothing was done"),
        (Code::Unknown, "may have been done"),
        (Code::Unimplemented, "same version"),
    ] {
        let e = explain(&Status::new(code, "it failed"));
        assert!(e.message.starts_with("it failed (") && e.message.contains(word), "{e}");
    }
    assert_eq!(explain(&Status::new(Code::NotFound, "no such tenant")).message, "no such tenant");
}

#[test]
fn near_names_are_offered() {
    let known = ["opps".to_owned(), "leads".to_owned()];
    assert_eq!(suggestion("opp", &known), "; did you mean opps?");
    assert_eq!(suggestion("zzzz", &known), "; there are opps, leads");
    assert_eq!(suggestion("zzzz", &[]), "");
}

#[tokio::test]
async fn an_address_without_a_node_and_a_port_of_something_else_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let ctx = Context { globals: Globals { server: address.clone(), ..globals() }, out: Output::new(Format::Json) };
    let e = ctx.admin().await.err().unwrap();
    assert!(e.code == ErrorCode::Unavailable && e.message.contains(&address) && e.message.contains("lakewright node"), "{e}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let (_, health) = tonic_health::server::health_reporter();
    tokio::spawn(tonic::transport::Server::builder().add_service(health).serve_with_incoming(incoming));
    let ctx = Context { globals: Globals { server, ..globals() }, out: Output::new(Format::Json) };
    let e = audit::status(&ctx).await.unwrap_err();
    assert!(e.message.contains("right port"), "{e}");
}

#[tokio::test]
async fn lists_are_read_page_by_page_up_to_their_limit() {
    let page = |size: u32, token: String| async move {
        let first: u32 = if token.is_empty() { 0 } else { token.parse().unwrap() };
        let end = (first + size.min(2)).min(5);
        Ok(((first..end).collect::<Vec<_>>(), if end < 5 { end.to_string() } else { String::new() }))
    };
    assert_eq!(all(100, page).await.unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(all(3, page).await.unwrap(), [0, 1, 2]);
    assert!(all(0, page).await.unwrap().is_empty());
}

#[test]
fn tables_and_csv_show_the_chosen_columns() {
    let rows = [json!({ "a": "x,y", "n": 1, "l": ["p", "q"] }), json!({ "a": null, "n": 20, "l": [] })];
    let columns = [("A", "a"), ("N", "n"), ("L", "l")];
    assert_eq!(output::csv(&rows, &columns), "a,n,l\n\"x,y\",1,\"p, q\"\n,20,\n");
    let table = output::table(&rows, &columns);
    assert!(table.contains("x,y") && table.contains("p, q") && table.contains("┆ 20 ┆"), "{table}");
}

#[test]
fn views_name_enums_and_times_as_people_do() {
    let run = api::IngestionRun {
        status: api::RunStatus::Settling.into(),
        mode: api::RunMode::Batch.into(),
        started_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 500_000_000 }),
        stats_json: r#"{"trigger":"manual"}"#.to_owned(),
        ledger: vec![api::LedgerEntry {
            entity: "opportunity".into(),
            outcomes: Some(api::Outcomes { inserted: 3, ..Default::default() }),
            ..Default::default()
        }],
        ..Default::default()
    };
    let v = views::run(&run);
    assert_eq!((v["status"].as_str(), v["mode"].as_str()), (Some("settling"), Some("batch")));
    assert_eq!((v["started_at"].as_str(), v["ended_at"].is_null()), (Some("2023-11-14T22:13:20.500Z"), true));
    assert_eq!((v["stats_json"]["trigger"].as_str(), v["ledger"][0]["inserted"].as_u64()), (Some("manual"), Some(3)));
}

#[test]
fn progress_tells_records_bytes_and_rate() {
    let at = |s: i64| Some(prost_types::Timestamp { seconds: s, nanos: 0 });
    let p = |now: i64, records: u64| api::RunProgress {
        status: api::RunStatus::Running.into(),
        records,
        bytes: records * 1024,
        at: at(now),
        started_at: at(100),
        rejected: 2,
        ..Default::default()
    };
    let mut rate = progress::Rate::default();
    assert_eq!(rate.of(&p(101, 1000)), (1000.0, 1_024_000.0));
    let smoothed = rate.of(&p(102, 1000)).0;
    assert!((699.0..=701.0).contains(&smoothed), "{smoothed}");
    assert_eq!(
        progress::sentence(&p(101, 1000), (1000.0, 1_048_576.0)),
        "1,000 records, 1000.00 KiB, 1,000/s, 1.00 MiB/s, running, 2 rejected"
    );
}

#[test]
fn alerts_of_followed_runs_are_told_once() {
    let alert = |subject: &str| api::Alert { kind: "connector_broken".into(), subject: subject.into(), ..Default::default() };
    let ended = [
        api::RunProgress { alerts: vec![alert("a"), alert("b")], ..Default::default() },
        api::RunProgress { alerts: vec![alert("a")], ..Default::default() },
    ];
    let told: Vec<_> = progress::alerts_of(&ended).iter().map(|a| a["subject"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, ["a", "b"]);
}

#[test]
fn a_pack_is_read_in_the_order_of_its_paths() {
    let dir = tempfile::tempdir().unwrap();
    assert!(pack::read_dir(dir.path()).unwrap_err().message.contains("entities.yaml"));
    std::fs::create_dir(dir.path().join("marts")).unwrap();
    for (path, content) in [("entities.yaml", "e"), ("marts/a.sql", "s"), ("notes.txt", "no"), (".hidden.yaml", "no"), ("a.yml", "y")] {
        std::fs::write(dir.path().join(path), content).unwrap();
    }
    let files: Vec<_> = pack::read_dir(dir.path()).unwrap().into_iter().map(|f| f.path).collect();
    assert_eq!(files, ["a.yml", "entities.yaml", "marts/a.sql"]);
}

#[test]
fn rows_of_every_type_can_be_shown() {
    let lists = ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>([Some(vec![Some(1), None]), None]);
    let money = Decimal128Array::from(vec![Some(12_345), None]).with_precision_and_scale(38, 2).unwrap();
    let batch = RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, 2])) as arrow_array::ArrayRef),
        ("s", Arc::new(StringArray::from(vec![Some("a,b"), None])) as _),
        ("money", Arc::new(money) as _),
        ("list", Arc::new(lists) as _),
    ])
    .unwrap();
    for format in [Format::Table, Format::Json, Format::Csv] {
        let mut printer = sql_output::Printer::new(Output::new(format), usize::MAX);
        assert!(printer.write(&batch).unwrap());
        assert!(printer.write(&batch).unwrap());
        printer.finish().unwrap();
    }
    let mut few = sql_output::Printer::new(Output::new(Format::Table), 1);
    assert!(!few.write(&batch).unwrap(), "no more rows are asked for");
    few.finish().unwrap();
}
