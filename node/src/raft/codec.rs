//! Bytes of entries, log positions and memberships. Frozen: each carries a version byte; the
//! log and the snapshot file that hold them add the checksum.

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use openraft::CommittedLeaderId;

use super::types::{EntryPayload, LogId, Proposal, StoredMembership};

/// The version that is written.
const VERSION: u8 = 1;
const BLANK: u8 = 0;
const PROPOSAL: u8 = 1;
const MEMBERSHIP: u8 = 2;
/// Bytes of an encoded log position.
pub const LOG_ID_BYTES: usize = 25;

/// Encodes what an entry carries: version, kind, body.
///
/// # Errors
/// If a command is longer than 4 GiB or the membership cannot be serialised.
pub fn encode_payload(payload: &EntryPayload) -> io::Result<Bytes> {
    let mut out = BytesMut::new();
    out.put_u8(VERSION);
    match payload {
        EntryPayload::Blank => out.put_u8(BLANK),
        EntryPayload::Normal(proposal) => {
            let body: usize = proposal.commands.iter().map(|c| c.len() + 4).sum();
            out.reserve(body + 16);
            out.put_u8(PROPOSAL);
            out.put_i64(proposal.proposed_at_us);
            out.put_u32(length(proposal.commands.len())?);
            for command in &proposal.commands {
                out.put_u32(length(command.len())?);
                out.put_slice(command);
            }
        }
        EntryPayload::Membership(membership) => {
            out.put_u8(MEMBERSHIP);
            out.put_slice(&rmp_serde::to_vec_named(membership).map_err(io::Error::other)?);
        }
    }
    Ok(out.freeze())
}

/// Decodes what [`encode_payload`] wrote.
///
/// # Errors
/// `InvalidData` if the bytes are of another version or do not add up.
pub fn decode_payload(bytes: &[u8]) -> io::Result<EntryPayload> {
    let mut rest = bytes;
    let version = take_u8(&mut rest)?;
    if version != VERSION {
        return Err(invalid(format!("entry format {version} is unknown to this build (it knows {VERSION})")));
    }
    match take_u8(&mut rest)? {
        BLANK => Ok(EntryPayload::Blank),
        PROPOSAL => decode_proposal(rest).map(EntryPayload::Normal),
        MEMBERSHIP => rmp_serde::from_slice(rest).map(EntryPayload::Membership).map_err(|e| invalid(format!("membership: {e}"))),
        kind => Err(invalid(format!("entry kind {kind} is unknown"))),
    }
}

fn decode_proposal(mut rest: &[u8]) -> io::Result<Proposal> {
    need(rest, 12)?;
    let proposed_at_us = rest.get_i64();
    let count = rest.get_u32() as usize;
    // A damaged count must not allocate: each command takes at least its length field.
    need(rest, count.saturating_mul(4))?;
    let mut commands = Vec::with_capacity(count);
    for _ in 0..count {
        need(rest, 4)?;
        let len = rest.get_u32() as usize;
        need(rest, len)?;
        let (command, tail) = rest.split_at(len);
        commands.push(command.to_vec());
        rest = tail;
    }
    if !rest.is_empty() {
        return Err(invalid(format!("{} bytes follow the last command", rest.len())));
    }
    Ok(Proposal { commands, proposed_at_us })
}

/// Encodes a log position: version, term, leader, index.
pub fn encode_log_id(id: &LogId) -> [u8; LOG_ID_BYTES] {
    let mut out = [0; LOG_ID_BYTES];
    out[0] = VERSION;
    out[1..9].copy_from_slice(&id.leader_id.term.to_be_bytes());
    out[9..17].copy_from_slice(&id.leader_id.node_id.to_be_bytes());
    out[17..].copy_from_slice(&id.index.to_be_bytes());
    out
}

/// Decodes what [`encode_log_id`] wrote.
///
/// # Errors
/// `InvalidData` if the bytes are of another version or length.
pub fn decode_log_id(mut bytes: &[u8]) -> io::Result<LogId> {
    if bytes.len() != LOG_ID_BYTES || bytes[0] != VERSION {
        return Err(invalid(format!("a log position of {} bytes is not of format {VERSION}", bytes.len())));
    }
    bytes.advance(1);
    let term = bytes.get_u64();
    let node = bytes.get_u64();
    Ok(LogId::new(CommittedLeaderId::new(term, node), bytes.get_u64()))
}

/// Encodes a stored membership: version, MessagePack.
///
/// # Errors
/// If it cannot be serialised.
pub fn encode_membership(membership: &StoredMembership) -> io::Result<Vec<u8>> {
    let mut out = vec![VERSION];
    out.extend(rmp_serde::to_vec_named(membership).map_err(io::Error::other)?);
    Ok(out)
}

/// Decodes what [`encode_membership`] wrote; no bytes are the empty membership.
///
/// # Errors
/// `InvalidData` if the bytes are of another version or do not parse.
pub fn decode_membership(bytes: &[u8]) -> io::Result<StoredMembership> {
    match bytes.split_first() {
        None => Ok(StoredMembership::default()),
        Some((&VERSION, body)) => rmp_serde::from_slice(body).map_err(|e| invalid(format!("membership: {e}"))),
        Some((version, _)) => Err(invalid(format!("membership format {version} is unknown"))),
    }
}

fn take_u8(rest: &mut &[u8]) -> io::Result<u8> {
    need(rest, 1)?;
    Ok(rest.get_u8())
}

fn need(rest: &[u8], bytes: usize) -> io::Result<()> {
    if rest.len() < bytes {
        return Err(invalid(format!("{} bytes are left where {bytes} must follow", rest.len())));
    }
    Ok(())
}

fn length(n: usize) -> io::Result<u32> {
    u32::try_from(n).map_err(|_| invalid(format!("{n} does not fit a length field")))
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
