//! Writing a run: sorted entries in, blocks out as they fill, filter and block index at the end.
//!
//! `LWKI` 1, blocks (entries, CRC-32), footer: for each block its first key, offset and length;
//! the Bloom filter; then entries, blocks and filter words as u64, CRC-32 of the footer, its length, `LWKI`.

use bytes::Bytes;
use lakewright_proto::FileId;
use object_store::MultipartUpload;
use xxhash_rust::xxh3::xxh3_64;

use super::entry::{Entry, Key, ENTRY_BYTES};
use crate::error::{Result, StorageError};
use crate::object::Store;
use crate::table::IndexRun;

pub(super) const MAGIC: &[u8; 5] = b"LWKI\x01";
/// Entries of a full block: just under 64 KiB.
pub(super) const BLOCK_ENTRIES: usize = 680;
/// Bits of the filter for one key, and bits set for one.
const BITS_PER_KEY: u64 = 10;
pub(super) const PROBES: u64 = 7;
/// Bytes gathered for one part of an upload.
const PART: usize = 8 << 20;

/// The positions of a key's bits in a filter of `words` 64-bit words.
pub(super) fn probes(key: &Key, words: u64) -> impl Iterator<Item = (usize, u64)> {
    let hash = xxh3_64(key);
    let step = (hash >> 32) | 1;
    (0..PROBES).map(move |i| {
        let bit = hash.wrapping_add(i.wrapping_mul(step)) % (words * 64);
        ((bit / 64) as usize, 1u64 << (bit % 64))
    })
}

/// A run being written.
pub struct RunWriter {
    store: Store,
    id: FileId,
    path: String,
    level_order: u64,
    buffer: Vec<u8>,
    upload: Option<Box<dyn MultipartUpload>>,
    written: u64,
    block: Vec<u8>,
    block_entries: usize,
    blocks: Vec<(Key, u64, u32)>,
    first: Key,
    last: Option<Key>,
    filter: Vec<u64>,
    entries: u64,
}

impl RunWriter {
    /// Starts a run of at most about `expected` entries.
    pub fn new(store: &Store, id: FileId, path: String, level_order: u64, expected: u64) -> Self {
        let words = (expected.max(1) * BITS_PER_KEY).div_ceil(64);
        Self {
            store: store.clone(),
            id,
            path,
            level_order,
            buffer: MAGIC.to_vec(),
            upload: None,
            written: 0,
            block: Vec::with_capacity(BLOCK_ENTRIES * ENTRY_BYTES + 4),
            block_entries: 0,
            blocks: Vec::new(),
            first: [0; 16],
            last: None,
            filter: vec![0; words as usize],
            entries: 0,
        }
    }

    /// Adds an entry; keys ascend.
    pub async fn add(&mut self, entry: &Entry) -> Result<()> {
        if self.last.is_some_and(|last| last >= entry.key) {
            return Err(StorageError::corrupt(&self.path, "its keys would not ascend"));
        }
        self.last = Some(entry.key);
        if self.block_entries == 0 {
            self.first = entry.key;
        }
        entry.encode(&mut self.block);
        let words = self.filter.len() as u64;
        for (word, bit) in probes(&entry.key, words) {
            self.filter[word] |= bit;
        }
        self.entries += 1;
        self.block_entries += 1;
        if self.block_entries == BLOCK_ENTRIES {
            self.end_block();
        }
        if self.buffer.len() >= PART {
            self.send().await?;
        }
        Ok(())
    }

    fn end_block(&mut self) {
        if self.block_entries == 0 {
            return;
        }
        let checksum = crc32fast::hash(&self.block);
        self.block.extend_from_slice(&checksum.to_le_bytes());
        self.blocks.push((self.first, self.written + self.buffer.len() as u64, self.block.len() as u32));
        self.buffer.append(&mut self.block);
        self.block_entries = 0;
    }

    async fn send(&mut self) -> Result<()> {
        self.check_whole()?;
        let sent = self.send_part().await;
        if sent.is_err() {
            self.abort().await;
        }
        sent
    }

    /// After a failed upload nothing more is to be written: what follows would be a run without its beginning.
    fn check_whole(&self) -> Result<()> {
        if self.written > 0 && self.upload.is_none() {
            return Err(StorageError::corrupt(&self.path, "an earlier part of it was not written; write it again"));
        }
        Ok(())
    }

    /// Gives up: parts that were sent are taken back. What is gone with its writer is for the store's own rules.
    pub async fn abort(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            // The failure that led here is the one to tell; a failed abort leaves parts that expire.
            let _ = upload.abort().await;
        }
    }

    async fn send_part(&mut self) -> Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.buffer));
        self.written += part.len() as u64;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            None => self.upload.insert(self.store.put_multipart(&self.path).await?),
        };
        upload.put_part(part.into()).await?;
        Ok(())
    }

    /// Ends the run and makes it durable.
    pub async fn finish(mut self) -> Result<IndexRun> {
        self.end_block();
        let mut footer = Vec::new();
        for (key, offset, length) in &self.blocks {
            footer.extend_from_slice(key);
            footer.extend_from_slice(&offset.to_le_bytes());
            footer.extend_from_slice(&length.to_le_bytes());
        }
        for word in &self.filter {
            footer.extend_from_slice(&word.to_le_bytes());
        }
        for n in [self.entries, self.blocks.len() as u64, self.filter.len() as u64] {
            footer.extend_from_slice(&n.to_le_bytes());
        }
        let checksum = crc32fast::hash(&footer);
        self.buffer.extend_from_slice(&footer);
        self.buffer.extend_from_slice(&checksum.to_le_bytes());
        self.buffer.extend_from_slice(&(footer.len() as u64).to_le_bytes());
        self.buffer.extend_from_slice(MAGIC);
        let size = self.written + self.buffer.len() as u64;
        self.check_whole()?;
        if self.upload.is_none() {
            self.store.put(&self.path, std::mem::take(&mut self.buffer).into()).await?;
        } else {
            self.send().await?;
            let done = match &mut self.upload {
                Some(upload) => upload.complete().await,
                None => return Err(StorageError::corrupt(&self.path, "its upload is gone")),
            };
            if let Err(e) = done {
                self.abort().await;
                return Err(e.into());
            }
        }
        Ok(IndexRun { id: self.id, path: self.path, size, entries: self.entries, level_order: self.level_order })
    }
}
