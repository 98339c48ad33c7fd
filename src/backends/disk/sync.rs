//! Group commit of folders: callers who need the same folder on disk at the same time share one fsync.
//!
//! The rule that makes sharing sound: a caller is satisfied only by an fsync that *started* after the caller asked, for an
//! earlier one may have run before the caller's own link or rename.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use parking_lot::{Condvar, Mutex};

use rustix::fs::Mode;
use rustix::io::Errno;

use super::{FileId, open_root};

/// Folders remembered as durable; when full, the memory starts anew, which costs only syncs.
const KNOWN_MAX: usize = 4096;

/// The folders that are being made durable right now; an entry lives only while somebody waits.
#[derive(Debug, Default)]
pub struct FolderSync {
    folders: Mutex<BTreeMap<FileId, Runs>>,
    ended: Condvar,
    /// Folders outside the vault whose own names are known to be on disk.
    known: Mutex<BTreeSet<PathBuf>>,
}

/// The numbered fsyncs of one folder.
#[derive(Debug, Default)]
struct Runs {
    callers: usize,
    started: u64,
    ended: u64,
    running: bool,
    /// The last run that failed and its error. The kernel tells an error once, so everyone who waited must hear of it.
    failed: Option<(u64, i32)>,
}

impl FolderSync {
    /// Returns once the names that `folder` holds now are on disk.
    ///
    /// # Errors
    /// When the fsync failed, whoever ran it.
    pub fn sync(&self, folder: impl AsFd) -> io::Result<()> {
        let id = FileId::of(&rustix::fs::fstat(&folder)?);
        self.sync_known(folder, id)
    }

    /// As [`FolderSync::sync`], for a folder whose identity is already known.
    ///
    /// # Errors
    /// When the fsync failed, whoever ran it.
    pub fn sync_known(&self, folder: impl AsFd, id: FileId) -> io::Result<()> {
        let mut folders = self.folders.lock();
        let runs = folders.entry(id).or_default();
        runs.callers += 1;
        let needed = runs.started + 1;
        let result = loop {
            let runs = folders.entry(id).or_default();
            if runs.ended >= needed {
                break match runs.failed {
                    Some((run, code)) if run >= needed => Err(io::Error::from_raw_os_error(code)),
                    _ => Ok(()),
                };
            }
            if runs.running {
                self.ended.wait(&mut folders);
                continue;
            }
            runs.running = true;
            runs.started += 1;
            let run = runs.started;
            let outcome = parking_lot::MutexGuard::unlocked(&mut folders, || sync_now(&folder))
                .map_err(|error| error.raw_os_error());
            let runs = folders.entry(id).or_default();
            runs.running = false;
            runs.ended = run;
            if let Err(code) = outcome {
                runs.failed = Some((run, code.unwrap_or(Errno::IO.raw_os_error())));
            }
            self.ended.notify_all();
        };
        if let Some(runs) = folders.get_mut(&id) {
            runs.callers -= 1;
            if runs.callers == 0 {
                folders.remove(&id);
            }
        }
        result
    }

    /// Opens a folder by a path of the machine's, making it and those above where missing, with their names on disk. The
    /// first use of an existing folder syncs the one above too: who made it may have been killed before doing so.
    ///
    /// # Errors
    /// When one cannot be made, opened or, if new, synced.
    pub fn make(&self, path: &Path) -> io::Result<OwnedFd> {
        if self.known.lock().contains(path)
            && let Ok(folder) = open_root(path)
        {
            return Ok(folder);
        }
        let above = path.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
        let mut made = false;
        if let Some(above) = above.filter(|_| !path.is_dir()) {
            self.make(above)?;
            match rustix::fs::mkdir(path, Mode::from_raw_mode(0o777)) {
                Err(error) if error != Errno::EXIST => return Err(error.into()),
                _ => made = true,
            }
        }
        if let Some(above) = above {
            let synced = open_root(above).and_then(|above| self.sync(above));
            if made {
                synced?;
            }
        }
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(path.to_owned());
        drop(known);
        open_root(path)
    }
}

/// One fsync; a file system that cannot sync a folder (some network and FUSE ones) writes names through anyway.
pub(super) fn sync_now(folder: impl AsFd) -> io::Result<()> {
    match rustix::fs::fsync(folder) {
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(()),
        other => Ok(other?),
    }
}
