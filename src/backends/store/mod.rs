//! The store: what must not be lost beside the vault, as plain objects that are written once and never deleted.
//!
//! Put-if-absent is the only coordination asked of it, for that is what a local folder, NFS, S3 and lakeFS all have.

mod identity;
mod ids;
mod journal;
mod labels;
mod structures;

use std::{path::Path as FsPath, sync::Arc};

use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, local::LocalFileSystem, path::Path};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
    /// The backend failed.
    #[error("store: {0}")]
    Backend(#[from] object_store::Error),
    /// The folder of the store cannot be used.
    #[error("store folder {path}: {error}")]
    Folder {
        /// The folder.
        path: String,
        /// Why.
        error: std::io::Error,
    },
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
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// A store in a local folder, which is made if it is missing. Every object is fsynced with its folder.
    pub fn folder(path: &FsPath) -> Result<Store, StoreError> {
        let at = |error| StoreError::Folder { path: path.display().to_string(), error };
        std::fs::create_dir_all(path).map_err(at)?;
        let objects = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Store { objects: Arc::new(objects) })
    }

    /// Creates an object. Who comes second gets `Exists`.
    pub(crate) async fn create<T: Stored>(&self, path: &str, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| StoreError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        self.create_bytes(path, bytes).await
    }

    pub(crate) async fn create_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        crate::fault!("store: before an object");
        match self.objects.put_opts(&Path::from(path), bytes.into(), options).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(StoreError::Exists(path.to_owned())),
            Err(error) => Err(error.into()),
        }
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
        match self.objects.get(&Path::from(path)).await {
            Ok(object) => Ok(object.bytes().await?.to_vec()),
            Err(object_store::Error::NotFound { .. }) => Err(StoreError::NotFound(path.to_owned())),
            Err(error) => Err(error.into()),
        }
    }

    /// The names under a folder of the store, sorted; names only, without the folder.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let prefix = Path::from(folder);
        let objects: Vec<_> = self.objects.list(Some(&prefix)).try_collect().await?;
        let mut names: Vec<String> = objects
            .iter()
            .filter_map(|object| object.location.prefix_match(&prefix))
            .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/"))
            .collect();
        names.sort();
        Ok(names)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.objects)
    }
}
