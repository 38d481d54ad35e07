//! The root of a node's actors: watches the catalog, compares what should run with what runs, and
//! starts and stops tenants. Nobody sends it "start" or "stop": a node that missed a change catches up.

mod actor;
mod desired;
mod message;

pub use actor::{RootActor, RootHandle};
pub use desired::{desired, Desired};
pub use message::RootMsg;
