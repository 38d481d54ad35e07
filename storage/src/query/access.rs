//! Deletion vector -> which rows of each row group are read.

use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use roaring::RoaringTreemap;

/// The access plan of a file whose row groups have these row counts, without the deleted rows.
pub(super) fn without_deleted(row_groups: &[u64], deleted: &RoaringTreemap) -> ParquetAccessPlan {
    let mut first = 0u64;
    let mut groups = Vec::with_capacity(row_groups.len());
    for &rows in row_groups {
        let end = first + rows;
        groups.push(group_access(first, end, deleted));
        first = end;
    }
    ParquetAccessPlan::new(groups)
}

fn group_access(first: u64, end: u64, deleted: &RoaringTreemap) -> RowGroupAccess {
    let rank = |n: u64| if n == 0 { 0 } else { deleted.rank(n - 1) };
    let gone = rank(end) - rank(first);
    if gone == 0 {
        return RowGroupAccess::Scan;
    }
    if gone == end - first {
        return RowGroupAccess::Skip;
    }
    let mut selectors = Vec::new();
    let mut at = first;
    let mut skipped = 0usize;
    let mut iter = deleted.iter();
    iter.advance_to(first);
    for row in iter.take_while(|r| *r < end) {
        if row > at {
            if skipped > 0 {
                selectors.push(RowSelector::skip(skipped));
                skipped = 0;
            }
            selectors.push(RowSelector::select((row - at) as usize));
        }
        skipped += 1;
        at = row + 1;
    }
    if skipped > 0 {
        selectors.push(RowSelector::skip(skipped));
    }
    if at < end {
        selectors.push(RowSelector::select((end - at) as usize));
    }
    RowGroupAccess::Selection(RowSelection::from(selectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(row_groups: &[u64], deleted: &RoaringTreemap) -> Vec<u64> {
        let plan = without_deleted(row_groups, deleted);
        let mut out = Vec::new();
        let mut first = 0;
        for (i, rows) in row_groups.iter().enumerate() {
            match &plan.inner()[i] {
                RowGroupAccess::Scan => out.extend(first..first + rows),
                RowGroupAccess::Skip => {}
                RowGroupAccess::Selection(s) => {
                    let mut at = first;
                    for r in s.iter() {
                        if !r.skip {
                            out.extend(at..at + r.row_count as u64);
                        }
                        at += r.row_count as u64;
                    }
                    assert_eq!(at, first + rows, "a selection names every row of its group");
                }
            }
            first += rows;
        }
        out
    }

    proptest::proptest! {
        #[test]
        fn exactly_the_live_rows_are_read(
            groups in proptest::collection::vec(1u64..40, 1..6),
            gone in proptest::collection::btree_set(0u64..200, 0..150),
        ) {
            let total: u64 = groups.iter().sum();
            let deleted: RoaringTreemap = gone.iter().copied().filter(|r| *r < total).collect();
            let expected: Vec<u64> = (0..total).filter(|r| !deleted.contains(*r)).collect();
            proptest::prop_assert_eq!(kept(&groups, &deleted), expected);
        }
    }
}
