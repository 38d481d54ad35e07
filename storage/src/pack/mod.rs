//! Packs: what records mean, as data. A pack names entities; an entity names its fields, where
//! they stand in a record, and the rules they are held to. The engine knows nothing else of them.

mod entity;
mod load;
mod path;
mod raw;

pub use entity::{
    Comparison, CurrencyRates, Entity, FieldDef, FieldSource, FieldType, FirstOf, KeyScope, OnError, Operation, Rule, RuleCheck, RuleKind,
    Times, Transform, VersionType,
};
pub use load::{Pack, PackFault, PackFaults};
pub use path::{Path, Segment};

#[cfg(test)]
mod tests;
