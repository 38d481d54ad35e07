//! The directory of snapshots: written aside, read back, renamed, the last two kept.

mod file;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use lakewright_storage::crash;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::log_store::create_dir;
use super::state::ReplicatedState;
use super::types::{LogId, SnapshotMeta};

/// How many snapshots are kept.
const KEEP: usize = 2;

/// Which log positions durable, verified snapshots cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Durable {
    /// The newest snapshot's position.
    pub newest: Option<LogId>,
    /// The position that every kept snapshot covers. None until [`KEEP`] exist or one was
    /// installed: up to here the log may go, and a damaged newest snapshot still has a successor.
    pub oldest: Option<LogId>,
}

#[derive(Clone, Debug)]
struct Kept {
    path: PathBuf,
    meta: SnapshotMeta,
}

/// The snapshots of one node.
pub struct SnapshotDir {
    dir: PathBuf,
    /// Good snapshots, oldest first.
    kept: Mutex<Vec<Kept>>,
    durable: watch::Sender<Durable>,
}

impl SnapshotDir {
    /// Opens `dir` (made if missing): leftovers go, every snapshot is verified, a damaged one is
    /// renamed to `*.damaged` and kept aside. Blocks on disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn open(dir: &Path) -> io::Result<Self> {
        create_dir(dir)?;
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("tmp") => std::fs::remove_file(&path)?,
                Some("snap") => match file::verify(&path) {
                    Ok(meta) => kept.push(Kept { path, meta }),
                    Err(e) if is_damage(&e) => quarantine(&path, &e)?,
                    Err(e) => return Err(e),
                },
                _ => {}
            }
        }
        kept.sort_by_key(|k| k.meta.last_log_id);
        let me = Self { dir: dir.to_owned(), kept: Mutex::new(kept), durable: watch::channel(Durable::default()).0 };
        me.publish(&me.kept.lock());
        Ok(me)
    }

    /// Follows what durable snapshots cover.
    pub fn durable(&self) -> watch::Receiver<Durable> {
        self.durable.subscribe()
    }

    /// The newest good snapshot: its file and what it covers.
    pub fn newest(&self) -> Option<(PathBuf, SnapshotMeta)> {
        self.kept.lock().last().map(|k| (k.path.clone(), k.meta.clone()))
    }

    /// Loads the newest good snapshot into `state`; one that turns out damaged is put aside and
    /// the one before is used. None: there is no good snapshot. Blocks on disk.
    ///
    /// # Errors
    /// If the disk or the import fails.
    pub fn load_newest(&self, state: &dyn ReplicatedState) -> io::Result<Option<SnapshotMeta>> {
        loop {
            let Some((path, _)) = self.newest() else { return Ok(None) };
            match file::verify(&path).and_then(|_| file::load(&path, state)) {
                Ok(meta) => return Ok(Some(meta)),
                Err(e) if is_damage(&e) => {
                    quarantine(&path, &e)?;
                    let mut kept = self.kept.lock();
                    kept.pop();
                    self.publish(&kept);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Exports `state`, reads the file back, and only then counts it. Blocks on disk.
    ///
    /// # Errors
    /// If the export or the disk fails; the older snapshots stay.
    pub fn create(&self, state: &dyn ReplicatedState) -> io::Result<SnapshotMeta> {
        let tmp = self.dir.join("new.snap.tmp");
        let written = file::write(&tmp, state)?;
        self.adopt(&tmp, &written, KEEP)?;
        Ok(written)
    }

    /// An open file without a name, for a snapshot that is being received.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn receive(&self) -> io::Result<File> {
        let path = self.dir.join(format!("receiving-{}.tmp", uuid::Uuid::new_v4()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(file)
    }

    /// Takes a received snapshot over: copied, verified, loaded into `state`; older ones go.
    /// Blocks on disk.
    ///
    /// # Errors
    /// If it is not the snapshot that `meta` names, or the disk or the import fails.
    pub fn install(&self, received: &mut File, meta: &SnapshotMeta, state: &dyn ReplicatedState) -> io::Result<()> {
        let tmp = self.dir.join("installed.snap.tmp");
        io::Seek::rewind(received)?;
        let mut out = File::create(&tmp)?;
        io::copy(received, &mut out)?;
        out.sync_all()?;
        let path = self.adopt(&tmp, meta, 1)?;
        file::load(&path, state).map(drop)
    }

    /// Verifies `tmp`, gives it its name durably and removes all but the `keep` newest.
    fn adopt(&self, tmp: &Path, expected: &SnapshotMeta, keep: usize) -> io::Result<PathBuf> {
        let meta = file::verify(tmp)?;
        if meta.last_log_id != expected.last_log_id {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} covers {:?} where {:?} was expected", tmp.display(), meta.last_log_id, expected.last_log_id),
            ));
        }
        let (term, index) = meta.last_log_id.map_or((0, 0), |id| (id.leader_id.term, id.index));
        let path = self.dir.join(format!("snap-{term}-{index}.snap"));
        std::fs::rename(tmp, &path)?;
        File::open(&self.dir)?.sync_all()?;
        crash::point("catalog.snapshot.written");

        let mut kept = self.kept.lock();
        kept.retain(|k| k.path != path);
        kept.push(Kept { path: path.clone(), meta });
        kept.sort_by_key(|k| k.meta.last_log_id);
        while kept.len() > keep {
            let old = kept.remove(0);
            std::fs::remove_file(&old.path)?;
        }
        self.publish(&kept);
        if keep == 1 {
            // An installed snapshot replaces the log below it, which never came here.
            let newest = kept.last().and_then(|k| k.meta.last_log_id);
            self.durable.send_replace(Durable { newest, oldest: newest });
        }
        Ok(path)
    }

    fn publish(&self, kept: &[Kept]) {
        let newest = kept.last().and_then(|k| k.meta.last_log_id);
        let oldest = if kept.len() >= KEEP { kept.first().and_then(|k| k.meta.last_log_id) } else { None };
        self.durable.send_replace(Durable { newest, oldest });
    }
}

fn is_damage(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn quarantine(path: &Path, why: &io::Error) -> io::Result<()> {
    let aside = path.with_extension("snap.damaged");
    tracing::error!(file = %path.display(), aside = %aside.display(), error = %why, "a snapshot is damaged; it is put aside and an older one used");
    std::fs::rename(path, &aside)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
