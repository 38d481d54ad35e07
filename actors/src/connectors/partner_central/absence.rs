//! What a whole list says of keys: which were missed, and which are gone. Pure.

use std::collections::HashMap;

use crate::connectors::Known;

/// What to look at again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Listed and unknown, or known in an older version.
    pub missed: Vec<String>,
    /// Known and not listed, with the version known.
    pub absent: Vec<(String, i64)>,
    /// Why nothing is deleted although keys are absent.
    pub refused: Option<String>,
}

/// Compares a whole list with what is known. `versions`: whether the list tells the version that rows have.
pub fn compare(listed: &HashMap<Box<str>, Option<i64>>, known: &Known, versions: bool, max_percent: u32) -> Differences {
    let mut found = Differences::default();
    for (id, changed) in listed {
        let is_missed = match (known.get(id), changed) {
            (None, _) => true,
            (Some(version), Some(changed)) => versions && version < changed,
            (Some(_), None) => false,
        };
        if is_missed {
            found.missed.push(id.to_string());
        }
    }
    found.absent = known.iter().filter(|(id, _)| !listed.contains_key(*id)).map(|(id, v)| (id.to_string(), *v)).collect();
    let (absent, all) = (found.absent.len() as u64, known.len() as u64);
    if absent * 100 > all * u64::from(max_percent) {
        found.refused = Some(format!(
            "{absent} of {all} known keys are not in the source's whole list: more than {max_percent}% are not deleted without a word; \
             if they are gone indeed, set max_delete_percent higher and run with --full"
        ));
        found.absent.clear();
    }
    found.missed.sort_unstable();
    found.absent.sort_unstable();
    found
}

#[cfg(test)]
#[path = "absence_tests.rs"]
mod tests;
