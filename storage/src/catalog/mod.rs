//! The catalog: desired state and truth, replicated. To be written.
