//! The owner's vault: notes and originals under vault-relative paths, created only where nothing is, never deleted, only
//! moved to the trash.
//!
//! What every vault gives, in a folder and in a bucket: keys are `/`-separated paths, put-if-absent, get, list, and taking
//! away into the store's trash. Blocking work runs off the runtime; dropping a call does not tear a write apart.

mod discard;
mod error;
mod folder;
mod list;
pub mod mirror;
mod names;
mod objects;
mod parents;
mod paths;
mod probe;
mod settings;
mod tree;
mod write;

use std::fs::File;
use std::path::{Path, PathBuf};

use blake3::Hash;

pub use discard::Discarded;
pub use error::VaultError;
pub use folder::{Created, Folder, Removed, Stat};
pub use list::{Listed, Listing, Weights};
pub use objects::Objects;
pub(crate) use objects::of;
pub use paths::split;
pub use probe::{NoReplace, Probe};
pub use settings::{Backend, FolderSettings, S3Settings, Settings};
pub use tree::OpenTree;

use super::trash::{Trash, mixed};

/// Where notes and originals live.
#[derive(Debug, Clone)]
pub enum Vault {
    /// A folder of this machine, or one mounted on it.
    Folder(Folder),
    /// A bucket.
    Objects(Objects),
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
        match self {
            Self::Folder(folder) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                blocking(move || folder.create(&path, &bytes, &tag)).await
            }
            Self::Objects(objects) => objects.create(path, &bytes).await,
        }
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
        match self {
            Self::Folder(folder) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                blocking(move || folder.create_from_file(&path, &source, &expected, &tag)).await
            }
            Self::Objects(objects) => objects.create_from_file(path, source, expected).await,
        }
    }

    /// Renames a file inside the vault to a free path, durably; see [`Folder::rename`].
    ///
    /// # Errors
    /// As there.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, from, to) = (folder.clone(), from.to_owned(), to.to_owned());
                blocking(move || folder.rename(&from, &to)).await
            }
            Self::Objects(objects) => objects.rename(from, to).await,
        }
    }

    /// Takes a file out of the vault into the store's trash of a day; see [`Folder::remove_to`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove_to(
        &self,
        path: &str,
        expected: Hash,
        (trash, day, name): (&Trash, &str, &str),
        tag: &str,
    ) -> Result<Removed, VaultError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                let (trash, name): (PathBuf, String) = (trash.join(day), name.to_owned());
                blocking(move || folder.remove_to(&path, &expected, &trash, &name, &tag)).await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => {
                objects.remove_to(path, expected, trash, &format!("{day}/{name}")).await
            }
            _ => Err(VaultError::of(path, mixed())),
        }
    }

    /// Copies a whole folder to a new path if the hash of its tree is the expected one; see [`Folder::create_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn create_tree(
        &self,
        path: &str,
        source: OpenTree,
        expected: Hash,
        tag: &str,
    ) -> Result<Created, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                blocking(move || folder.create_tree(&path, &source, &expected, &tag)).await
            }
            Self::Objects(objects) => objects.create_tree(path, &source, expected).await,
        }
    }

    /// Takes a whole folder out of the vault into the store's trash of a day; see [`Folder::remove_tree_to`].
    ///
    /// # Errors
    /// As there.
    pub async fn remove_tree_to(
        &self,
        path: &str,
        expected: Hash,
        (trash, day, name): (&Trash, &str, &str),
        tag: &str,
    ) -> Result<Removed, VaultError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                let (trash, name): (PathBuf, String) = (trash.join(day), name.to_owned());
                blocking(move || folder.remove_tree_to(&path, &expected, &trash, &name, &tag)).await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => {
                objects.remove_tree_to(path, expected, trash, &format!("{day}/{name}")).await
            }
            _ => Err(VaultError::of(path, mixed())),
        }
    }

    /// Opens a folder that is one thing, to be copied elsewhere; see [`Folder::open_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_tree(&self, path: &str) -> Result<OpenTree, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.open_tree(&path).map(OpenTree::from)).await
            }
            Self::Objects(objects) => objects.open_tree(path).await,
        }
    }

    /// The hash of a folder's tree and the bytes of its files; see [`Folder::hash_tree`].
    ///
    /// # Errors
    /// As there.
    pub async fn hash_tree(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.hash_tree(&path)).await
            }
            Self::Objects(objects) => objects.hash_tree(path).await,
        }
    }

    /// The whole content of a file of at most `bytes_max`.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; `Io` when it is larger.
    pub async fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.read(&path, bytes_max)).await
            }
            Self::Objects(objects) => {
                let (file, _) = objects.fetch(path).await?;
                folder::read_most(file, bytes_max).map_err(|error| VaultError::of(path, error))
            }
        }
    }

    /// Opens a regular file for reading, to be streamed.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Escapes`] for a link that leads out.
    pub async fn open(&self, path: &str) -> Result<File, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.open_file(&path)).await
            }
            Self::Objects(objects) => objects.fetch(path).await.map(|(file, _)| file),
        }
    }

    /// The blake3 hash and size of a file, streamed.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub async fn hash(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.hash(&path)).await
            }
            Self::Objects(objects) => objects.hash(path).await,
        }
    }

    /// Size and time of a file; `None` when nothing is there.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub async fn stat(&self, path: &str) -> Result<Option<Stat>, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.stat(&path)).await
            }
            Self::Objects(objects) => objects.stat(path).await,
        }
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
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder.list()).await
            }
            Self::Objects(objects) => objects.list().await,
        }
    }

    /// The folders by the bytes of all their files; see [`Folder::weights`].
    ///
    /// # Errors
    /// As there.
    pub async fn weights(&self) -> Result<Weights, VaultError> {
        match self {
            Self::Folder(folder) => {
                let folder = folder.clone();
                blocking(move || folder.weights()).await
            }
            Self::Objects(objects) => objects.weights().await,
        }
    }

    /// The name in `folder` that has the same collision key as `name`, if any; see [`Folder::taken`].
    ///
    /// # Errors
    /// As there.
    pub async fn taken(&self, folder: &str, name: &str, key: fn(&str) -> String) -> Result<Option<String>, VaultError> {
        match self {
            Self::Folder(vault) => {
                let (vault, folder, name) = (vault.clone(), folder.to_owned(), name.to_owned());
                blocking(move || vault.taken(&folder, &name, key)).await
            }
            Self::Objects(objects) => objects.taken(folder, name, key).await,
        }
    }

    /// Removes a folder if nothing is in it; `false` when something is, or it is gone already, as in a bucket it always is.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub async fn remove_dir_if_empty(&self, path: &str) -> Result<bool, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.remove_dir_if_empty(&path)).await
            }
            Self::Objects(_) => Ok(false),
        }
    }

    /// Clears what a killed writer of this item left beside `path`; see [`Folder::discard_temporaries`].
    ///
    /// # Errors
    /// As there.
    pub async fn discard_temporaries(&self, path: &str, tag: &str, ours: Vec<Hash>) -> Result<Discarded, VaultError> {
        match self {
            Self::Folder(folder) => {
                let (folder, path, tag) = (folder.clone(), path.to_owned(), tag.to_owned());
                blocking(move || folder.discard_temporaries(&path, &tag, &ours)).await
            }
            // What appears in a bucket is whole.
            Self::Objects(_) => Ok(Discarded::default()),
        }
    }

    /// The folder that a watch can look at; nothing in a bucket.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder.path()),
            Self::Objects(_) => None,
        }
    }
}

/// Where it is, for people.
impl std::fmt::Display for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.path().display()),
            Self::Objects(objects) => f.write_str(&objects.bucket().url()),
        }
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
