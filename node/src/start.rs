//! The order in which a node starts and stops.

use lakewright_proto::{Error, ErrorCode};

use crate::config::Config;
use crate::telemetry;

/// Runs a node until it is told to stop.
pub fn run(config: Config) -> Result<(), Error> {
    telemetry::init_logs(&config.log)?;
    Err(Error::new(ErrorCode::Internal, "the parts of the node are not joined in this build"))
}
