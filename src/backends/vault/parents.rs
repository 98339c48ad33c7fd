//! The folders of a vault: opened inside the sandbox, made where missing, and known to be on disk.
//!
//! A folder's own name must be as durable as the file in it. Another writer, or this one before it was killed, may have
//! made a folder and not yet synced the one above, so the first use of each folder in a process syncs all folders above it.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use parking_lot::Mutex;
use rustix::fs::OFlags;

use crate::backends::disk::{FileId, FolderSync};

/// Folders remembered as durable; when full, the memory starts anew, which costs only syncs.
const DURABLE_MAX: usize = 8192;

/// An open folder of the vault.
#[derive(Debug)]
pub(super) struct Parent {
    /// Open for reading, so that it can be synced.
    pub(super) fd: OwnedFd,
    /// What it is by.
    pub(super) id: FileId,
}

/// The sandbox and what is known of its folders.
#[derive(Debug)]
pub(super) struct Parents {
    root: Dir,
    durable: Mutex<BTreeSet<FileId>>,
    pub(super) sync: FolderSync,
}

impl Parents {
    pub(super) fn new(root: Dir) -> Self {
        Self { root, durable: Mutex::default(), sync: FolderSync::default() }
    }

    pub(super) fn root(&self) -> &Dir {
        &self.root
    }

    /// Opens a folder that must exist; empty means the vault itself. Links are followed as long as they stay inside.
    pub(super) fn open(&self, path: &str) -> io::Result<Parent> {
        let mut options = OpenOptions::new();
        // cap-std's own folders are `O_PATH` handles on Linux, which cannot be synced.
        options.read(true).custom_flags(OFlags::DIRECTORY.bits().cast_signed());
        let path = if path.is_empty() { "." } else { path };
        let fd: OwnedFd = self.root.open_with(path, &options)?.into_std().into();
        let id = FileId::of(&rustix::fs::fstat(&fd)?);
        Ok(Parent { fd, id })
    }

    /// Opens a folder, making it and those above where missing; returns with their names on disk.
    pub(super) fn open_or_make(&self, path: &str) -> io::Result<Parent> {
        match self.open(path) {
            Ok(parent) if path.is_empty() || self.durable.lock().contains(&parent.id) => return Ok(parent),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let mut above = self.open("")?;
        for folder in Path::new(path).ancestors().filter_map(Path::to_str).collect::<Vec<_>>().into_iter().rev().skip(1)
        {
            let here = match self.open(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => match self.root.create_dir(folder) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => self.open(folder)?,
                },
                other => other?,
            };
            if !self.durable.lock().contains(&here.id) {
                self.sync.sync_known(&above.fd, above.id)?;
                let mut durable = self.durable.lock();
                if durable.len() >= DURABLE_MAX {
                    durable.clear();
                }
                durable.insert(here.id);
            }
            above = here;
        }
        Ok(above)
    }

    /// Forgets a folder that was removed: its inode may come back as another's.
    pub(super) fn forget(&self, id: FileId) {
        self.durable.lock().remove(&id);
    }

    /// Makes the names that a folder holds durable.
    pub(super) fn sync(&self, parent: &Parent) -> io::Result<()> {
        self.sync.sync_known(&parent.fd, parent.id)
    }
}
