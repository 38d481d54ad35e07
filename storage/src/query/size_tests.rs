//! Statements that would use up the stack are refused before anything is built of them.
#![expect(clippy::unwrap_used, reason = "tests")]

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::{check_relations, check_text};

fn refused(sql: &str) -> Option<String> {
    check_text(sql, "postgresql").err().map(|e| e.message)
}

#[test]
fn chains_of_any_operator_are_counted() {
    for link in [
        " OR 1=2",
        " AND a",
        "+1",
        "||'x'",
        "::int",
        "[1]",
        " UNION SELECT 1",
        " IS NULL",
        " COLLATE c",
        " -1",
        "->'k'",
        " AT TIME ZONE 'UTC'",
        " JOIN t USING (a)",
    ] {
        let sql = format!("SELECT 1 {}", link.repeat(100_000 / link.len()));
        assert!(refused(&sql).unwrap().contains("operators; at most 1000"), "{link}");
    }
    assert!(refused(&format!("SELECT {}1", "NOT ".repeat(5_000))).is_some());
    assert!(refused(&"x".repeat(2 << 20)).unwrap().contains("bytes long"));
}

#[test]
fn lists_and_long_texts_are_no_chains() {
    let values: Vec<String> = (0..50_000).map(|i| i.to_string()).collect();
    assert_eq!(refused(&format!("SELECT a FROM t WHERE a IN ({})", values.join(", "))), None);
    assert_eq!(refused(&format!("SELECT '{}' AS \"and or not\"", " OR 1=1".repeat(10_000))), None);
    let columns: Vec<String> = (0..600).map(|i| format!("t.c{i} AS d{i}")).collect();
    assert_eq!(refused(&format!("SELECT {} FROM t WHERE a = 1 AND b < 2", columns.join(", "))), None);
}

#[test]
fn tables_beside_each_other_are_counted() {
    let parsed = |n: usize| {
        let tables: Vec<String> = (0..n).map(|i| format!("t AS t{i}")).collect();
        Parser::parse_sql(&PostgreSqlDialect {}, &format!("SELECT 1 FROM {}", tables.join(", "))).unwrap()
    };
    assert!(check_relations(&parsed(5_000)[0]).is_err());
    assert!(check_relations(&parsed(100)[0]).is_ok());
}
