//! A folder as vault: whole folders that are one thing, put in, hashed and taken out with the same care as a file.
//!
//! A tree grows beside its place under a temporary name and gets its own in one rename, so nobody ever sees a half one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use blake3::Hash;

use super::VaultError;
use super::discard::aside_tag;
use super::folder::{Created, Folder, Removed};
use super::parents::Parent;
use super::paths::split;
use crate::backends::disk::{self, Place, Taken};

/// A folder that is one thing, open to be read; that of a bucket is a copy, which goes when this is dropped.
#[derive(Debug)]
pub struct OpenTree {
    folder: OwnedFd,
    copy: Option<tempfile::TempDir>,
}

impl From<OwnedFd> for OpenTree {
    fn from(folder: OwnedFd) -> Self {
        OpenTree { folder, copy: None }
    }
}

impl AsFd for OpenTree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

impl OpenTree {
    /// An empty folder of this machine, to be filled.
    pub(crate) fn spooled(spool: &Path) -> io::Result<OpenTree> {
        let copy = tempfile::Builder::new().prefix(".tree-").tempdir_in(spool)?;
        Ok(OpenTree { folder: disk::open_root(copy.path())?, copy: Some(copy) })
    }

    /// A new file in a folder that is being filled.
    pub(crate) fn create(&self, path: &str) -> io::Result<File> {
        split(path).map_err(io::Error::other)?;
        let root = self.copy.as_ref().ok_or(io::ErrorKind::ReadOnlyFilesystem)?;
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root.path()))?;
        File::create_new(path)
    }

    /// A file in it; no link is followed.
    pub(crate) fn open(&self, path: &str) -> io::Result<File> {
        let (folders, name) = split(path).map_err(io::Error::other)?;
        let mut folder = self.folder.try_clone()?;
        for name in folders.split('/').filter(|name| !name.is_empty()) {
            folder = disk::open_folder(&folder, name.as_ref())?;
        }
        disk::open_file(folder, name.as_ref())
    }

    /// The hashes and sizes of its plain files, by their paths; what is none is left out.
    pub(crate) fn files(&self, entries_max: usize) -> io::Result<BTreeMap<String, (Hash, u64)>> {
        let paths = disk::paths(&self.folder, entries_max)?;
        let hashed = paths.into_iter().filter_map(|path| {
            let path = path.into_string().ok()?;
            let file = self.open(&path).ok()?;
            Some(disk::hash(&file).map(|file| (path, file)))
        });
        hashed.collect()
    }
}

impl Folder {
    /// Opens a folder of the vault that is one thing; the last name is never followed as a link.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Exists`] when something else than a folder is there.
    pub fn open_tree(&self, path: &str) -> Result<OwnedFd, VaultError> {
        let (folder, name) = split(path)?;
        let open = || disk::open_folder(self.inner.parents.open(folder)?.fd, name.as_ref());
        open().map_err(|error| match VaultError::of(path, error) {
            // What the system says of a link here.
            VaultError::Escapes { path } => VaultError::Exists { path },
            other => other,
        })
    }

    /// The hash of a folder's tree and the bytes of its files, streamed.
    ///
    /// # Errors
    /// As [`Folder::open_tree`]; `Io` when something in it cannot be read, or it has more entries than a listing may have.
    pub fn hash_tree(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        let tree = disk::tree(self.open_tree(path)?, self.inner.settings.listed_files_max);
        tree.map(|tree| (tree.hash, tree.size_bytes)).map_err(|error| VaultError::of(path, error))
    }

    /// Copies the whole folder `source` to a new path if the hash of its tree is `expected`: every file and folder of the copy
    /// on disk before the name appears, the name before this returns. `tag` is the item's `emm_id`.
    ///
    /// # Errors
    /// [`VaultError::Changed`] when the copy is not what was expected: the source was changed after it was hashed. `Full`,
    /// `ReadOnly`, `NameTooLong`, `Escapes`, `Io`. On failure nothing is left but, at most, folders made above it.
    pub fn create_tree(
        &self,
        path: &str,
        source: impl AsFd,
        expected: &Hash,
        tag: &str,
    ) -> Result<Created, VaultError> {
        let fail = |error| VaultError::of(path, error);
        let (folder, own) = split(path)?;
        let name = OsStr::new(own);
        let parent = self.inner.parents.open_or_make(folder).map_err(fail)?;
        // Nothing is copied in vain; what appears only after this look is found by the rename.
        if disk::stat(&parent.fd, name).is_ok() {
            return self.compare_tree(path, &parent, name, expected);
        }
        let adding = |make: &dyn Fn() -> io::Result<()>| self.inner.names.adding(&parent, own, make);
        match self.copy_in(source.as_fd(), (parent.fd.as_fd(), name), expected, tag, adding) {
            Ok(size_bytes) => {
                crate::fault!("tree: named, not yet synced");
                self.inner.parents.sync(&parent).map_err(fail)?;
                Ok(Created::New { hash: *expected, size_bytes })
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.compare_tree(path, &parent, name, expected)
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Err(VaultError::Changed { path: path.to_owned() })
            }
            Err(error) => Err(fail(error)),
        }
    }

    /// Copies a tree into a folder of this machine under a free name, which appears within `adding`; gives its bytes. On
    /// failure its temporary is removed.
    fn copy_in(
        &self,
        source: BorrowedFd<'_>,
        (folder, name): (BorrowedFd<'_>, &OsStr),
        expected: &Hash,
        tag: &str,
        adding: impl FnOnce(&dyn Fn() -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<u64> {
        let entries_max = self.inner.settings.listed_files_max;
        let (temporary, copy) = disk::make_temporary_folder(folder, tag)?;
        crate::fault!("tree: a temporary folder is made");
        let made = disk::copy_tree(source, &copy, entries_max).and_then(|()| {
            // What was written is read again: that is what the vault will have, whatever the source was meanwhile.
            let tree = disk::tree(&copy, entries_max)?;
            if tree.hash != *expected {
                return Err(io::ErrorKind::InvalidData.into());
            }
            crate::fault!("tree: copied, not yet named");
            adding(&|| disk::rename_no_replace(folder, &temporary, folder, name))?;
            Ok(tree.size_bytes)
        });
        if made.is_err() {
            // The error at hand says more than a second one would; recovery removes what stays.
            let _ = disk::remove_tree(folder, &temporary);
        }
        made
    }

    /// Something is there. If it is the same tree, it is made durable: who copied it need not have done so.
    fn compare_tree(&self, path: &str, parent: &Parent, name: &OsStr, hash: &Hash) -> Result<Created, VaultError> {
        let look = || {
            let there = disk::open_folder(&parent.fd, name)?;
            let same = disk::tree(&there, self.inner.settings.listed_files_max)?.hash == *hash;
            if same {
                disk::sync_tree(there)?;
                self.inner.parents.sync(parent)?;
            }
            io::Result::Ok(Created::Exists { same })
        };
        look().or_else(|error| match VaultError::of(path, error) {
            // A file, a link: taken, and no tree.
            VaultError::Exists { .. } | VaultError::Escapes { .. } => Ok(Created::Exists { same: false }),
            VaultError::Io { source, .. } if source.kind() == io::ErrorKind::InvalidInput => {
                Ok(Created::Exists { same: false })
            }
            other => Err(other),
        })
    }

    /// Takes a whole folder out of the vault into the folder `trash` of this machine (made where missing) under a name that
    /// must be free there, if the hash of its tree is `expected`. On another file system it is copied durably and compared,
    /// and only then removed.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Exists`] when the name is taken in the trash; else what the disk says.
    pub fn remove_tree_to(
        &self,
        path: &str,
        expected: &Hash,
        trash: &Path,
        name: &str,
        tag: &str,
    ) -> Result<Removed, VaultError> {
        let sync = &self.inner.parents.sync;
        self.take_out(path, trash, name, |from, to| match disk::take_whole(from, to, expected, sync) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => self.carry_out(from, to, expected, tag),
            other => other,
        })
    }

    /// Between file systems: a durable copy in the trash, then the tree is set aside, hashed there once more, and removed.
    fn carry_out(&self, from: Place<'_>, to: Place<'_>, expected: &Hash, tag: &str) -> io::Result<Taken> {
        let sync = &self.inner.parents.sync;
        let source = disk::open_folder(from.folder, from.name)?;
        match self.copy_in(source.as_fd(), (to.folder, to.name), expected, tag, |make| make()) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Ok(Taken::PutBack(from.name.to_owned()));
            }
            other => other?,
        };
        sync.sync(to.folder)?;
        crate::fault!("tree: in the trash, not yet set aside");
        // Under this name recovery removes it only if it is what was expected, and else puts it back.
        let aside = rename_to_temporary(from, &aside_tag(tag))?;
        crate::fault!("tree: set aside, not yet hashed");
        let aside = Place { folder: from.folder, name: &aside };
        let tree = disk::open_folder(aside.folder, aside.name)
            .and_then(|aside| disk::tree(aside, self.inner.settings.listed_files_max));
        if !matches!(tree, Ok(tree) if tree.hash == *expected) {
            let back = disk::put_back(aside, from)?;
            sync.sync(from.folder)?;
            return Ok(Taken::PutBack(back));
        }
        // And under this one whatever is left of it.
        let gone = rename_to_temporary(aside, tag)?;
        disk::remove_tree(from.folder, &gone)?;
        sync.sync(from.folder)?;
        Ok(Taken::Moved)
    }
}

/// Renames a folder to a free temporary name of this tag in the same folder; gives the name.
fn rename_to_temporary(from: Place<'_>, tag: &str) -> io::Result<std::ffi::OsString> {
    for name in disk::temporary_names(tag)? {
        match disk::rename_no_replace(from.folder, from.name, from.folder, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| name),
        }
    }
    Err(io::Error::other(format!("too many temporary folders of item {tag} lie in one folder: run `emm verify`")))
}
