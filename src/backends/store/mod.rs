//! The store: what must not be lost beside the vault, as plain objects that are written once and never deleted.
//!
//! Put-if-absent is the only coordination asked of it, for that is what a local folder, NFS, S3 and lakeFS all have.

mod folder;
mod identity;
mod ids;
mod journal;
mod labels;
mod structures;

use std::{path::Path as FsPath, sync::Arc};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::folder::Folder;
use crate::backends::blocking::blocking;

pub use ids::{Allocated, Ids};
pub use journal::Journal;
pub use labels::{Label, Labels, Lesson};
pub use structures::Structures;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Someone else created this object first.
    #[error("{0} exists already in the store")]
    Exists(String),
    /// There is no such object.
    #[error("{0} is not in the store")]
    NotFound(String),
    /// An object was written by a newer emm.
    #[error("{path} has format {found}, this emm knows formats up to {known}: run the newer emm that wrote it")]
    Newer {
        /// The object.
        path: String,
        /// Its format.
        found: u32,
        /// The newest format that is understood.
        known: u32,
    },
    /// An object cannot be understood.
    #[error("{path} in the store is damaged: {reason}")]
    Damaged {
        /// The object.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file or folder of the store cannot be used.
    #[error("store: {path}: {error}")]
    Folder {
        /// The file or folder.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Reading or writing panicked.
    #[error("store: {0}")]
    Panicked(#[from] tokio::task::JoinError),
}

/// A form in which something is stored. Each object says its format first of all: what a newer emm wrote is known as
/// such before anything else in it is read.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// The newest format that this build knows.
    const FORMAT: u32;
}

/// What every object has.
#[derive(Deserialize)]
struct Head {
    format: u32,
}

/// The store of one vault; cheap to clone.
#[derive(Clone)]
pub struct Store {
    folder: Arc<Folder>,
}

impl Store {
    /// A store in a local folder, which is made if it is missing. Every object is fsynced with its folder.
    pub fn folder(path: &FsPath) -> Result<Store, StoreError> {
        Ok(Store { folder: Arc::new(Folder::open(path)?) })
    }

    /// Creates an object. Who comes second gets `Exists`.
    pub(crate) async fn create<T: Stored>(&self, path: &str, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| StoreError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        self.create_bytes(path, bytes).await
    }

    pub(crate) async fn create_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let (folder, path) = (self.folder.clone(), path.to_owned());
        crate::fault!("store: before an object");
        blocking(move || folder.create(&path, &bytes)).await?
    }

    /// An object; `Newer` if a newer emm wrote it, `Damaged` if it is not what is stored there.
    pub(crate) async fn get<T: Stored>(&self, path: &str) -> Result<T, StoreError> {
        let bytes = self.get_bytes(path).await?;
        let damaged =
            |error: serde_json::Error| StoreError::Damaged { path: path.to_owned(), reason: error.to_string() };
        let Head { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format > T::FORMAT {
            return Err(StoreError::Newer { path: path.to_owned(), found: format, known: T::FORMAT });
        }
        serde_json::from_slice(&bytes).map_err(damaged)
    }

    pub(crate) async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, StoreError> {
        let (folder, path) = (self.folder.clone(), path.to_owned());
        blocking(move || folder.get(&path)).await?
    }

    /// The names under a folder of the store, sorted; names only, without the folder.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let (store, below) = (self.folder.clone(), folder.to_owned());
        let mut names = blocking(move || store.names(&below)).await??;
        names.sort();
        Ok(names)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.folder)
    }
}
