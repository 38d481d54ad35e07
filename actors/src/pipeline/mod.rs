//! Records in, checked and typed rows out. To be written.
