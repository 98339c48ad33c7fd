//! An inbox in a bucket: a prefix into which files are put by whatever speaks S3.
//!
//! An object appears whole, but the files of a dropped folder come one by one: they have settled when the last of them lies
//! still for a while, by the clock of the bucket or by emm's own looks.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::SystemTime;

use blake3::Hash;
use parking_lot::Mutex;

use super::list::look_at;
use super::settle::Settle;
use super::trash::{NAMES_MAX, TrashPlace, Trashed, check_date, trash_name};
use super::{Entry, Hashed, InboxError, Kind, Listing, Settings, reference};
use crate::backends::disk;
use crate::backends::objects::{Branch, Bucket, Object};
use crate::backends::trash::forget;
use crate::backends::vault::{Created, FolderSettings, Objects as Files, OpenTree, Removed, VaultError};
use crate::domain::inbox::Ignores;

/// The inbox below a prefix of a bucket.
#[derive(Debug)]
pub struct Objects {
    /// Its files, put and taken with the care of a vault.
    pub(super) files: Files,
    pub(super) settings: Settings,
    ignores: Ignores,
    settle: Mutex<Settle>,
}

impl Objects {
    /// An inbox below the prefix of this bucket; `spool` is a folder of this machine for files that are being read.
    #[must_use]
    pub fn new(bucket: Bucket, spool: &Path, settings: Settings) -> Self {
        let folder = FolderSettings { listed_files_max: settings.entries_max, ..FolderSettings::default() };
        let ignores = Ignores::new(&settings.ignore);
        Self { files: Files::new(bucket, spool, folder), settings, ignores, settle: Mutex::default() }
    }

    pub(super) async fn list(&self, now: SystemTime) -> Result<Listing, InboxError> {
        // A sweep leaves the rest for the next; this only bounds the memory.
        let listed = self.files.bucket().list("", self.settings.entries_max.saturating_mul(4)).await;
        let mut listed = listed.map_err(|error| vanished(self.files.bucket(), error))?;
        let mut markers = Vec::new();
        for (key, object) in listed.iter().filter(|(_, object)| object.size_bytes == 0) {
            // What a console makes of an empty folder is listed like an empty file, and is none.
            if self.head(key).await?.is_none() {
                markers.push((key.clone(), object.clone()));
            }
        }
        listed.retain(|one| !markers.contains(one));
        let looked = look_at(&Branch::of(listed), now, &self.settings, &self.ignores, &self.settle);
        looked.map_err(|error| InboxError::of("", error))
    }

    async fn head(&self, key: &str) -> Result<Option<Object>, InboxError> {
        self.files.bucket().head(key).await.map_err(|error| vanished(self.files.bucket(), error))
    }

    pub(super) async fn open(&self, path: &str) -> Result<File, InboxError> {
        Ok(self.files.fetch(&key(path)?).await.map_err(|error| of(path, error))?.0)
    }

    pub(super) async fn open_folder(&self, path: &str) -> Result<OpenTree, InboxError> {
        self.files.open_tree(&key(path)?).await.map_err(|error| of(path, error))
    }

    pub(super) async fn hash_now(&self, path: &str, folder: bool) -> Result<Hashed, InboxError> {
        let key = key(path)?;
        let hashed = match folder {
            true => self.files.hash_tree(&key).await,
            false => self.files.hash(&key).await,
        };
        hashed.map(|(hash, size_bytes)| Hashed { hash, size_bytes }).map_err(|error| of(path, error))
    }

    pub(super) async fn hash(&self, entry: &Entry) -> Result<Hashed, InboxError> {
        let changed = || InboxError::Changed { path: entry.path.clone(), now: entry.path.clone() };
        if let Kind::Folder { .. } = entry.kind {
            return self.hash_now(&entry.path, true).await;
        }
        let hashed = self.files.bucket().hash(&key(&entry.path)?).await;
        let (hash, object) = hashed.map_err(|error| of(&entry.path, crate::backends::vault::of(&entry.path, error)))?;
        if object.size_bytes != entry.size_bytes || object.modified_ns != entry.modified_ns {
            return Err(changed());
        }
        Ok(Hashed { hash, size_bytes: object.size_bytes })
    }

    pub(super) async fn exists(&self, path: &str) -> Result<bool, InboxError> {
        Ok(self.files.stat(&key(path)?).await.map_err(|error| of(path, error))?.is_some())
    }

    /// Copies a thing into the trash of the day, and takes it away while it is what was seen. It lies there as
    /// `{date}/{emm_id}-{name}`.
    pub(super) async fn take_to_trash(
        &self,
        path: &str,
        expected: &Hash,
        trash: &Bucket,
        date: &str,
        emm_id: &str,
    ) -> Result<Trashed, InboxError> {
        let fail = |error| InboxError::of(path, error);
        check_date(date).map_err(fail)?;
        let key = key(path)?;
        let is_folder = match self.files.stat(&key).await.map_err(|error| of(path, error))? {
            None => return Err(InboxError::NotFound { path: path.to_owned() }),
            Some(stat) => stat.is_folder,
        };
        let name = key.rsplit('/').next().unwrap_or(&key);
        for number in 1..NAMES_MAX {
            let name = trash_name(emm_id, name.as_ref(), number).map_err(fail)?.to_string_lossy().into_owned();
            let place = format!("{date}/{emm_id}/{name}");
            let taken = match is_folder {
                true => self.files.remove_tree_to(&key, *expected, trash, &place).await,
                false => self.files.remove_to(&key, *expected, trash, &place).await,
            };
            match taken {
                Ok(Removed::Moved) => return Ok(Trashed { place: TrashPlace::Store, path: place }),
                Ok(Removed::Changed { .. }) => {
                    return Err(InboxError::Changed { path: path.to_owned(), now: path.to_owned() });
                }
                Err(VaultError::Exists { .. }) => {}
                Err(error) => return Err(of(path, error)),
            }
        }
        Err(fail(std::io::Error::other("the trash holds too many things of this item and day")))
    }

    pub(super) async fn find_in_trash(
        &self,
        trash: &Bucket,
        date: &str,
        emm_id: &str,
    ) -> Result<Vec<Trashed>, InboxError> {
        let folder = format!("{date}/{emm_id}");
        // By the objects, for some servers go on listing a folder that became empty.
        let listed = trash.list(&folder, usize::MAX).await.map_err(|error| vanished(trash, error))?;
        let first = |(key, _): (String, Object)| key.split('/').next().map(str::to_owned);
        let names: BTreeSet<String> = listed.into_iter().filter_map(first).collect();
        let trashed = |name| Trashed { place: TrashPlace::Store, path: format!("{folder}/{name}") };
        Ok(names.into_iter().map(trashed).collect())
    }

    pub(super) async fn restore(&self, trashed: &Trashed, trash: &Bucket, path: &str) -> Result<String, InboxError> {
        let gone = |error| of(&trashed.path, error);
        let kept = self.in_trash(trash);
        let is_folder = match kept.stat(&trashed.path).await.map_err(gone)? {
            None => return Err(InboxError::NotFound { path: trashed.path.clone() }),
            Some(stat) => stat.is_folder,
        };
        let hashed = match is_folder {
            true => kept.hash_tree(&trashed.path).await.map_err(gone)?,
            false => kept.hash(&trashed.path).await.map_err(gone)?,
        };
        let key = key(path)?;
        let (folder, own) =
            key.rsplit_once('/').map_or((String::new(), key.as_str()), |(folder, own)| (format!("{folder}/"), own));
        for number in 0..NAMES_MAX {
            let free = disk::free_name(own.as_ref(), number).to_string_lossy().into_owned();
            let key = format!("{folder}{free}");
            let created = match is_folder {
                true => {
                    self.files.create_tree(&key, &kept.open_tree(&trashed.path).await.map_err(gone)?, hashed.0).await
                }
                false => {
                    let (file, _) = kept.fetch(&trashed.path).await.map_err(gone)?;
                    self.files.create_from_file(&key, file, hashed.0).await
                }
            };
            match created.map_err(|error| of(path, error))? {
                Created::New { .. } | Created::Exists { same: true } => {
                    forget(trash, &trashed.path).await.map_err(|error| vanished(trash, error))?;
                    return Ok(key
                        .split('/')
                        .map(|name| reference::encode(name.as_ref()))
                        .collect::<Vec<_>>()
                        .join("/"));
                }
                Created::Exists { same: false } => {}
            }
        }
        Err(InboxError::of(path, std::io::ErrorKind::AlreadyExists.into()))
    }

    /// The files of a trash, to be read.
    pub(super) fn in_trash(&self, trash: &Bucket) -> Files {
        self.files.beside(trash.clone())
    }
}

/// Removes the days of a trash that are over; names that are no dates are left alone.
pub(super) async fn expire(trash: &Bucket, today: &str, days: u32) -> Result<Vec<String>, InboxError> {
    let fail = |error| vanished(trash, error);
    let today = check_date(today).map_err(|error| InboxError::of(today, error))?;
    let mut expired = Vec::new();
    for day in trash.level("").await.map_err(fail)?.folders {
        let over = check_date(&day).is_ok_and(|then| today - then > i64::from(days));
        if over && trash.is_folder(&day).await.map_err(fail)? {
            forget(trash, &day).await.map_err(fail)?;
            expired.push(day);
        }
    }
    Ok(expired)
}

/// The key of a reference: names of a bucket are UTF-8.
fn key(path: &str) -> Result<String, InboxError> {
    let escapes = || InboxError::Escapes { path: path.to_owned() };
    let parts = reference::parts(path).ok_or_else(escapes)?;
    let parts: Option<Vec<String>> = parts.into_iter().map(|part| part.into_string().ok()).collect();
    Ok(parts.ok_or_else(escapes)?.join("/"))
}

fn of(path: &str, error: VaultError) -> InboxError {
    let path = path.to_owned();
    match error {
        VaultError::NotFound { .. } => InboxError::NotFound { path },
        VaultError::Changed { .. } => InboxError::Changed { now: path.clone(), path },
        VaultError::Escapes { .. } => InboxError::Escapes { path },
        VaultError::Full { .. } => InboxError::Full { path },
        VaultError::Io { source, .. } => InboxError::Io { path, source },
        error => InboxError::Io { path, source: std::io::Error::other(error) },
    }
}

/// A bucket that does not answer says nothing of what lies in it.
fn vanished(bucket: &Bucket, error: crate::backends::objects::ObjectsError) -> InboxError {
    InboxError::Io { path: bucket.to_string(), source: std::io::Error::other(error) }
}
