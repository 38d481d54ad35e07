//! The program `lakewright`.

use std::process::ExitCode;

fn main() -> ExitCode {
    lakewright_node::cli::main(std::env::args_os(), lakewright_node::serve::run)
}
