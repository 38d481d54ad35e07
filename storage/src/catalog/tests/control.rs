//! Connectors: a new configuration leaves alone what was decided about the connector meanwhile.

use super::world::*;
use crate::catalog::command::Command;
use crate::catalog::keyspace::Connectors;
use crate::catalog::records::{Connector, ConnectorStatus};
use crate::catalog::Read as _;

fn read(w: &World) -> Connector {
    w.store.view().get::<Connectors>(&(tenant(), connector())).unwrap().unwrap()
}

#[test]
fn a_new_configuration_does_not_undo_a_pause() {
    let mut w = World::new();
    let before = read(&w);
    w.done(Command::SetConnectorStatus { tenant: tenant(), connector: connector(), status: ConnectorStatus::Paused });
    w.done(Command::UpdateConnector { connector: Connector { config_json: "{\"a\":1}".into(), ..before.clone() }, secrets: vec![] });
    let after = read(&w);
    assert_eq!((after.status, after.config_json.as_str(), after.version), (ConnectorStatus::Paused, "{\"a\":1}", before.version + 1));
}
