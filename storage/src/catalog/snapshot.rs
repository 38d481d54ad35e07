//! The whole state as one stream of pairs: written while applies go on, read into an empty state.

use std::io::{Read as IoRead, Write};

use super::store::{CatalogStore, Exported, Pair};
use crate::error::{Result, StorageError};

/// `LWCS`, then the stream's format.
const MAGIC: &[u8; 5] = b"LWCS\x01";
/// Pairs copied under one lock: few enough to hold no apply up for more than some milliseconds.
const CHUNK: usize = 2_000;
/// Bytes read under one lock, about.
const CHUNK_BYTES: usize = 1 << 20;
/// A key or value longer than this is damage, not data.
const MAX_PIECE: u32 = 1 << 20;

impl CatalogStore {
    /// Writes the state as it is now, whatever is applied meanwhile, and answers Raft's bookkeeping
    /// in exactly that state. The stream ends with the number of pairs and a CRC-32 of all before.
    pub fn export(&self, out: &mut dyn Write) -> Result<Exported> {
        let exported = self.begin_export()?;
        let written = self.export_pairs(out);
        self.end_export();
        written.map(|()| exported)
    }

    fn export_pairs(&self, out: &mut dyn Write) -> Result<()> {
        let io = |e| StorageError::io("writing a catalog snapshot", e);
        let mut crc = crc32fast::Hasher::new();
        let mut buffer = MAGIC.to_vec();
        let mut count = 0u64;
        loop {
            let (pairs, complete) = self.export_chunk(CHUNK, CHUNK_BYTES)?;
            for (key, value) in &pairs {
                buffer.extend_from_slice(&(key.len() as u32).to_be_bytes());
                buffer.extend_from_slice(&(value.len() as u32).to_be_bytes());
                buffer.extend_from_slice(key);
                buffer.extend_from_slice(value);
                count += 1;
            }
            if complete {
                buffer.extend_from_slice(&u32::MAX.to_be_bytes());
                buffer.extend_from_slice(&count.to_be_bytes());
            }
            crc.update(&buffer);
            out.write_all(&buffer).map_err(io)?;
            buffer.clear();
            if complete {
                return out.write_all(&crc.finalize().to_be_bytes()).map_err(io);
            }
        }
    }

    /// Replaces the state by an exported one. On an error the state is not to be used: it refuses
    /// writes and is not marked as clean.
    pub fn import(&self, from: &mut dyn IoRead) -> Result<()> {
        let mut magic = [0u8; 5];
        from.read_exact(&mut magic).map_err(damaged)?;
        if &magic != MAGIC {
            return Err(StorageError::corrupt("a catalog snapshot", "it does not begin as one"));
        }
        let mut crc = crc32fast::Hasher::new();
        crc.update(&magic);
        self.replace_all(Pairs { from, crc, count: 0, last: Vec::new(), ended: false })
    }
}

fn damaged(e: std::io::Error) -> StorageError {
    StorageError::corrupt("a catalog snapshot", format!("it cannot be read on: {e}"))
}

struct Pairs<'a> {
    from: &'a mut dyn IoRead,
    crc: crc32fast::Hasher,
    count: u64,
    /// Keys ascend.
    last: Vec<u8>,
    ended: bool,
}

impl Pairs<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.from.read_exact(bytes).map_err(damaged)?;
        self.crc.update(bytes);
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Pair>> {
        let mut word = [0u8; 4];
        self.fill(&mut word)?;
        let key_len = u32::from_be_bytes(word);
        if key_len == u32::MAX {
            return self.end().map(|()| None);
        }
        self.fill(&mut word)?;
        let value_len = u32::from_be_bytes(word);
        if key_len > MAX_PIECE || value_len > MAX_PIECE {
            return Err(StorageError::corrupt("a catalog snapshot", "a pair is longer than any can be"));
        }
        let mut key = vec![0; key_len as usize];
        self.fill(&mut key)?;
        let mut value = vec![0; value_len as usize];
        self.fill(&mut value)?;
        if key <= self.last {
            return Err(StorageError::corrupt("a catalog snapshot", "its keys do not ascend"));
        }
        self.last.clone_from(&key);
        self.count += 1;
        Ok(Some((key, value)))
    }

    fn end(&mut self) -> Result<()> {
        let mut count = [0u8; 8];
        self.fill(&mut count)?;
        if u64::from_be_bytes(count) != self.count {
            return Err(StorageError::corrupt("a catalog snapshot", "the number of its pairs does not match"));
        }
        let expected = self.crc.clone().finalize();
        let mut crc = [0u8; 4];
        self.from.read_exact(&mut crc).map_err(damaged)?;
        if u32::from_be_bytes(crc) != expected {
            return Err(StorageError::corrupt("a catalog snapshot", "its checksum does not match"));
        }
        self.ended = true;
        Ok(())
    }
}

impl Iterator for Pairs<'_> {
    type Item = Result<Pair>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        self.read().transpose()
    }
}
