//! One snapshot file: an exported state, compressed, with its meaning and its checksum.
//!
//! ```text
//! "LKWSNAP1" | zstd(export) | meta | u64 zstd bytes | u32 meta bytes | sha256 of all before | "LKWSNAPE"
//! ```
//! Integers are big endian; meta is MessagePack of openraft's `SnapshotMeta`. What a view covers is
//! known only once it is exported, therefore the meta stands at the end.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::raft::codec;
use crate::raft::state::{Applied, ReplicatedState};
use crate::raft::types::SnapshotMeta;

const MAGIC: &[u8; 8] = b"LKWSNAP1";
const END: &[u8; 8] = b"LKWSNAPE";
const TRAILER_BYTES: u64 = 8 + 4 + 32 + 8;
const MAX_META_BYTES: u32 = 16 << 20;
const COMPRESSION: i32 = 1;

/// Exports `state` into a new file and fsyncs it.
///
/// # Errors
/// If the export or the disk fails.
pub(super) fn write(path: &Path, state: &dyn ReplicatedState) -> io::Result<SnapshotMeta> {
    let mut out = Hashing { inner: BufWriter::with_capacity(1 << 20, File::create(path)?), sha: Sha256::new(), bytes: 0 };
    out.write_all(MAGIC)?;
    let mut zstd = zstd::Encoder::new(&mut out, COMPRESSION)?;
    let applied = state.export(&mut zstd)?;
    zstd.finish()?;
    let body = out.bytes - MAGIC.len() as u64;

    let meta = meta_of(&applied)?;
    let meta_bytes = rmp_serde::to_vec_named(&meta).map_err(io::Error::other)?;
    out.write_all(&meta_bytes)?;
    out.write_all(&body.to_be_bytes())?;
    out.write_all(&u32::try_from(meta_bytes.len()).map_err(io::Error::other)?.to_be_bytes())?;
    let sum = out.sha.clone().finalize();
    out.write_all(&sum)?;
    out.write_all(END)?;
    out.inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(meta)
}

/// What openraft calls the view: its id is its position, so that equal views are equal.
pub(super) fn meta_of(applied: &Applied) -> io::Result<SnapshotMeta> {
    let last_log_id = applied.log_id.as_deref().map(codec::decode_log_id).transpose()?;
    let snapshot_id =
        last_log_id.map_or_else(|| "empty".to_owned(), |id| format!("{}-{}-{}", id.leader_id.term, id.leader_id.node_id, id.index));
    Ok(SnapshotMeta { last_log_id, last_membership: codec::decode_membership(&applied.membership)?, snapshot_id })
}

/// Reads the whole file, compares its checksum and answers its meta.
///
/// # Errors
/// `InvalidData` if the file is damaged or cut short; else what the disk answered.
pub(super) fn verify(path: &Path) -> io::Result<SnapshotMeta> {
    let mut file = File::open(path)?;
    let trailer = Trailer::read(&mut file)?;
    file.seek(SeekFrom::Start(0))?;
    let mut sha = Sha256::new();
    let hashed = MAGIC.len() as u64 + trailer.body + u64::from(trailer.meta) + 12;
    let mut rest = BufReader::with_capacity(1 << 20, &file).take(hashed);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = rest.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        sha.update(&buffer[..n]);
    }
    if sha.finalize().as_slice() != trailer.sum {
        return Err(damaged("its checksum does not match"));
    }
    file.seek(SeekFrom::Start(MAGIC.len() as u64 + trailer.body))?;
    let mut meta = vec![0; trailer.meta as usize];
    file.read_exact(&mut meta)?;
    rmp_serde::from_slice(&meta).map_err(|e| damaged(&format!("its meta does not parse: {e}")))
}

/// Imports a verified file into `state` and checks that the state then stands where the file says.
///
/// # Errors
/// If the file cannot be read, the import fails, or the state stands elsewhere.
pub(super) fn load(path: &Path, state: &dyn ReplicatedState) -> io::Result<SnapshotMeta> {
    let meta = verify(path)?;
    let mut file = File::open(path)?;
    let trailer = Trailer::read(&mut file)?;
    file.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    let body = BufReader::with_capacity(1 << 20, file.take(trailer.body));
    state.import(&mut zstd::Decoder::with_buffer(body)?)?;
    let now = meta_of(&state.applied()?)?;
    if now != meta {
        return Err(io::Error::other(format!(
            "after the import of {} the state stands at {}, not at {}",
            path.display(),
            now.snapshot_id,
            meta.snapshot_id
        )));
    }
    Ok(meta)
}

struct Trailer {
    body: u64,
    meta: u32,
    sum: [u8; 32],
}

impl Trailer {
    fn read(file: &mut File) -> io::Result<Self> {
        let total = file.metadata()?.len();
        if total < MAGIC.len() as u64 + TRAILER_BYTES {
            return Err(damaged("it is too short"));
        }
        let mut magic = [0; 8];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut magic)?;
        file.seek(SeekFrom::Start(total - TRAILER_BYTES))?;
        let (mut body, mut meta, mut sum, mut end) = ([0; 8], [0; 4], [0; 32], [0; 8]);
        file.read_exact(&mut body)?;
        file.read_exact(&mut meta)?;
        file.read_exact(&mut sum)?;
        file.read_exact(&mut end)?;
        let trailer = Self { body: u64::from_be_bytes(body), meta: u32::from_be_bytes(meta), sum };
        if &magic != MAGIC || &end != END {
            return Err(damaged("it does not begin and end as a snapshot of this format does"));
        }
        let expected = trailer.body.checked_add(u64::from(trailer.meta) + MAGIC.len() as u64 + TRAILER_BYTES);
        if trailer.meta > MAX_META_BYTES || expected != Some(total) {
            return Err(damaged("its lengths do not add up"));
        }
        Ok(trailer)
    }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("damaged snapshot: {why}"))
}

struct Hashing<W> {
    inner: W,
    sha: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(data)?;
        self.sha.update(&data[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
