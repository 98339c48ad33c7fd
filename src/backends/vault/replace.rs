//! A folder as vault: writing a note again without ever losing an edit that its owner made meanwhile.
//!
//! New and old content change places in one step, and what came out is looked at before it goes. A kill in between leaves
//! it under a name of its own kind, `.{tag}-swap.emm-tmp`, which recovery removes only if the content is known to be ours.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use blake3::Hash;
use rustix::fs::{AtFlags, FileType, RenameFlags};

use super::VaultError;
use super::folder::Folder;
use super::paths::split;
use crate::backends::disk::{self, Place};

/// What recovery found beside a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discarded {
    /// Temporaries that were removed.
    pub removed: usize,
    /// Edits of the owner's that a killed [`Folder::replace`] had in hand, by the vault-relative paths where they lie now.
    pub rescued: Vec<String>,
}

impl Folder {
    /// Writes a file again if its content hash is still `expected`, that is, if nobody touched what we wrote.
    ///
    /// # Errors
    /// [`VaultError::Changed`] when the content is another; nothing is written then. `NotFound`; else as [`Folder::create`].
    pub fn replace(&self, path: &str, expected: &Hash, bytes: &[u8], tag: &str) -> Result<(), VaultError> {
        let (folder, name) = split(path)?;
        let name = OsStr::new(name);
        let replace = || {
            let parent = self.inner.parents.open(folder)?;
            let now = disk::open_file(&parent.fd, name)?;
            if disk::hash(&now)?.0 != *expected {
                return Ok(false);
            }
            let (mut temporary, file) = disk::open_temporary(&parent.fd, tag)?;
            let swapped = file
                .write_all_at(bytes, 0)
                .and_then(|()| file.set_permissions(now.metadata()?.permissions()))
                .and_then(|()| file.sync_all())
                .and_then(|()| to_swap(&parent.fd, &mut temporary, tag))
                .and_then(|()| exchange(&parent.fd, &temporary, name, expected));
            if !matches!(swapped, Ok(Swapped::Replaced | Swapped::Unknown)) {
                // Ours and unneeded, or the old content that we wrote and that the new one replaces.
                let _ = rustix::fs::unlinkat(&parent.fd, &temporary, AtFlags::empty());
            }
            self.inner.parents.sync(&parent)?;
            Ok(matches!(swapped?, Swapped::Exchanged | Swapped::Replaced))
        };
        match replace() {
            Ok(true) => Ok(()),
            Ok(false) => Err(VaultError::Changed { path: path.to_owned() }),
            Err(error) => Err(VaultError::of(path, error)),
        }
    }

    /// Clears what a killed writer of this tag left beside `path`, and nothing else. Half-written temporaries are removed,
    /// folders too; the other half of a killed exchange, or a folder set aside on its way out, is removed if its hash is
    /// among `ours` (what the journal says we wrote or were writing there), else it is the owner's edit and comes back beside
    /// the note under a free name.
    ///
    /// # Errors
    /// When one cannot be read, removed or renamed.
    pub fn discard_temporaries(&self, path: &str, tag: &str, ours: &[Hash]) -> Result<Discarded, VaultError> {
        let (folder, name) = split(path)?;
        let discard = || {
            let parent = self.inner.parents.open(folder)?;
            let removed = disk::discard_temporaries(&parent.fd, tag)?;
            let mut discarded = Discarded { removed, rescued: Vec::new() };
            for swap in disk::temporary_names(&swap_tag(tag))? {
                let (hash, is_folder) = match disk::stat(&parent.fd, &swap) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => self.hash_any(&parent.fd, &swap, disk::file_type(&other?))?,
                };
                if ours.contains(&hash) {
                    match is_folder {
                        true => disk::remove_tree(&parent.fd, &swap)?,
                        false => rustix::fs::unlinkat(&parent.fd, &swap, AtFlags::empty())?,
                    }
                    discarded.removed += 1;
                    continue;
                }
                let (from, to) = (
                    Place { folder: parent.fd.as_fd(), name: &swap },
                    Place { folder: parent.fd.as_fd(), name: name.as_ref() },
                );
                let now = disk::put_back(from, to)?.to_string_lossy().into_owned();
                discarded.rescued.push(if folder.is_empty() { now } else { format!("{folder}/{now}") });
            }
            self.inner.parents.sync(&parent)?;
            io::Result::Ok(discarded)
        };
        match discard() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Discarded::default()),
            other => other.map_err(|error| VaultError::of(path, error)),
        }
    }

    /// The hash of a file's content or of a folder's tree, and whether it is a folder.
    fn hash_any(&self, folder: impl AsFd, name: &OsStr, kind: FileType) -> io::Result<(Hash, bool)> {
        if kind == FileType::Directory {
            let tree = disk::tree(disk::open_folder(folder, name)?, self.inner.settings.listed_files_max)?;
            return Ok((tree.hash, true));
        }
        Ok((disk::hash(&disk::open_file(folder, name)?)?.0, false))
    }
}

pub(super) fn swap_tag(tag: &str) -> String {
    format!("{tag}-swap")
}

/// Gives a temporary that is whole and on disk the name under which it may change places.
fn to_swap(folder: impl AsFd, temporary: &mut OsString, tag: &str) -> io::Result<()> {
    for swap in disk::temporary_names(&swap_tag(tag))? {
        match disk::rename_no_replace(&folder, temporary, &folder, &swap) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| *temporary = swap),
        }
    }
    Err(io::Error::other("too many exchanges of this item were cut off: run `emm verify`"))
}

/// How an exchange ended.
enum Swapped {
    /// The new content is at the name, the old one, as expected, at the temporary name.
    Exchanged,
    /// The old content was not what was expected and is at its name again, the new one at the temporary name.
    Refused,
    /// A plain rename: the temporary name is gone.
    Replaced,
    /// What came out was not expected and could not be put back: it stays at the temporary name for recovery.
    Unknown,
}

/// Lets the temporary and the note change places, and back again if what came out is not what was expected.
fn exchange(folder: impl AsFd, temporary: &OsStr, name: &OsStr, expected: &Hash) -> io::Result<Swapped> {
    let swap = || rustix::fs::renameat_with(&folder, temporary, &folder, name, RenameFlags::EXCHANGE);
    if swap().is_err() {
        // No exchange here (NFS, FAT): look again as late as possible, then rename over it.
        if disk::hash(&disk::open_file(&folder, name)?)?.0 != *expected {
            return Ok(Swapped::Refused);
        }
        rustix::fs::renameat(&folder, temporary, &folder, name)?;
        return Ok(Swapped::Replaced);
    }
    let came_out = disk::open_file(&folder, temporary).and_then(|file| disk::hash(&file));
    if matches!(came_out, Ok((hash, _)) if hash == *expected) {
        return Ok(Swapped::Exchanged);
    }
    Ok(if swap().is_ok() { Swapped::Refused } else { Swapped::Unknown })
}
