//! A folder as vault: opening, reading, looking.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use blake3::Hash;
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::{AtFlags, FileType, OFlags};

use super::names::Names;
use super::parents::Parents;
use super::paths::{check_folder, split};
use super::{FolderSettings, VaultError};
use crate::backends::disk::{self, FileId, Placer};

/// A folder of this machine, used through cap-std so that neither `..` nor a symlink leads out of it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Folder {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) path: PathBuf,
    pub(super) parents: Parents,
    pub(super) placer: Placer,
    pub(super) names: Names,
    pub(super) settings: FolderSettings,
}

/// What became of a put-if-absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It was written and is durable.
    New {
        /// Hash of the content.
        hash: Hash,
        /// Length of the content.
        size_bytes: u64,
    },
    /// A file was there already and was left alone.
    Exists {
        /// Whether its content is the same; if so, it is durable now.
        same: bool,
    },
}

/// What became of a file that was to be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It lies in the trash and is what was expected.
    Moved,
    /// It was not what was expected and lies in the vault (again), under this name.
    Changed {
        /// Its vault-relative path.
        path: String,
    },
}

/// What is known of a path without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Last change of content, nanoseconds since 1970.
    pub modified_ns: i64,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Device and inode; nothing in a bucket.
    pub id: Option<FileId>,
}

impl Folder {
    /// Opens an existing folder as vault.
    ///
    /// # Errors
    /// [`VaultError::NotFound`] when it is missing; it is not made, for a missing mount must not become an empty vault.
    pub fn open(path: &Path, settings: FolderSettings) -> Result<Self, VaultError> {
        let shown = path.to_string_lossy();
        let root = Dir::open_ambient_dir(path, ambient_authority()).map_err(|error| VaultError::of(&shown, error))?;
        let age_max = Duration::from_millis(settings.remembered_names_ms);
        let inner = Inner {
            path: path.to_owned(),
            parents: Parents::new(root),
            placer: if settings.unnamed_files { Placer::default() } else { Placer::named_only() },
            names: Names::new(settings.remembered_folders_max.max(1), age_max),
            settings,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Where the folder is on this machine.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Opens a regular file for reading. A link is followed if it stays inside; a pipe or device is refused.
    ///
    /// # Errors
    /// [`VaultError::NotFound`], [`VaultError::Escapes`], `Io` for what is no regular file.
    pub fn open_file(&self, path: &str) -> Result<File, VaultError> {
        split(path)?;
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let open = || {
            let file = self.inner.parents.root().open_with(path, &options)?.into_std();
            if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
        };
        open().map_err(|error| VaultError::of(path, error))
    }

    /// The whole content of a file of at most `bytes_max`.
    ///
    /// # Errors
    /// As [`Folder::open_file`]; `Io` when it is larger.
    pub fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, VaultError> {
        read_most(self.open_file(path)?, bytes_max).map_err(|error| VaultError::of(path, error))
    }

    /// The blake3 hash and size of a file, streamed.
    ///
    /// # Errors
    /// As [`Folder::open_file`].
    pub fn hash(&self, path: &str) -> Result<(Hash, u64), VaultError> {
        disk::hash(&self.open_file(path)?).map_err(|error| VaultError::of(path, error))
    }

    /// What is at a path, a link taken as itself; `None` when nothing is there.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub fn stat(&self, path: &str) -> Result<Option<Stat>, VaultError> {
        let (folder, name) = split(path)?;
        let look = || {
            let parent = self.inner.parents.open(folder)?;
            disk::stat(&parent.fd, name.as_ref())
        };
        match look() {
            Ok(stat) => Ok(Some(Stat {
                size_bytes: disk::size_bytes(&stat),
                modified_ns: disk::modified_ns(&stat),
                is_folder: disk::file_type(&stat) == FileType::Directory,
                id: Some(FileId::of(&stat)),
            })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(VaultError::of(path, error)),
        }
    }

    /// The name in `folder` whose collision key equals that of `name` (the same spelling first), if any. A folder that does
    /// not exist yet has none. The key is the domain's rule, say case-folded NFC.
    ///
    /// # Errors
    /// When the path is refused or the folder cannot be read.
    pub fn taken(&self, folder: &str, name: &str, key: fn(&str) -> String) -> Result<Option<String>, VaultError> {
        check_folder(folder)?;
        let look = || self.inner.names.taken(&self.inner.parents.open(folder)?, name, key);
        match look() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.map_err(|error| VaultError::of(folder, error)),
        }
    }

    /// Removes a folder if nothing is in it; `false` when something is, or it is gone, or it is no folder.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub fn remove_dir_if_empty(&self, path: &str) -> Result<bool, VaultError> {
        use io::ErrorKind as Kind;
        let (folder, name) = split(path)?;
        let remove = || {
            let parent = self.inner.parents.open(folder)?;
            let id = FileId::of(&disk::stat(&parent.fd, name.as_ref())?);
            rustix::fs::unlinkat(&parent.fd, name, AtFlags::REMOVEDIR)?;
            self.inner.parents.forget(id);
            self.inner.parents.sync(&parent)
        };
        match remove() {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    Kind::NotFound | Kind::NotADirectory | Kind::DirectoryNotEmpty | Kind::AlreadyExists
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(VaultError::of(path, error)),
        }
    }
}

/// All that a file has, if that is at most `bytes_max`.
pub(super) fn read_most(file: File, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("larger than the {bytes_max} bytes asked for");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok(bytes)
}
