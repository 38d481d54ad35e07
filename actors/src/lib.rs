//! Who runs what: supervision, shards, placement, backpressure, connectors and the pipeline.

pub mod connectors;
pub mod pipeline;
