//! Packs: what records mean, as data. A pack names entities; an entity names its fields, where
//! they stand in a record, and the rules they are held to. The engine knows nothing else of them.

mod change;
mod definition;
mod entity;
mod fields;
mod lines;
mod load;
mod lookups;
mod marts;
mod numbers;
mod path;
mod raw;
mod rules;

pub use change::EntityChange;
pub use definition::definition;
pub use entity::{
    Choice, Comparison, CurrencyRates, Entity, FieldDef, FieldSource, FieldType, FirstOf, KeyScope, Lookup, LookupStep, OnError, Only,
    Operation, Rule, RuleCheck, RuleKind, Times, Transform, VersionType,
};
pub use load::{Pack, PackFault, PackFaults};
pub use marts::{Mart, MARTS};
pub use path::{Path, Segment};

#[cfg(test)]
mod tests;
