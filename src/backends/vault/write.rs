//! A folder as vault: creating, renaming, taking out. Each is durable when it returns, and none overwrites or deletes.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use blake3::Hash;
use rustix::fs::{Timespec, Timestamps};

use super::VaultError;
use super::folder::{Created, Folder, Removed};
use super::parents::Parent;
use super::paths::split;
use crate::backends::disk::{self, Place, Taken};

impl Folder {
    /// Writes a new file if nothing is at `path`: content on disk before the name appears, name and new folders on disk
    /// before this returns. `tag` is the item's `emm_id`; where the file system needs a temporary file it carries it.
    ///
    /// # Errors
    /// [`VaultError::Exists`] when a folder or link is there; `Full`, `ReadOnly`, `NameTooLong`, `Escapes`, `Io`. On failure
    /// nothing is left but, at most, folders made for it.
    pub fn create(&self, path: &str, bytes: &[u8], tag: &str) -> Result<Created, VaultError> {
        let hash = blake3::hash(bytes);
        self.put(path, tag, &hash, |file| file.write_all_at(bytes, 0).map(|()| bytes.len() as u64))
    }

    /// As [`Folder::create`], copying `source` from its beginning through a bounded buffer. The copy keeps the source's
    /// modification time, for it is about to become the only one.
    ///
    /// # Errors
    /// [`VaultError::Changed`] when the source's content is not `expected`: it was replaced after it was hashed; nothing is
    /// left then. Else as there.
    pub fn create_from_file(
        &self,
        path: &str,
        source: &File,
        expected: &Hash,
        tag: &str,
    ) -> Result<Created, VaultError> {
        self.put(path, tag, expected, |target| {
            let (hash, size_bytes) = disk::copy(source, target)?;
            if hash != *expected {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let from = source.metadata()?;
            let time = Timespec { tv_sec: from.mtime(), tv_nsec: from.mtime_nsec() };
            // A file system without times (or with fewer years) is no reason not to keep the content.
            let _ = rustix::fs::futimens(target, &Timestamps { last_access: time, last_modification: time });
            Ok(size_bytes)
        })
    }

    fn put(
        &self,
        path: &str,
        tag: &str,
        hash: &Hash,
        fill: impl Fn(&File) -> io::Result<u64>,
    ) -> Result<Created, VaultError> {
        let fail = |error| VaultError::of(path, error);
        let (folder, name) = split(path)?;
        let parent = self.inner.parents.open_or_make(folder).map_err(fail)?;
        let adding = |make: &dyn Fn() -> io::Result<()>| self.inner.names.adding(&parent, name, make);
        match self.inner.placer.create_named_by(&parent.fd, name.as_ref(), tag, fill, adding) {
            Ok(size_bytes) => {
                self.inner.parents.sync(&parent).map_err(fail)?;
                Ok(Created::New { hash: *hash, size_bytes })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.compare(path, &parent, name, hash),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(VaultError::Changed { path: path.to_owned() })
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// Somebody was first. If the content is the same, it is made durable: who wrote it may have been killed before that.
    fn compare(&self, path: &str, parent: &Parent, name: &str, hash: &Hash) -> Result<Created, VaultError> {
        let look = || {
            let file = disk::open_file(&parent.fd, name.as_ref())?;
            let same = disk::hash(&file)?.0 == *hash;
            if same {
                file.sync_all()?;
                self.inner.parents.sync(parent)?;
            }
            io::Result::Ok(Created::Exists { same })
        };
        look().map_err(|error| match VaultError::of(path, error) {
            // A folder, a link, a pipe: taken, and nothing to compare with.
            VaultError::Escapes { path } => VaultError::Exists { path },
            VaultError::Io { path, source } if source.kind() == io::ErrorKind::InvalidInput => {
                VaultError::Exists { path }
            }
            other => other,
        })
    }

    /// Renames a file inside the vault to a path that must be free (an undo of a move, a move that the owner confirmed).
    ///
    /// # Errors
    /// [`VaultError::Exists`] when the new path is taken; else as [`Folder::create`].
    pub fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        let ((from_folder, from_name), (to_folder, to_name)) = (split(from)?, split(to)?);
        let source = self.inner.parents.open(from_folder).map_err(|error| VaultError::of(from, error))?;
        disk::stat(&source.fd, from_name.as_ref()).map_err(|error| VaultError::of(from, error))?;
        let rename = || {
            let target = self.inner.parents.open_or_make(to_folder)?;
            self.inner.names.adding(&target, to_name, || {
                disk::rename_no_replace(&source.fd, from_name.as_ref(), &target.fd, to_name.as_ref())
            })?;
            self.inner.parents.sync(&target)?;
            self.inner.parents.sync(&source)
        };
        rename().map_err(|error| VaultError::of(to, error))
    }

    /// Takes a file out of the vault into the folder `trash` of this machine (made where missing) under a name that must be
    /// free there, if its content is `expected`. On another file system it is copied durably and compared first.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Exists`] when the name is taken in the trash; else what the disk says.
    pub fn remove_to(
        &self,
        path: &str,
        expected: &Hash,
        trash: &Path,
        name: &str,
        tag: &str,
    ) -> Result<Removed, VaultError> {
        self.take_out(path, trash, name, |from, to| disk::take(from, to, expected, tag, &self.inner.parents.sync))
    }

    /// Takes what lies at `path` to a free name in the trash, by `take`, which says whether it was what was expected.
    pub(super) fn take_out(
        &self,
        path: &str,
        trash: &Path,
        name: &str,
        take: impl FnOnce(Place<'_>, Place<'_>) -> io::Result<Taken>,
    ) -> Result<Removed, VaultError> {
        let (folder, own) = split(path)?;
        if !split(name)?.0.is_empty() {
            return Err(VaultError::Escapes { path: name.to_owned() });
        }
        let remove = || {
            let parent = self.inner.parents.open(folder)?;
            let trash = self.inner.parents.sync.make(trash)?;
            let from = Place { folder: parent.fd.as_fd(), name: own.as_ref() };
            let to = Place { folder: trash.as_fd(), name: name.as_ref() };
            take(from, to)
        };
        match remove().map_err(|error| VaultError::of(path, error))? {
            Taken::Moved => Ok(Removed::Moved),
            Taken::PutBack(name) => {
                let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
                Ok(Removed::Changed { path: if folder.is_empty() { name } else { format!("{folder}/{name}") } })
            }
        }
    }
}
