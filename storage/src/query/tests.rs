//! Queries over tables that were committed through the catalog.
