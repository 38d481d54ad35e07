//! Reading a run: its footer once, then blocks as they are needed.

use std::sync::Arc;

use super::cache::{BlockCache, FOOTER};
use super::entry::{Entry, Key, ENTRY_BYTES};
use super::writer::{probes, MAGIC};
use crate::error::{Result, StorageError};
use crate::object::Store;
use crate::table::IndexRun;

/// After the footer: checksum, length, magic.
const TRAILER: u64 = 4 + 8 + 5;
/// One block in the footer.
const BLOCK_BYTES: usize = 16 + 8 + 4;
/// Blocks fetched in one request.
const FETCH: usize = 64;

/// An open run.
#[derive(Clone)]
pub struct RunReader {
    store: Store,
    run: IndexRun,
    cache: Arc<BlockCache>,
    footer: Arc<Vec<u8>>,
    blocks: usize,
    words: usize,
}

impl RunReader {
    /// Reads the footer, unless it is in the cache.
    pub async fn open(store: &Store, run: &IndexRun, cache: &Arc<BlockCache>) -> Result<Self> {
        let footer = match cache.get(run.id, FOOTER) {
            Some(footer) => footer,
            None => {
                let footer = Arc::new(read_footer(store, run).await?);
                cache.put(run.id, FOOTER, Arc::clone(&footer));
                footer
            }
        };
        let number = |at: usize| -> Option<u64> { Some(u64::from_le_bytes(footer.get(at..at + 8)?.try_into().ok()?)) };
        let end = footer.len();
        let counts = end.checked_sub(24).and_then(|at| Some((number(at)?, number(at + 8)? as usize, number(at + 16)? as usize)));
        let Some((entries, blocks, words)) = counts else { return Err(StorageError::corrupt(&run.path, "its footer is cut short")) };
        let fits = |blocks: usize, words: usize| Some(blocks.checked_mul(BLOCK_BYTES)?.checked_add(words.checked_mul(8)?)? + 24);
        if entries != run.entries || words == 0 || fits(blocks, words) != Some(end) {
            return Err(StorageError::corrupt(&run.path, "its footer does not fit the catalog"));
        }
        Ok(Self { store: store.clone(), run: run.clone(), cache: Arc::clone(cache), footer, blocks, words })
    }

    /// The run.
    pub fn run(&self) -> &IndexRun {
        &self.run
    }

    /// Blocks that it has.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// False: the key is certainly not in the run.
    pub fn may_have(&self, key: &Key) -> bool {
        let filter = &self.footer[self.blocks * BLOCK_BYTES..];
        probes(key, self.words as u64).all(|(word, bit)| {
            let bytes = filter.get(word * 8..word * 8 + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
            bytes & bit != 0
        })
    }

    /// The block that would hold the key.
    pub fn block_of(&self, key: &Key) -> Option<usize> {
        let first = |i: usize| &self.footer[i * BLOCK_BYTES..i * BLOCK_BYTES + 16];
        let (mut low, mut high) = (0, self.blocks);
        while low < high {
            let middle = (low + high) / 2;
            if first(middle) <= key.as_slice() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low.checked_sub(1)
    }

    fn range(&self, block: usize) -> (u64, u64) {
        let at = &self.footer[block * BLOCK_BYTES + 16..];
        let offset = at.get(..8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let length = at.get(8..12).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
        (offset, u64::from(length))
    }

    /// Blocks by number, ascending; fetched together where they are not in the cache.
    pub async fn read(&self, wanted: &[usize]) -> Result<Vec<Block>> {
        let mut out = Vec::with_capacity(wanted.len());
        for group in wanted.chunks(FETCH) {
            let cached: Vec<Option<Arc<Vec<u8>>>> = group.iter().map(|b| self.cache.get(self.run.id, *b as u32)).collect();
            let missing: Vec<usize> = group.iter().zip(&cached).filter(|(_, c)| c.is_none()).map(|(b, _)| *b).collect();
            let ranges: Vec<_> = missing.iter().map(|b| self.range(*b)).map(|(o, l)| o..o + l).collect();
            let fetched = if ranges.is_empty() { Vec::new() } else { self.store.get_ranges(&self.run.path, &ranges).await? };
            let mut fetched = fetched.into_iter();
            for (block, cached) in group.iter().zip(cached) {
                let bytes = match cached {
                    Some(bytes) => bytes,
                    None => {
                        let bytes = fetched.next().ok_or_else(|| StorageError::corrupt(&self.run.path, "a block was not read"))?;
                        let bytes = Arc::new(self.checked(&bytes)?.to_vec());
                        self.cache.put(self.run.id, *block as u32, Arc::clone(&bytes));
                        bytes
                    }
                };
                out.push(Block { bytes, path: self.run.path.clone() });
            }
        }
        Ok(out)
    }

    fn checked<'a>(&self, bytes: &'a [u8]) -> Result<&'a [u8]> {
        let bad = || StorageError::corrupt(&self.run.path, "the checksum of a block does not match");
        let (entries, checksum) = bytes.split_last_chunk::<4>().ok_or_else(bad)?;
        if crc32fast::hash(entries) != u32::from_le_bytes(*checksum) || entries.len() % ENTRY_BYTES != 0 {
            return Err(bad());
        }
        Ok(entries)
    }
}

/// A block in memory.
pub struct Block {
    bytes: Arc<Vec<u8>>,
    path: String,
}

impl Block {
    /// Entries in it.
    pub fn len(&self) -> usize {
        self.bytes.len() / ENTRY_BYTES
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn key(&self, i: usize) -> &[u8] {
        &self.bytes[i * ENTRY_BYTES..i * ENTRY_BYTES + 16]
    }

    /// The i-th entry.
    pub fn entry(&self, i: usize) -> Result<Entry> {
        Entry::decode(&self.path, &self.bytes[i * ENTRY_BYTES..(i + 1) * ENTRY_BYTES])
    }

    /// The entry of a key.
    pub fn find(&self, key: &Key) -> Result<Option<Entry>> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.key(middle).cmp(key.as_slice()) {
                std::cmp::Ordering::Equal => return self.entry(middle).map(Some),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }
}

async fn read_footer(store: &Store, run: &IndexRun) -> Result<Vec<u8>> {
    let bad = |why: &str| StorageError::corrupt(&run.path, why);
    if run.size < TRAILER + MAGIC.len() as u64 {
        return Err(bad("it is too small for a run"));
    }
    let trailer = store.get_range(&run.path, run.size - TRAILER..run.size).await?;
    let Some((head, _)) = trailer.split_at_checked(12).filter(|(_, magic)| magic == MAGIC) else {
        return Err(bad("it does not end as a run"));
    };
    let (checksum, length) = head.split_at(4);
    let length = length.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
    let checksum = checksum.try_into().map(u32::from_le_bytes).unwrap_or(0);
    let start = (run.size - TRAILER).checked_sub(length).ok_or_else(|| bad("its footer's length does not match"))?;
    let footer = store.get_range(&run.path, start..run.size - TRAILER).await?;
    if crc32fast::hash(&footer) != checksum {
        return Err(bad("the checksum of its footer does not match"));
    }
    Ok(footer.to_vec())
}
