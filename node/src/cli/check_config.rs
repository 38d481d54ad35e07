//! `lakewright check-config`.

use lakewright_proto::{Error, ErrorCode};
use serde_json::json;

use super::args::CheckConfigArgs;
use super::output::{Format, Output};
use crate::config::{self, default_toml};

pub(super) fn run(out: &Output, args: &CheckConfigArgs) -> Result<(), Error> {
    if args.print_defaults {
        return out.text(&default_toml());
    }
    let sources = args.config.sources();
    let read = sources.file.as_ref().map_or_else(|| "no file".to_owned(), |f| f.display().to_string());
    match config::load(&sources) {
        Ok(_) if out.format() == Format::Json => out.json(&json!({ "file": read, "faults": [] })),
        Ok(_) => out.line(&format!("the configuration is good ({read}, environment, flags)")),
        Err(e) if out.format() == Format::Json => {
            let faults: Vec<_> = e.faults.iter().map(|f| json!({ "file": f.file, "key": f.key, "reason": f.reason })).collect();
            out.json(&json!({ "file": read, "faults": faults }))?;
            Err(Error::new(ErrorCode::InvalidArgument, format!("the configuration has {} faults", e.faults.len())))
        }
        Err(e) => Err(e.into()),
    }
}
