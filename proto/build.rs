//! Compiles the wire definitions with a compiler written in Rust: no `protoc` is needed.

use std::env;
use std::fs;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=v1");
    let descriptors = protox::compile(["v1/admin.proto"], ["v1"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("admin.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
