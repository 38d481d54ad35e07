//! Values against a second opinion (chrono) and the odd texts that sources send.
#![expect(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, NaiveDate};
use proptest::prelude::*;

use super::*;

#[test]
fn decimals_are_exact_or_refused() {
    assert_eq!(decimal("531", 38, 2), Ok(Some(53_100)));
    assert_eq!(decimal("531.0", 38, 2), Ok(Some(53_100)));
    assert_eq!(decimal("12.", 38, 2), Ok(Some(1_200)));
    assert_eq!(decimal(".5", 38, 2), Ok(Some(50)));
    assert_eq!(decimal("-0.01", 38, 2), Ok(Some(-1)));
    assert_eq!(decimal("", 38, 2), Ok(None));
    assert_eq!(decimal("1e3", 38, 2), Ok(Some(100_000)));
    assert_eq!(decimal("1.230", 38, 2), Ok(Some(123)));
    assert_eq!(decimal("1.234", 38, 2).unwrap_err().0, Reason::OutOfRange);
    assert_eq!(decimal(&"9".repeat(37), 38, 2).unwrap_err().0, Reason::OutOfRange);
    assert_eq!(decimal(&"9".repeat(60), 38, 2).unwrap_err().0, Reason::OutOfRange);
    assert_eq!(decimal("1e999999999", 38, 2).unwrap_err().0, Reason::OutOfRange);
    assert_eq!(decimal("0e999999999", 38, 2), Ok(Some(0)));
    for bad in ["abc", "1,5", "--1", "1.2.3", "NaN", "Infinity", "1e", ".", "-"] {
        assert_eq!(decimal(bad, 38, 2).unwrap_err().0, Reason::Schema, "{bad:?}");
    }
}

#[test]
fn impossible_days_are_refused() {
    for bad in ["2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "31/12/2026", "soon", "2026-1-1", "2026-01-011"] {
        assert!(date(bad).is_err(), "{bad:?}");
    }
    assert_eq!(date("2024-02-29"), Ok(Some(19_782)));
}

#[test]
fn instants_of_all_sources_are_read() {
    let noon = 1_736_899_200_000_000;
    for same in ["2025-01-15T00:00:00Z", "2025-01-15T00:00:00.000Z", "2025-01-15T02:00:00+02:00", "2025-01-14T19:00:00.000-0500"] {
        assert_eq!(timestamp(same), Ok(Some(noon)), "{same}");
    }
    for bad in ["2025-01-15", "2025-01-15T00:00:00", "2025-01-15T24:00:00Z", "2025-01-15T00:00:00.Z", "2025-02-30T00:00:00Z", "now"] {
        assert!(timestamp(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    #[test]
    fn days_agree_with_chrono(n in -700_000i32..700_000) {
        let d = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Duration::days(i64::from(n));
        prop_assume!((0..=9999).contains(&chrono::Datelike::year(&d)));
        prop_assert_eq!(date(&d.format("%Y-%m-%d").to_string()), Ok(Some(n)));
    }

    #[test]
    fn instants_agree_with_chrono(us in -60_000_000_000_000_000i64..200_000_000_000_000_000) {
        let t = DateTime::from_timestamp_micros(us).unwrap();
        prop_assert_eq!(timestamp(&t.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)), Ok(Some(us)));
    }

    #[test]
    fn decimals_round_trip(n in any::<i64>(), scale in 0i8..10) {
        let n = i128::from(n);
        let p = 10i128.pow(scale as u32);
        let sign = if n < 0 { "-" } else { "" };
        let text = format!("{sign}{}.{:0width$}", n.abs() / p, n.abs() % p, width = scale as usize);
        prop_assert_eq!(decimal(&text, 38, scale), Ok(Some(n)));
    }

    #[test]
    fn no_text_panics(text in ".{0,40}") {
        let _ = (decimal(&text, 38, 2), int(&text), date(&text), timestamp(&text), boolean(&text));
    }
}
