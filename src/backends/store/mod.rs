//! The store: what must not be lost beside the vault, as plain objects that are written once and never deleted.
//!
//! Put-if-absent is the only coordination asked of it, for that is what a local folder, NFS, S3 and lakeFS all have.

mod folder;
mod identity;
mod ids;
mod journal;
mod labels;
mod ledger;
mod structures;

use std::{fmt, path::Path as FsPath, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use ids::{Allocated, Ids};
pub use journal::Journal;
pub use labels::{Label, Labels, Lesson};
pub use ledger::{Ledger, Sent, Spent};
pub use structures::Structures;

use self::folder::Folder;
use super::{
    blocking::blocking,
    objects::{self, Bucket, ObjectsError},
};

/// `[store]`: where the store is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which store.
    pub backend: Backend,
    /// The bucket of a store on S3.
    pub s3: objects::Settings,
}

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The folder `paths.store`.
    Folder,
    /// A bucket of S3, or of what speaks like it.
    S3,
}

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
    /// The bucket refused or failed.
    #[error("store: {0}")]
    Bucket(ObjectsError),
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

impl From<ObjectsError> for StoreError {
    fn from(error: ObjectsError) -> Self {
        match error {
            ObjectsError::NotFound(key) => Self::NotFound(key),
            error => Self::Bucket(error),
        }
    }
}

/// The folders that a store has, beside its identity.
const FOLDERS: [&str; 6] = ["journal", "labels", "ids", "structure", "structure-log", "ledger"];
/// Objects that are copied at once.
const COPIES_IN_FLIGHT: usize = 16;

/// The store of one vault; cheap to clone.
#[derive(Clone)]
pub struct Store {
    place: Place,
}

/// Where its objects are.
#[derive(Clone)]
enum Place {
    Folder(Arc<Folder>),
    Bucket(Bucket),
}

impl Store {
    /// The configured store, which must be able to do what is asked of it; `folder` is where a local one lies.
    pub async fn open(settings: &Settings, folder: &FsPath) -> Result<Store, StoreError> {
        match settings.backend {
            Backend::Folder => Store::folder(folder),
            Backend::S3 => {
                let bucket = Bucket::new(&settings.s3)?;
                bucket.probe().await?;
                Ok(Store { place: Place::Bucket(bucket) })
            }
        }
    }

    /// A store in a local folder, which is made if it is missing. Every object is fsynced with its folder.
    pub fn folder(path: &FsPath) -> Result<Store, StoreError> {
        Ok(Store { place: Place::Folder(Arc::new(Folder::open(path)?)) })
    }

    /// Copies all that this store keeps, but trash and quarantine, into an empty one.
    pub async fn copy_to(&self, other: &Store) -> Result<(), StoreError> {
        let mut paths = vec![];
        for folder in FOLDERS {
            paths.extend(self.names(folder).await?.into_iter().map(|name| format!("{folder}/{name}")));
        }
        // An identity says that there is a store: it comes with the rest, or not at all.
        paths.extend(self.identity().await?.map(|_| identity::PATH.to_owned()));
        let copy = |path: String| async move { other.create_bytes(&path, self.get_bytes(&path).await?).await };
        stream::iter(paths).map(copy).buffered(COPIES_IN_FLIGHT).try_collect().await
    }

    /// Creates an object. Who comes second gets `Exists`.
    pub(crate) async fn create<T: Stored>(&self, path: &str, value: &T) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| StoreError::Damaged { path: path.to_owned(), reason: error.to_string() })?;
        self.create_bytes(path, bytes).await
    }

    pub(crate) async fn create_bytes(&self, path: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        crate::fault!("store: before an object");
        match &self.place {
            Place::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.create(&path, &bytes)).await?
            }
            Place::Bucket(bucket) => {
                let created = bucket.create(path, bytes).await?;
                if created { Ok(()) } else { Err(StoreError::Exists(path.to_owned())) }
            }
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
        match &self.place {
            Place::Folder(folder) => {
                let (folder, path) = (folder.clone(), path.to_owned());
                blocking(move || folder.get(&path)).await?
            }
            Place::Bucket(bucket) => Ok(bucket.get(path).await?),
        }
    }

    /// The names under a folder of the store, sorted; names only, without the folder.
    pub(crate) async fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        match &self.place {
            Place::Folder(store) => {
                let (store, below) = (store.clone(), folder.to_owned());
                blocking(move || store.names(&below)).await?
            }
            Place::Bucket(bucket) => Ok(bucket.names(folder).await?),
        }
    }
}

/// Where it is, for people.
impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Folder(folder) => write!(f, "{}", folder.path().display()),
            Place::Bucket(bucket) => write!(f, "{bucket}"),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({self})")
    }
}
