//! Files in a bucket as vault: every file an object, every folder the beginning of its key.
//!
//! A bucket renames nothing: what moves is copied, compared, and taken away only while it is what was seen. Whoever is killed
//! in between leaves two copies, never none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use blake3::Hash;
use futures_util::{StreamExt, TryStreamExt, stream};
use parking_lot::Mutex;

use super::folder::{Created, Removed};
use super::paths::{check_folder, split};
use super::tree::OpenTree;
use super::{FolderSettings, VaultError};
use crate::backends::disk;
use crate::backends::objects::{self, Bucket, Object, ObjectsError};

/// Objects that are asked for at once, where many are.
const IN_FLIGHT: usize = 8;

/// A vault in a bucket; cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) bucket: Bucket,
    spool: PathBuf,
    pub(super) settings: FolderSettings,
    names: Mutex<BTreeMap<String, Known>>,
}

/// The names in a folder, by the key under which they would collide.
#[derive(Debug)]
struct Known {
    read_at: Instant,
    key: fn(&str) -> String,
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Objects {
    /// The files below a bucket's prefix. `spool` is a folder of this machine in which files are kept while they are read.
    #[must_use]
    pub fn new(bucket: Bucket, spool: &Path, settings: FolderSettings) -> Objects {
        let inner = Inner { bucket, spool: spool.to_owned(), settings, names: Mutex::default() };
        Objects { inner: Arc::new(inner) }
    }

    /// The files of another bucket, read the same way.
    #[must_use]
    pub(crate) fn beside(&self, bucket: Bucket) -> Objects {
        Objects::new(bucket, &self.inner.spool, self.inner.settings.clone())
    }

    /// The bucket, below the prefix of the files.
    #[must_use]
    pub fn bucket(&self) -> &Bucket {
        &self.inner.bucket
    }

    /// As [`super::Folder::create`].
    ///
    /// # Errors
    /// As there; `Io` when the bucket gave no sure answer.
    pub async fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, VaultError> {
        split(path)?;
        let (hash, size_bytes) = (blake3::hash(bytes), bytes.len() as u64);
        let created = self.inner.bucket.create(path, bytes.to_vec()).await.map_err(|error| of(path, error))?;
        self.created(path, created, hash, size_bytes).await
    }

    /// As [`super::Folder::create_from_file`].
    ///
    /// # Errors
    /// As there; `Io` when the bucket gave no sure answer.
    pub async fn create_from_file(&self, path: &str, source: File, expected: Hash) -> Result<Created, VaultError> {
        Ok(self.send(path, source, expected).await?.0)
    }

    /// As [`Objects::create_from_file`]; gives also the ETag of what it created.
    pub(super) async fn send(
        &self,
        path: &str,
        source: File,
        expected: Hash,
    ) -> Result<(Created, Option<String>), VaultError> {
        split(path)?;
        let size = source.metadata().map_err(|error| VaultError::of(path, error))?.len();
        let sent = self.inner.bucket.create_from(path, &Arc::new(source), expected).await;
        let etag = sent.map_err(|error| of(path, error))?;
        Ok((self.created(path, etag.is_some(), expected, size).await?, etag))
    }

    async fn created(&self, path: &str, created: bool, hash: Hash, size_bytes: u64) -> Result<Created, VaultError> {
        self.remember(path);
        if created {
            return Ok(Created::New { hash, size_bytes });
        }
        let (there, _) = self.hash(path).await?;
        Ok(Created::Exists { same: there == hash })
    }

    /// As [`super::Folder::rename`].
    ///
    /// # Errors
    /// As there.
    pub async fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        let (file, object) = self.fetch(from).await?;
        let hash = disk::hash(&file).map_err(|error| VaultError::of(from, error))?.0;
        match self.create_from_file(to, file, hash).await? {
            // The same bytes: a rename that was killed before it took the old name away.
            Created::New { .. } | Created::Exists { same: true } => {}
            Created::Exists { same: false } => return Err(VaultError::Exists { path: to.to_owned() }),
        }
        crate::fault!("objects: copied, not yet removed");
        match self.inner.bucket.remove(from, &object.etag).await.map_err(|error| of(from, error))? {
            objects::Removed::Gone => Ok(()),
            objects::Removed::Changed => Err(VaultError::Changed { path: from.to_owned() }),
        }
    }

    /// Takes a file out of the vault to a key of the store, if its content is the expected one.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Exists`] when something else has this key.
    pub async fn remove_to(
        &self,
        path: &str,
        expected: Hash,
        trash: &Bucket,
        key: &str,
    ) -> Result<Removed, VaultError> {
        let changed = || Removed::Changed { path: path.to_owned() };
        let (file, object) = self.fetch(path).await?;
        match trash.create_from(key, &Arc::new(file), expected).await {
            Ok(Some(_)) => {}
            // What was killed before it took the old one away.
            Ok(None) if trash.hash(key).await.map_err(|error| of(key, error))?.0 == expected => {}
            Ok(None) => return Err(VaultError::Exists { path: key.to_owned() }),
            Err(ObjectsError::Changed(_)) => return Ok(changed()),
            Err(error) => return Err(of(path, error)),
        }
        crate::fault!("objects: in the trash, not yet removed");
        match self.inner.bucket.remove(path, &object.etag).await.map_err(|error| of(path, error))? {
            objects::Removed::Gone => Ok(Removed::Moved),
            objects::Removed::Changed => Ok(changed()),
        }
    }

    /// As [`super::Folder::create_tree`]; files appear one by one, and what was killed in the middle goes on.
    ///
    /// # Errors
    /// As there; `Io` for what a bucket cannot keep: links, programs, empty folders.
    pub async fn create_tree(&self, path: &str, source: &OpenTree, expected: Hash) -> Result<Created, VaultError> {
        let fail = |error| VaultError::of(path, error);
        split(path)?;
        let files = source.files(self.inner.settings.listed_files_max).map_err(fail)?;
        let plain = disk::tree_of(&files);
        if plain.hash != expected {
            let whole = disk::tree(source, self.inner.settings.listed_files_max).map_err(fail)?;
            if whole.hash != expected {
                return Err(VaultError::Changed { path: path.to_owned() });
            }
            return Err(fail(std::io::Error::other(
                "it has links, programs or empty folders, which a bucket cannot keep: pack it into an archive",
            )));
        }
        if self.head(path).await?.is_some() {
            return Ok(Created::Exists { same: false });
        }
        let there = self.hashes(path).await?;
        if there == files {
            return Ok(Created::Exists { same: true });
        }
        if there.iter().any(|(inner, file)| files.get(inner) != Some(file)) {
            return Ok(Created::Exists { same: false });
        }
        for (inner, (hash, _)) in &files {
            let (file, path) = (source.open(inner).map_err(fail)?, format!("{path}/{inner}"));
            match self.create_from_file(&path, file, *hash).await? {
                Created::New { .. } | Created::Exists { same: true } => {}
                Created::Exists { same: false } => return Ok(Created::Exists { same: false }),
            }
            crate::fault!("objects: a file of a tree");
        }
        Ok(Created::New { hash: expected, size_bytes: plain.size_bytes })
    }

    /// Takes a whole folder out of the vault below a key of the store, file by file; what was killed in the middle goes on.
    ///
    /// # Errors
    /// As [`Objects::remove_to`].
    pub async fn remove_tree_to(
        &self,
        path: &str,
        expected: Hash,
        trash: &Bucket,
        key: &str,
    ) -> Result<Removed, VaultError> {
        let (here, gone) = (self.hashes(path).await?, hashes(trash, key, self.inner.settings.listed_files_max).await);
        let gone = gone.map_err(|error| of(key, error))?;
        if here.is_empty() && gone.is_empty() {
            return Err(VaultError::NotFound { path: path.to_owned() });
        }
        let mut whole = gone;
        whole.extend(here.clone());
        if disk::tree_of(&whole).hash != expected {
            return Ok(Removed::Changed { path: path.to_owned() });
        }
        for (inner, (hash, _)) in here {
            let taken = self.remove_to(&format!("{path}/{inner}"), hash, trash, &format!("{key}/{inner}")).await?;
            if let Removed::Changed { .. } = taken {
                return Ok(taken);
            }
        }
        Ok(Removed::Moved)
    }

    /// A copy of a folder that is one thing, in a folder of this machine.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; what the bucket or the disk says.
    pub async fn open_tree(&self, path: &str) -> Result<OpenTree, VaultError> {
        let fail = |error| VaultError::of(path, error);
        split(path)?;
        let listed = self.inner.bucket.list(path, self.inner.settings.listed_files_max).await;
        let listed = listed.map_err(|error| of(path, error))?;
        if listed.is_empty() {
            return Err(VaultError::NotFound { path: path.to_owned() });
        }
        let tree = OpenTree::spooled(&self.inner.spool).map_err(fail)?;
        for (inner, _) in listed {
            let file = tree.create(&inner).map_err(fail)?;
            let key = format!("{path}/{inner}");
            self.inner.bucket.download(&key, &file).await.map_err(|error| of(&key, error))?;
        }
        Ok(tree)
    }

    /// As [`super::Folder::hash_tree`].
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; [`VaultError::Exists`] when a file is there.
    pub async fn hash_tree(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        split(path)?;
        let files = self.hashes(path).await?;
        if !files.is_empty() {
            let tree = disk::tree_of(&files);
            return Ok((tree.hash, tree.size_bytes));
        }
        let path = path.to_owned();
        match self.head(&path).await? {
            Some(_) => Err(VaultError::Exists { path }),
            None => Err(VaultError::NotFound { path }),
        }
    }

    /// What is known of a file. SeaweedFS speaks of a folder that became empty as of an empty object, but does not list it.
    async fn head(&self, path: &str) -> Result<Option<Object>, VaultError> {
        let fail = |error| of(path, error);
        let found = self.inner.bucket.head(path).await.map_err(fail)?;
        if found.as_ref().is_none_or(|object| object.size_bytes > 0) {
            return Ok(found);
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let level = self.inner.bucket.level(folder).await.map_err(fail)?;
        Ok(found.filter(|_| level.objects.iter().any(|(listed, _)| listed == name)))
    }

    /// The hashes and sizes of all files below a folder.
    async fn hashes(&self, path: &str) -> Result<BTreeMap<String, (Hash, u64)>, VaultError> {
        let found = hashes(&self.inner.bucket, path, self.inner.settings.listed_files_max).await;
        found.map_err(|error| of(path, error))
    }

    /// The content of a file, in an unnamed file of this machine, and what is known of it.
    pub(crate) async fn fetch(&self, path: &str) -> Result<(File, Object), VaultError> {
        split(path)?;
        let file = tempfile::tempfile_in(&self.inner.spool).map_err(|error| VaultError::of(path, error))?;
        let object = self.inner.bucket.download(path, &file).await.map_err(|error| of(path, error))?;
        std::io::Seek::rewind(&mut &file).map_err(|error| VaultError::of(path, error))?;
        Ok((file, object))
    }

    /// The blake3 hash and size of a file, streamed.
    ///
    /// # Errors
    /// [`VaultError::NotFound`]; what the bucket says.
    pub async fn hash(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        split(path)?;
        let hashed = self.inner.bucket.hash(path).await.map_err(|error| of(path, error))?;
        Ok((hashed.0, hashed.1.size_bytes))
    }

    /// Size and time of a file, and whether it is a folder; nothing when nothing is there.
    ///
    /// # Errors
    /// When the path is refused; what the bucket says.
    pub async fn stat(&self, path: &str) -> Result<Option<super::Stat>, VaultError> {
        split(path)?;
        let stat = |object: Object, is_folder| super::Stat {
            size_bytes: object.size_bytes,
            modified_ns: object.modified_ns,
            is_folder,
            id: None,
        };
        if let Some(object) = self.head(path).await? {
            return Ok(Some(stat(object, false)));
        }
        let nothing = Object { size_bytes: 0, modified_ns: 0, etag: String::new() };
        Ok(self.inner.bucket.is_folder(path).await.map_err(|error| of(path, error))?.then(|| stat(nothing, true)))
    }

    /// As [`super::Folder::taken`].
    ///
    /// # Errors
    /// As there.
    pub async fn taken(&self, folder: &str, name: &str, key: fn(&str) -> String) -> Result<Option<String>, VaultError> {
        check_folder(folder)?;
        let age_max = Duration::from_millis(self.inner.settings.remembered_names_ms);
        let find = |known: &Known| {
            let names = known.names.get(&key(name))?;
            names.get(name).or_else(|| names.first()).cloned()
        };
        if let Some(known) = self.inner.names.lock().get(folder)
            && known.read_at.elapsed() < age_max
            && std::ptr::fn_addr_eq(known.key, key)
            // A name that was taken may be free again, by whoever's hand: that is worth a look.
            && find(known).is_none()
        {
            return Ok(None);
        }
        let mut known = Known { read_at: Instant::now(), key, names: BTreeMap::new() };
        let level = self.inner.bucket.level(folder).await.map_err(|error| of(folder, error))?;
        for there in level.objects.into_iter().map(|(name, _)| name) {
            known.names.entry(key(&there)).or_default().insert(there);
        }
        for there in level.folders {
            // SeaweedFS goes on listing a folder that became empty.
            let path = if folder.is_empty() { there.clone() } else { format!("{folder}/{there}") };
            if key(&there) != key(name) || self.inner.bucket.is_folder(&path).await.map_err(|error| of(&path, error))? {
                known.names.entry(key(&there)).or_default().insert(there);
            }
        }
        let found = find(&known);
        let mut names = self.inner.names.lock();
        if names.len() >= self.inner.settings.remembered_folders_max.max(1) && !names.contains_key(folder) {
            names.clear();
        }
        names.insert(folder.to_owned(), known);
        Ok(found)
    }

    fn remember(&self, path: &str) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(known) = self.inner.names.lock().get_mut(folder) {
            known.names.entry((known.key)(name)).or_default().insert(name.to_owned());
        }
    }
}

/// The hashes and sizes of all objects below a folder, by their keys without it.
async fn hashes(bucket: &Bucket, folder: &str, most: usize) -> Result<BTreeMap<String, (Hash, u64)>, ObjectsError> {
    let hash = |(inner, _): (String, Object)| async move {
        let (hash, object) = bucket.hash(&format!("{folder}/{inner}")).await?;
        Ok::<_, ObjectsError>((inner, (hash, object.size_bytes)))
    };
    stream::iter(bucket.list(folder, most).await?).map(hash).buffered(IN_FLIGHT).try_collect().await
}

/// What a bucket said of a path.
pub(crate) fn of(path: &str, error: ObjectsError) -> VaultError {
    let path = path.to_owned();
    match error {
        ObjectsError::NotFound(_) => VaultError::NotFound { path },
        ObjectsError::Changed(_) => VaultError::Changed { path },
        ObjectsError::Key { .. } if path.len() > super::paths::KEY_BYTES_SAFE => VaultError::NameTooLong { path },
        ObjectsError::Key { .. } => VaultError::Escapes { path },
        ObjectsError::File { source, .. } => VaultError::of(&path, source),
        error => VaultError::Io { path, source: std::io::Error::other(error) },
    }
}
