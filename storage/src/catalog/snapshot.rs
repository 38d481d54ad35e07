//! The whole state as one stream of pairs: written while applies go on, read into an empty state.

use std::io::{Read as IoRead, Write};

use super::store::CatalogStore;
use crate::error::{Result, StorageError};

/// `LWCS`, then the stream's format.
const MAGIC: &[u8; 5] = b"LWCS\x01";
/// Pairs copied under one lock: few enough to hold no apply up for more than some milliseconds.
const CHUNK: usize = 2_000;
/// A key or value longer than this is damage, not data.
const MAX_PIECE: u32 = 1 << 20;

/// What Raft keeps beside the state: the encoded position last applied, and the membership.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookkeeping {
    /// None: nothing was applied yet.
    pub applied: Option<Vec<u8>>,
    /// Empty: none yet.
    pub membership: Vec<u8>,
}

impl CatalogStore {
    /// Writes the state as it is now, whatever is applied meanwhile. The stream ends with the
    /// number of pairs; its file adds checksums. Answers Raft's bookkeeping as of the copied state.
    pub fn export(&self, out: &mut dyn Write) -> Result<Bookkeeping> {
        let bookkeeping = self.begin_export()?;
        let written = self.export_pairs(out);
        self.end_export();
        written.map(|()| bookkeeping)
    }

    fn export_pairs(&self, out: &mut dyn Write) -> Result<()> {
        let io = |e| StorageError::io("writing a catalog snapshot", e);
        out.write_all(MAGIC).map_err(io)?;
        let mut count = 0u64;
        loop {
            let (pairs, complete) = self.export_chunk(CHUNK)?;
            for (key, value) in &pairs {
                out.write_all(&(key.len() as u32).to_be_bytes()).map_err(io)?;
                out.write_all(&(value.len() as u32).to_be_bytes()).map_err(io)?;
                out.write_all(key).map_err(io)?;
                out.write_all(value).map_err(io)?;
                count += 1;
            }
            if complete {
                break;
            }
        }
        out.write_all(&u32::MAX.to_be_bytes()).map_err(io)?;
        out.write_all(&count.to_be_bytes()).map_err(io)
    }

    /// Replaces the state by an exported one. On an error the state is not to be used.
    pub fn import(&self, from: &mut dyn IoRead) -> Result<()> {
        let mut magic = [0u8; 5];
        from.read_exact(&mut magic).map_err(damaged)?;
        if &magic != MAGIC {
            return Err(StorageError::corrupt("a catalog snapshot", "it does not begin as one"));
        }
        let mut pairs = Pairs { from, count: 0, ended: false };
        self.replace_all(&mut pairs)?;
        if !pairs.ended {
            return Err(StorageError::corrupt("a catalog snapshot", "it has no end"));
        }
        Ok(())
    }
}

fn damaged(e: std::io::Error) -> StorageError {
    StorageError::corrupt("a catalog snapshot", format!("it cannot be read on: {e}"))
}

struct Pairs<'a> {
    from: &'a mut dyn IoRead,
    count: u64,
    ended: bool,
}

impl Pairs<'_> {
    fn read(&mut self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let mut word = [0u8; 4];
        self.from.read_exact(&mut word).map_err(damaged)?;
        let key_len = u32::from_be_bytes(word);
        if key_len == u32::MAX {
            let mut count = [0u8; 8];
            self.from.read_exact(&mut count).map_err(damaged)?;
            if u64::from_be_bytes(count) != self.count {
                return Err(StorageError::corrupt("a catalog snapshot", "the number of its pairs does not match"));
            }
            self.ended = true;
            return Ok(None);
        }
        self.from.read_exact(&mut word).map_err(damaged)?;
        let value_len = u32::from_be_bytes(word);
        if key_len > MAX_PIECE || value_len > MAX_PIECE {
            return Err(StorageError::corrupt("a catalog snapshot", "a pair is longer than any can be"));
        }
        let mut key = vec![0; key_len as usize];
        self.from.read_exact(&mut key).map_err(damaged)?;
        let mut value = vec![0; value_len as usize];
        self.from.read_exact(&mut value).map_err(damaged)?;
        self.count += 1;
        Ok(Some((key, value)))
    }
}

impl Iterator for Pairs<'_> {
    type Item = Result<(Vec<u8>, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read().transpose()
    }
}
