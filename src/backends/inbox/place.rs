//! The inbox, be it a folder or a prefix of a bucket.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use blake3::Hash;

use super::{Entry, Expired, Folder, Hashed, InboxError, Listing, Objects, TRASH_FOLDER, Trashed, Watch, WatchMode};
use crate::backends::blocking::blocking;
use crate::backends::disk;
use crate::backends::trash::{Trash, mixed};
use crate::backends::vault::{FolderSettings, OpenTree, Vault};

/// Where documents come in; cheap to clone. Work that blocks runs off the runtime.
#[derive(Debug, Clone)]
pub enum Inbox {
    /// A folder of this machine, or one mounted on it.
    Folder(Arc<Folder>),
    /// A prefix of a bucket.
    Objects(Arc<Objects>),
}

impl Inbox {
    /// What lies in it; see [`Folder::list`].
    ///
    /// # Errors
    /// As there.
    pub async fn list(&self, now: SystemTime) -> Result<Listing, InboxError> {
        match self {
            Self::Folder(folder) => off(folder, move |folder| folder.list(now)).await,
            Self::Objects(objects) => objects.list(now).await,
        }
    }

    /// Opens a file for reading; see [`Folder::open`].
    ///
    /// # Errors
    /// As there.
    pub async fn open(&self, path: &str) -> Result<File, InboxError> {
        match self {
            Self::Folder(folder) => {
                let path = path.to_owned();
                off(folder, move |folder| folder.open(&path)).await
            }
            Self::Objects(objects) => objects.open(path).await,
        }
    }

    /// Opens a folder that is one thing; see [`Folder::open_folder`].
    ///
    /// # Errors
    /// As there.
    pub async fn open_folder(&self, path: &str) -> Result<OpenTree, InboxError> {
        match self {
            Self::Folder(folder) => {
                let path = path.to_owned();
                off(folder, move |folder| folder.open_folder(&path).map(OpenTree::from)).await
            }
            Self::Objects(objects) => objects.open_folder(path).await,
        }
    }

    /// The hash of a thing as it is now; see [`Folder::hash_now`].
    ///
    /// # Errors
    /// As there.
    pub async fn hash_now(&self, path: &str, is_folder: bool) -> Result<Hashed, InboxError> {
        match self {
            Self::Folder(folder) => {
                let path = path.to_owned();
                off(folder, move |folder| folder.hash_now(&path, is_folder)).await
            }
            Self::Objects(objects) => objects.hash_now(path, is_folder).await,
        }
    }

    /// The paths of all files in a folder that is one thing, in order.
    ///
    /// # Errors
    /// As [`Inbox::open_folder`].
    pub async fn paths(&self, path: &str) -> Result<Vec<std::ffi::OsString>, InboxError> {
        let tree = self.open_folder(path).await?;
        let (path, most) = (path.to_owned(), self.entries_max());
        let listed = blocking(move || disk::paths(&tree, most).map_err(|error| InboxError::of(&path, error))).await;
        listed.unwrap_or_else(panicked)
    }

    /// Hashes an entry; see [`Folder::hash`].
    ///
    /// # Errors
    /// As there.
    pub async fn hash(&self, entry: &Entry) -> Result<Hashed, InboxError> {
        match self {
            Self::Folder(folder) => {
                let entry = entry.clone();
                off(folder, move |folder| folder.hash(&entry)).await
            }
            Self::Objects(objects) => objects.hash(entry).await,
        }
    }

    /// Whether a file or folder lies there.
    ///
    /// # Errors
    /// When the path is refused, or the inbox is not there.
    pub async fn exists(&self, path: &str) -> Result<bool, InboxError> {
        match self {
            Self::Folder(folder) => {
                let path = path.to_owned();
                off(folder, move |folder| folder.exists(&path)).await
            }
            Self::Objects(objects) => objects.exists(path).await,
        }
    }

    /// Takes a thing into the trash of a day, where it is hashed once more; see [`Folder::take_to_trash`].
    ///
    /// # Errors
    /// As there.
    pub async fn take_to_trash(
        &self,
        path: &str,
        expected: Hash,
        (trash, date): (&Trash, &str),
        emm_id: &str,
    ) -> Result<Trashed, InboxError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (path, trash) = (path.to_owned(), trash.clone());
                let (date, emm_id) = (date.to_owned(), emm_id.to_owned());
                off(folder, move |folder| folder.take_to_trash(&path, &expected, &trash, &date, &emm_id)).await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => {
                objects.take_to_trash(path, &expected, trash, date, emm_id).await
            }
            _ => Err(InboxError::of(path, mixed())),
        }
    }

    /// Removes folders that what lay at `path` left empty, but not those that say where things belong.
    pub async fn remove_empty_above(&self, path: &str) {
        let Self::Folder(folder) = self else { return };
        let path = path.to_owned();
        // What stays is an empty folder.
        let _ = off(folder, move |inbox| {
            let mut folder = path.rsplit_once('/').map(|(folder, _)| folder);
            while let Some(path) = folder {
                if !inbox.remove_empty_folder(path)? {
                    break;
                }
                folder = path.rsplit_once('/').map(|(folder, _)| folder);
            }
            Ok(())
        })
        .await;
    }

    /// What lies in a day's trash of this item.
    ///
    /// # Errors
    /// When the trash cannot be read.
    pub async fn find_in_trash(&self, trash: &Trash, date: &str, emm_id: &str) -> Result<Vec<Trashed>, InboxError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (trash, date, emm_id) = (trash.clone(), date.to_owned(), emm_id.to_owned());
                off(folder, move |folder| folder.find_in_trash(&trash, &date, &emm_id)).await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => objects.find_in_trash(trash, date, emm_id).await,
            _ => Err(InboxError::of(emm_id, mixed())),
        }
    }

    /// Brings a thing back from the trash; see [`Folder::restore`].
    ///
    /// # Errors
    /// As there.
    pub async fn restore(&self, trashed: &Trashed, trash: &Trash, path: &str) -> Result<String, InboxError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (trashed, trash, path) = (trashed.clone(), trash.clone(), path.to_owned());
                off(folder, move |folder| folder.restore(&trashed, &trash, &path)).await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => objects.restore(trashed, trash, path).await,
            _ => Err(InboxError::of(path, mixed())),
        }
    }

    /// A file of the trash, to be read.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    pub async fn open_trashed(&self, trashed: &Trashed, trash: &Trash) -> Result<File, InboxError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (trashed, trash) = (trashed.clone(), trash.clone());
                off(folder, move |folder| {
                    let escapes = || InboxError::Escapes { path: trashed.path.clone() };
                    let path = folder.trashed_path(&trashed, &trash).ok_or_else(escapes)?;
                    File::open(path).map_err(|error| InboxError::of(&trashed.path, error))
                })
                .await
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => {
                let fetched = objects.in_trash(trash).fetch(&trashed.path).await;
                Ok(fetched.map_err(|error| InboxError::of(&trashed.path, std::io::Error::other(error)))?.0)
            }
            _ => Err(InboxError::of(&trashed.path, mixed())),
        }
    }

    /// The hash of a thing in the trash: of a file's bytes or of a folder's tree; nothing where it cannot be read.
    pub async fn hash_trashed(&self, trashed: &Trashed, trash: &Trash) -> Option<Hash> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let path = folder.trashed_path(trashed, trash)?;
                blocking(move || hash_of(&path)).await.ok()?
            }
            (Self::Objects(objects), Trash::Bucket(trash)) => {
                let kept = objects.in_trash(trash);
                let hashed = match kept.stat(&trashed.path).await.ok()??.is_folder {
                    true => kept.hash_tree(&trashed.path).await,
                    false => kept.hash(&trashed.path).await,
                };
                Some(hashed.ok()?.0)
            }
            _ => None,
        }
    }

    /// Whether a trash has days before this date; ISO dates compare as text.
    pub async fn has_days_before(&self, trash: &Trash, date: &str) -> bool {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (trashes, date) = ([trash.clone(), folder.path().join(TRASH_FOLDER)], date.to_owned());
                blocking(move || trashes.iter().any(|trash| names_before(trash, &date))).await.unwrap_or(false)
            }
            (_, Trash::Bucket(trash)) => {
                let Ok(level) = trash.level("").await else { return false };
                for day in level.folders.iter().filter(|day| day.as_str() < date) {
                    if trash.is_folder(day).await.unwrap_or(false) {
                        return true;
                    }
                }
                false
            }
            _ => false,
        }
    }

    /// Clears what is older than the retention; see [`super::expire`].
    ///
    /// # Errors
    /// As there.
    pub async fn expire(&self, trash: &Trash, today: &str, days: u32) -> Result<Expired, InboxError> {
        match (self, trash) {
            (Self::Folder(folder), Trash::Folder(trash)) => {
                let (trash, today) = (trash.clone(), today.to_owned());
                off(folder, move |folder| folder.expire(&trash, &today, days)).await
            }
            // Nobody goes on writing into an object: what came there is what lies there.
            (_, Trash::Bucket(trash)) => {
                Ok(Expired { days: super::objects::expire(trash, today, days).await?, kept: Vec::new() })
            }
            (Self::Objects(_), Trash::Folder(_)) => Err(InboxError::of(today, mixed())),
        }
    }

    /// The inbox as a place to write to, with the care of a vault. Opened at each use: an inbox may come and go, and a
    /// handle from before would be of the one that went.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn writer(&self) -> Result<Vault, crate::backends::vault::VaultError> {
        match self {
            Self::Folder(folder) => Vault::open_folder(folder.path(), FolderSettings::default()).await,
            Self::Objects(objects) => Ok(Vault::Objects(objects.files.clone())),
        }
    }

    /// Starts to watch; see [`Watch`]. A bucket tells nothing: it is looked at.
    #[must_use]
    pub fn watch(&self) -> Watch {
        match self {
            Self::Folder(folder) => folder.watch(),
            Self::Objects(objects) => {
                let period = Duration::from_secs(objects.settings.poll_seconds.max(1));
                Watch::new(None, WatchMode::Poll, Duration::ZERO, period)
            }
        }
    }

    fn entries_max(&self) -> usize {
        match self {
            Self::Folder(folder) => folder.settings.entries_max,
            Self::Objects(objects) => objects.settings.entries_max,
        }
    }
}

/// Where it is, for people.
impl std::fmt::Display for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.path().display()),
            Self::Objects(objects) => f.write_str(&objects.files.bucket().url()),
        }
    }
}

/// Runs work over a folder off the runtime.
async fn off<T: Send + 'static>(
    folder: &Arc<Folder>,
    work: impl FnOnce(&Folder) -> Result<T, InboxError> + Send + 'static,
) -> Result<T, InboxError> {
    let folder = folder.clone();
    blocking(move || work(&folder)).await.unwrap_or_else(panicked)
}

/// Work that panicked is one failed call.
fn panicked<T>(error: tokio::task::JoinError) -> Result<T, InboxError> {
    Err(InboxError::Io { path: String::new(), source: std::io::Error::other(error) })
}

/// The hash of a file's bytes or of a folder's tree.
fn hash_of(path: &PathBuf) -> Option<Hash> {
    Some(match path.is_dir() {
        true => disk::tree(disk::open_root(path).ok()?, usize::MAX).ok()?.hash,
        false => disk::hash(&File::open(path).ok()?).ok()?.0,
    })
}

fn names_before(trash: &Path, date: &str) -> bool {
    let names = std::fs::read_dir(trash).into_iter().flatten().flatten();
    names.filter_map(|entry| entry.file_name().into_string().ok()).any(|name| name.as_str() < date)
}
