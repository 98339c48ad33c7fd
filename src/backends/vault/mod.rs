//! The owner's vault: notes and originals under vault-relative paths, created only where nothing is, never deleted, only
//! moved to the trash.
//!
//! What every vault gives, a folder now and an object store later: keys are `/`-separated paths, put-if-absent, get, list,
//! and taking away into the store's trash. Blocking work runs off the runtime; dropping a call does not tear a write apart.

mod error;
mod folder;
mod list;
mod names;
mod parents;
mod paths;
mod probe;
mod replace;
mod tree;
mod write;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use blake3::Hash;
use serde::{Deserialize, Serialize};

pub use error::VaultError;
pub use folder::{Created, Folder, Removed, Stat};
pub use list::{Listed, Listing};
pub use paths::split;
pub use probe::{NoReplace, Probe};
pub use replace::Discarded;

/// `[vault]`: how the vault is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A vault that is a folder.
    pub folder: FolderSettings,
}

/// `[vault.folder]`: how a folder is used as vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderSettings {
    /// Folders whose names are remembered, to see `Ä.md` beside `ä.md` without reading the folder each time.
    pub remembered_folders_max: usize,
    /// How long remembered names serve before the folder is read again, in milliseconds, even if it looks unchanged.
    pub remembered_names_ms: u64,
    /// Files that a listing gives at most; beyond it the listing fails rather than lies.
    pub listed_files_max: usize,
    /// Whether new files may be made without a temporary name (`O_TMPFILE`) where the file system can.
    pub unnamed_files: bool,
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self { remembered_folders_max: 64, remembered_names_ms: 2000, listed_files_max: 2_000_000, unnamed_files: true }
    }
}

/// Where notes and originals live.
#[derive(Debug, Clone)]
pub enum Vault {
    /// A folder of this machine, or one mounted on it.
    Folder(Folder),
}

impl Vault {
    /// Opens a folder as vault.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] when it is missing: it is not made here, for a missing mount must not become an empty vault.
    pub async fn open_folder(path: &Path, settings: FolderSettings) -> Result<Self, VaultError> {
        let path = path.to_owned();
        blocking(move || Folder::open(&path, settings)).await.map(Self::Folder)
    }

    /// Writes a new file, durably and whole, if nothing is at `path`; see [`Folder::create`].
    ///
    /// # Errors
    /// As there.
    pub async fn create(&self, path: &str, bytes: Vec<u8>, tag: &str) -> Result<Created, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        blocking(move || folder.create(&path, &bytes, &tag)).await
    }

    /// Copies a file of any size to a new path if its hash is the expected one; see [`Folder::create_from_file`].
    ///
    /// # Errors
    /// As there.
    pub async fn create_from_file(
        &self,
        path: &str,
        source: File,
        expected: Hash,
        tag: &str,
    ) -> Result<Created, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        blocking(move || folder.create_from_file(&path, &source, &expected, &tag)).await
    }

    /// Writes a file again if its content is still what we wrote; see [`Folder::replace`].
    ///
    /// # Errors
    /// As there.
    pub async fn replace(&self, path: &str, expected: Hash, bytes: Vec<u8>, tag: &str) -> Result<(), VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        blocking(move || folder.replace(&path, &expected, &bytes, &tag)).await
    }

    /// Renames a file inside the vault to a free path, durably; see [`Folder::rename`].
    ///
    /// # Errors
    /// As there.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        let (folder, from, to) = self.parts(from, to);
        blocking(move || folder.rename(&from, &to)).await
    }

    /// Takes a file out of the vault into the store's trash; see [`Folder::remove_to`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove_to(
        &self,
        path: &str,
        expected: Hash,
        trash: &Path,
        name: &str,
        tag: &str,
    ) -> Result<Removed, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        let (trash, name): (PathBuf, String) = (trash.to_owned(), name.to_owned());
        blocking(move || folder.remove_to(&path, &expected, &trash, &name, &tag)).await
    }

    /// Copies a whole folder to a new path if the hash of its tree is the expected one; see [`Folder::create_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn create_tree(
        &self,
        path: &str,
        source: OwnedFd,
        expected: Hash,
        tag: &str,
    ) -> Result<Created, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        blocking(move || folder.create_tree(&path, &source, &expected, &tag)).await
    }

    /// Takes a whole folder out of the vault into the store's trash; see [`Folder::remove_tree_to`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove_tree_to(
        &self,
        path: &str,
        expected: Hash,
        trash: &Path,
        name: &str,
        tag: &str,
    ) -> Result<Removed, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        let (trash, name): (PathBuf, String) = (trash.to_owned(), name.to_owned());
        blocking(move || folder.remove_tree_to(&path, &expected, &trash, &name, &tag)).await
    }

    /// Opens a folder that is one thing, to be copied elsewhere; see [`Folder::open_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_tree(&self, path: &str) -> Result<OwnedFd, VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.open_tree(&path)).await
    }

    /// The hash of a folder's tree and the bytes of its files; see [`Folder::hash_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn hash_tree(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.hash_tree(&path)).await
    }

    /// The whole content of a file of at most `bytes_max`.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; `Io` when it is larger.
    pub async fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.read(&path, bytes_max)).await
    }

    /// Opens a regular file for reading, to be streamed.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Escapes`] for a link that leads out.
    pub async fn open(&self, path: &str) -> Result<File, VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.open_file(&path)).await
    }

    /// The blake3 hash and size of a file, streamed.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn hash(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.hash(&path)).await
    }

    /// Size and time of a file; `None` when nothing is there.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub async fn stat(&self, path: &str) -> Result<Option<Stat>, VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.stat(&path)).await
    }

    /// Whether anything is at this path.
    ///
    /// # Errors
    /// As [`Vault::stat`].
    pub async fn exists(&self, path: &str) -> Result<bool, VaultError> {
        Ok(self.stat(path).await?.is_some())
    }

    /// All files in order of their paths, without hidden ones; see [`Folder::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list(&self) -> Result<Listing, VaultError> {
        let (folder, ..) = self.parts("", "");
        blocking(move || folder.list()).await
    }

    /// The name in `folder` that has the same collision key as `name`, if any; see [`Folder::taken`].
    ///
    /// # Errors
    /// As there.
    pub async fn taken(&self, folder: &str, name: &str, key: fn(&str) -> String) -> Result<Option<String>, VaultError> {
        let (vault, folder, name) = self.parts(folder, name);
        blocking(move || vault.taken(&folder, &name, key)).await
    }

    /// Removes a folder if nothing is in it; `false` when something is, or it is gone already.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub async fn remove_dir_if_empty(&self, path: &str) -> Result<bool, VaultError> {
        let (folder, path, _) = self.parts(path, "");
        blocking(move || folder.remove_dir_if_empty(&path)).await
    }

    /// Clears what a killed writer of this item left beside `path`; see [`Folder::discard_temporaries`].
    ///
    /// # Errors
    /// As there.
    pub async fn discard_temporaries(&self, path: &str, tag: &str, ours: Vec<Hash>) -> Result<Discarded, VaultError> {
        let (folder, path, tag) = self.parts(path, tag);
        blocking(move || folder.discard_temporaries(&path, &tag, &ours)).await
    }

    /// What this vault can do, tried out; see [`Folder::probe`].
    ///
    /// # Errors
    /// As there.
    pub async fn probe(&self, beside: Option<&Path>) -> Result<Probe, VaultError> {
        let (folder, ..) = self.parts("", "");
        let beside = beside.map(Path::to_owned);
        blocking(move || folder.probe(beside.as_deref())).await
    }

    fn parts(&self, first: &str, second: &str) -> (Folder, String, String) {
        let Self::Folder(folder) = self;
        (folder.clone(), first.to_owned(), second.to_owned())
    }
}

/// Runs blocking work off the runtime; work that panicked is one failed call.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultError> {
    match crate::backends::blocking::blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(VaultError::Io { path: String::new(), source: std::io::Error::other(error) }),
    }
}
