//! Every code of SQL info has an answer.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

#[test]
fn every_code_has_an_answer() {
    let known: Vec<i32> = (0..=600).filter(|n| SqlInfo::try_from(*n).is_ok()).collect();
    assert!(known.len() > 80);
    let asked = known.iter().map(|n| *n as u32);
    let rows = sql_info().unwrap().record_batch(asked).unwrap().num_rows();
    assert_eq!(rows, known.len());
    assert!(types().unwrap().record_batch(None).unwrap().num_rows() >= 10);
}
