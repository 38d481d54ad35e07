//! Marts as packs write them.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::parse;

fn files(yaml: &str, sql: &str) -> Vec<(String, Vec<u8>)> {
    vec![("marts.yaml".into(), yaml.into()), ("marts/a.sql".into(), sql.into())]
}

#[test]
fn a_mart_is_a_query_with_a_grain() {
    let yaml = "marts:\n  - {name: a, description: d, sql: marts/a.sql, explain: marts/a.sql, grain: [stage], debounce_seconds: 0.5}\n";
    let marts = parse(&files(yaml, "SELECT 1 AS stage;\n")).unwrap();
    assert_eq!((marts[0].sql.as_str(), marts[0].grain.as_slice()), ("SELECT 1 AS stage", ["stage".to_owned()].as_slice()));
    assert_eq!(marts[0].debounce.as_millis(), 500);
    assert!(parse(&[]).unwrap().is_empty());
}

#[test]
fn every_fault_is_told_where_it_is() {
    let faults = |yaml: &str, sql: &str| parse(&files(yaml, sql)).unwrap_err();
    let one = "marts:\n  - {name: a, description: d, sql: marts/a.sql}\n";
    assert!(faults(one, "SELECT 1; SELECT 2")[0].message.contains("2 statements"));
    assert!(faults(one, "SELEC 1")[0].message.contains("marts/a.sql"));
    assert_eq!(faults(one, "SELEC 1")[0].line, 2);
    assert!(faults("marts:\n  - {name: a, description: d, sql: b.sql}\n", "")[0].message.contains("no file b.sql"));
    assert!(faults("marts:\n  - {name: 'A b', description: d, sql: marts/a.sql}\n", "SELECT 1").len() == 1);
    assert!(faults("marts:\n  - {name: a, description: d, sql: marts/a.sql, explain: marts/a.sql}\n", "SELECT 1")[0]
        .message
        .contains("grain"));
    assert!(faults("marts:\n  - {nam: a}\n", "SELECT 1")[0].line > 0);
}
