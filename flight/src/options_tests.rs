//! What is a statement about options, and what values are taken.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

fn set(name: &str, value: &str) -> Option<Setting> {
    Some(Setting::Set(name.into(), Some(value.into())))
}

#[test]
fn set_reset_and_show_in_their_spellings() {
    for (sql, expected) in [
        ("SET require_quality = 0.98", set("require_quality", "0.98")),
        ("  set Require_Freshness to '1h' ; ", set("require_freshness", "1h")),
        ("-- guard\n/* x */ SET SESSION schema = gold", set("schema", "gold")),
        ("SET require_quality = NONE", Some(Setting::Set("require_quality".into(), None))),
        ("RESET require_quality;", Some(Setting::Set("require_quality".into(), None))),
        ("SHOW require_freshness", Some(Setting::Show("require_freshness".into()))),
        ("SHOW TABLES", None),
        ("SELECT 'SET x = 1'", None),
        ("", None),
    ] {
        assert_eq!(setting(sql).unwrap(), expected, "{sql}");
    }
    assert!(setting("SET require_quality").is_err());
    assert!(setting("SET a = 1; DROP TABLE b").is_err());
}

#[test]
fn values_are_checked_and_shown_again() {
    let mut o = Options::default();
    o.set("acme", "require_quality", Some("0.98")).unwrap();
    o.set("acme", "require_freshness", Some("1h 30m")).unwrap();
    o.set("acme", "schema", Some("gold")).unwrap();
    o.set("acme", "catalog", Some("acme")).unwrap();
    assert_eq!(o.require.freshness, Some(5_400_000_000));
    assert_eq!(o.get("acme", "require_freshness").unwrap(), "5400s");
    let shown = o.get("acme", "require_freshness").unwrap();
    o.set("acme", "require_freshness", Some(&shown)).unwrap();
    for (name, value) in [
        ("require_quality", "98"),
        ("require_quality", "x"),
        ("require_freshness", "1"),
        ("require_freshness", "-1h"),
        ("schema", "x"),
        ("catalog", "globex"),
    ] {
        assert!(matches!(o.set("acme", name, Some(value)), Err(Fault::Value(_))), "{name} {value}");
    }
    assert!(matches!(o.set("acme", "datafusion.execution.batch_size", Some("1")), Err(Fault::Name(_))));
    o.set("acme", "require_quality", None).unwrap();
    assert_eq!(o.get("acme", "require_quality"), None);
}
