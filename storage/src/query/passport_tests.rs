//! Requirements against passports.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const HOUR: i64 = 3_600_000_000;

fn table(fresh_as_of: Option<i64>, quality: Option<(u64, u64)>) -> TablePassport {
    TablePassport {
        layer: Layer::Silver,
        table: "opportunity".into(),
        version: 3,
        rows: 10,
        fresh_as_of,
        quality,
        quality_run: Some("r1".into()),
        open_dead_letters: Some(2),
    }
}

fn passport(t: TablePassport) -> Passport {
    Passport { at: 10 * HOUR, snapshot: 7, tables: vec![t] }
}

#[test]
fn an_old_or_poor_table_is_refused_with_its_name_the_reason_and_a_way_out() {
    let fresh = Requirements { freshness: Some(HOUR), ..Requirements::default() };
    assert!(passport(table(Some(9 * HOUR), None)).meets(&fresh).is_ok());
    let e = passport(table(Some(8 * HOUR), None)).meets(&fresh).unwrap_err();
    assert_eq!(e.code, ErrorCode::Unmet);
    assert!(e.message.starts_with("silver.opportunity is 2h 0m old and require_freshness allows 1h 0m: start a run"), "{e}");
    let e = passport(table(None, None)).meets(&fresh).unwrap_err().message;
    assert!(e.contains("never had a record"), "{e}");

    let good = Requirements { quality: Some(0.98), ..Requirements::default() };
    assert!(passport(table(None, Some((98, 100)))).meets(&good).is_ok());
    assert!(passport(table(None, None)).meets(&good).is_ok(), "what is not checked has no score");
    let e = passport(table(None, Some((97, 100)))).meets(&good).unwrap_err().message;
    assert!(e.contains("silver.opportunity has a quality score of 0.9700 (97 of 100 records of run r1"), "{e}");
    assert!(e.contains("lakewright deadletter list --open"), "{e}");
    let both = Requirements { quality: Some(0.98), freshness: Some(HOUR) };
    let e = passport(table(Some(0), Some((1, 2)))).meets(&both).unwrap_err().message;
    assert!(e.contains("10h 0m old") && e.contains("0.5000"), "every fault is told: {e}");
}

#[test]
fn the_document_has_every_number() {
    let text = passport(table(Some(9 * HOUR), Some((1, 2)))).to_json();
    let got: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(got["snapshot"], 7);
    let t = &got["tables"][0];
    assert_eq!((t["schema"].as_str(), t["table"].as_str()), (Some("silver"), Some("opportunity")));
    assert_eq!((t["age_seconds"].as_f64(), t["quality_score"].as_f64()), (Some(3600.0), Some(0.5)));
    assert_eq!(t["fresh_as_of"], "1970-01-01T09:00:00.000000Z");
    assert_eq!(t["open_dead_letters"], 2);
}
