//! How this node speaks to others. A cluster of one has nobody to speak to: every call to a peer
//! answers that it cannot be reached, which Raft takes as a peer that is down.

use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse, VoteRequest, VoteResponse,
};

use super::types::{RaftNode, TypeConfig};

/// Makes connections to peers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network;

/// The connection to one peer.
#[derive(Clone, Debug)]
pub struct Peer {
    id: u64,
    addr: String,
}

/// No transport to a peer exists in this build.
#[derive(Debug, thiserror::Error)]
#[error("node {id} at '{addr}' cannot be reached: this node runs as a cluster of one and opens no connections to peers")]
pub struct NoTransport {
    id: u64,
    addr: String,
}

type Answer<T, E = openraft::error::Infallible> = Result<T, RPCError<u64, RaftNode, RaftError<u64, E>>>;

impl Peer {
    fn unreachable(&self) -> Unreachable {
        Unreachable::new(&NoTransport { id: self.id, addr: self.addr.clone() })
    }
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &RaftNode) -> Peer {
        Peer { id: target, addr: node.rpc_addr.clone() }
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(&mut self, _: AppendEntriesRequest<TypeConfig>, _: RPCOption) -> Answer<AppendEntriesResponse<u64>> {
        Err(self.unreachable().into())
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<TypeConfig>,
        _: RPCOption,
    ) -> Answer<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        Err(self.unreachable().into())
    }

    async fn vote(&mut self, _: VoteRequest<u64>, _: RPCOption) -> Answer<VoteResponse<u64>> {
        Err(self.unreachable().into())
    }
}
