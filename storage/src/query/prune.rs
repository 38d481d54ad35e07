//! Which files can hold rows that a filter on the time columns lets through.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

/// Bounds on the time columns that every row of the answer meets, microseconds, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeBounds {
    low: i64,
    high: i64,
}

impl TimeBounds {
    /// What the conjunction of `filters` says of `column`, the column that files are ranged by.
    pub(super) fn of(column: &str, filters: &[Expr]) -> Self {
        let mut bounds = Self { low: i64::MIN, high: i64::MAX };
        for f in filters {
            bounds.narrow(column, f);
        }
        bounds
    }

    /// Whether a file with this range can hold such rows.
    pub(super) fn meets(&self, range: (i64, i64)) -> bool {
        range.1 >= self.low && range.0 <= self.high
    }

    fn narrow(&mut self, column: &str, e: &Expr) {
        match e {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.narrow(column, left);
                self.narrow(column, right);
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                if let (true, Some(t)) = (is_column(left, column), micros(right)) {
                    self.compare(*op, t);
                } else if let (true, Some(t), Some(op)) = (is_column(right, column), micros(left), op.swap()) {
                    self.compare(op, t);
                }
            }
            Expr::Between(Between { expr, negated: false, low, high }) if is_column(expr, column) => {
                if let Some(t) = micros(low) {
                    self.compare(Operator::GtEq, t);
                }
                if let Some(t) = micros(high) {
                    self.compare(Operator::LtEq, t);
                }
            }
            _ => {}
        }
    }

    // Strict bounds are kept as inclusive ones: they only decide which files are opened.
    fn compare(&mut self, op: Operator, t: i64) {
        if matches!(op, Operator::Eq | Operator::Gt | Operator::GtEq) {
            self.low = self.low.max(t);
        }
        if matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq) {
            self.high = self.high.min(t);
        }
    }
}

fn is_column(e: &Expr, name: &str) -> bool {
    matches!(e, Expr::Column(c) if c.name == name)
}

fn micros(e: &Expr) -> Option<i64> {
    match e {
        Expr::Literal(ScalarValue::TimestampMicrosecond(t, _), _) => *t,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use datafusion::prelude::{col, lit};

    fn at(t: i64) -> Expr {
        lit(ScalarValue::TimestampMicrosecond(Some(t), Some("UTC".into())))
    }

    #[test]
    fn bounds_come_from_conjunctions_only() {
        let c = || col("_partition_at");
        let b = TimeBounds::of("_partition_at", &[c().gt_eq(at(10)).and(at(20).gt(c()))]);
        assert_eq!((b.low, b.high), (10, 20));
        assert!(b.meets((0, 10)) && b.meets((20, 30)) && !b.meets((21, 30)) && !b.meets((0, 9)));
        let either = TimeBounds::of("_partition_at", &[c().gt(at(10)).or(c().lt(at(5)))]);
        assert!(either.meets((6, 7)));
        let other = TimeBounds::of("_partition_at", &[col("created").gt(at(10))]);
        assert!(other.meets((0, 1)));
        let between = TimeBounds::of("_partition_at", &[c().between(at(1), at(2))]);
        assert!(!between.meets((3, 4)));
        assert!(Operator::Gt.swap().is_some_and(|o| o == Operator::Lt));
        assert_eq!(micros(&at(3)).unwrap(), 3);
    }
}
