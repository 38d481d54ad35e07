//! The program `lakewright`.

use std::process::ExitCode;

/// Batches come and go by the megabyte on many threads; this allocator gives their pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    lakewright_node::cli::main(std::env::args_os(), lakewright_node::serve::run)
}
