//! Reads things of the inbox and takes them to the trash, where they are hashed once more.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use blake3::Hash;
use rustix::fs::FileType;

use super::trash::{NAMES_MAX, TRASH_FOLDER, TrashPlace, Trashed, check_date, trash_name};
use super::{Entry, Folder, InboxError, Kind, reference};
use crate::backends::disk::{self, FileId, Place, Taken};

/// What an entry's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hashed {
    /// blake3 of a file's bytes; of a folder, of its tree (see [`disk::tree`]).
    pub hash: Hash,
    /// Bytes that were hashed.
    pub size_bytes: u64,
}

impl Folder {
    /// Opens a file of the inbox for reading; no link is followed.
    ///
    /// # Errors
    /// [`InboxError::NotFound`] when its owner took it back; `Escapes` for a link; `Vanished`.
    pub fn open(&self, path: &str) -> Result<File, InboxError> {
        let (folder, name) = self.locate(path)?;
        disk::open_file(folder, &name).map_err(|error| InboxError::of(path, error))
    }

    /// Opens a folder of the inbox that is one thing; no link is followed.
    ///
    /// # Errors
    /// [`InboxError::NotFound`] when its owner took it back; `Escapes` for what is no folder; `Vanished`.
    pub fn open_folder(&self, path: &str) -> Result<OwnedFd, InboxError> {
        let (folder, name) = self.locate(path)?;
        disk::open_folder(folder, &name).map_err(|error| match error.kind() {
            io::ErrorKind::NotADirectory => InboxError::Escapes { path: path.to_owned() },
            _ => InboxError::of(path, error),
        })
    }

    /// The hash of a file, or of a folder that is one thing, as it is now.
    ///
    /// # Errors
    /// As [`Folder::open`] and [`Folder::open_folder`]; `Io` when something in it cannot be read.
    pub fn hash_now(&self, path: &str, folder: bool) -> Result<Hashed, InboxError> {
        let hashed = match folder {
            true => disk::tree(self.open_folder(path)?, self.settings.entries_max)
                .map(|tree| Hashed { hash: tree.hash, size_bytes: tree.size_bytes }),
            false => disk::hash(&self.open(path)?).map(|(hash, size_bytes)| Hashed { hash, size_bytes }),
        };
        hashed.map_err(|error| InboxError::of(path, error))
    }

    /// The paths of all files in a folder that is one thing, in order.
    ///
    /// # Errors
    /// As [`Folder::open_folder`]; `Io` when something in it cannot be read.
    pub fn paths(&self, path: &str) -> Result<Vec<OsString>, InboxError> {
        let paths = disk::paths(self.open_folder(path)?, self.settings.entries_max);
        paths.map_err(|error| InboxError::of(path, error))
    }

    /// Hashes an entry through a bounded buffer.
    ///
    /// # Errors
    /// [`InboxError::Changed`] when it is not as listed, or changes meanwhile; else as [`Folder::open`].
    pub fn hash(&self, entry: &Entry) -> Result<Hashed, InboxError> {
        let fail = |error| InboxError::of(&entry.path, error);
        let changed = || InboxError::Changed { path: entry.path.clone(), now: entry.path.clone() };
        if let Kind::Folder { .. } = entry.kind {
            return self.hash_now(&entry.path, true);
        }
        let (folder, name) = self.locate(&entry.path)?;
        let file = disk::open_file(folder, &name).map_err(fail)?;
        let stat = || rustix::fs::fstat(&file).map_err(|error| fail(error.into()));
        let before = stat()?;
        if disk::size_bytes(&before) != entry.size_bytes || disk::modified_ns(&before) != entry.modified_ns {
            return Err(changed());
        }
        let (hash, size_bytes) = disk::hash(&file).map_err(fail)?;
        let after = stat()?;
        if size_bytes != entry.size_bytes || disk::changed_ns(&after) != disk::changed_ns(&before) {
            return Err(changed());
        }
        Ok(Hashed { hash, size_bytes })
    }

    /// Renames a thing into the trash of the day, durably, and hashes it once more there. The trash is `trash` if it lies on
    /// the same file system, else one inside the inbox, for only a rename takes a file whole. The name begins with `emm_id`.
    ///
    /// # Errors
    /// [`InboxError::Changed`] when it is not what was hashed: then it lies in the inbox again; `NotFound`; else what the disk says.
    pub fn take_to_trash(
        &self,
        path: &str,
        expected: &Hash,
        trash: &Path,
        date: &str,
        emm_id: &str,
    ) -> Result<Trashed, InboxError> {
        let fail = |error| InboxError::of(path, error);
        check_date(date).map_err(fail)?;
        let (folder, name) = self.locate(path)?;
        let device = FileId::of(&disk::stat(&folder, &name).map_err(fail)?).device;
        let from = Place { folder: folder.as_fd(), name: &name };
        for place in [TrashPlace::Store, TrashPlace::Inbox] {
            // Where the store's trash is elsewhere, not even its folder of the day is needed.
            let elsewhere = |trash| rustix::fs::fstat(trash).is_ok_and(|stat| FileId::of(&stat).device != device);
            if place == TrashPlace::Store && disk::open_root(trash).is_ok_and(elsewhere) {
                continue;
            }
            let day = self.sync.make(&self.trash_path(place, trash).join(date)).map_err(fail)?;
            let there = FileId::of(&rustix::fs::fstat(&day).map_err(|error| fail(error.into()))?);
            if place == TrashPlace::Store && there.device != device {
                continue;
            }
            return match self.take_to(from, day.as_fd(), expected, emm_id) {
                Ok((Taken::Moved, in_trash)) => {
                    Ok(Trashed { place, path: format!("{date}/{}", reference::encode(&in_trash)) })
                }
                Ok((Taken::PutBack(now), _)) => Err(changed(path, &now)),
                // One device number, two file systems (bind mounts, some container layers).
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices && place == TrashPlace::Store => continue,
                Err(error) => Err(fail(error)),
            };
        }
        Err(fail(io::ErrorKind::CrossesDevices.into()))
    }

    fn take_to(
        &self,
        from: Place<'_>,
        day: std::os::fd::BorrowedFd<'_>,
        expected: &Hash,
        emm_id: &str,
    ) -> io::Result<(Taken, OsString)> {
        for number in 1..NAMES_MAX {
            let name = trash_name(emm_id, from.name, number)?;
            match disk::take_whole(from, Place { folder: day, name: &name }, expected, &self.sync) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|taken| (taken, name)),
            }
        }
        Err(io::Error::other("the trash holds too many things of this item and day"))
    }

    /// Brings a thing back from the trash (undo); a taken name gets ` (restored)`. Gives the reference of where it lies now.
    ///
    /// # Errors
    /// [`InboxError::NotFound`] when the trash does not hold it any more; else what the disk says.
    pub fn restore(&self, trashed: &Trashed, trash: &Path, path: &str) -> Result<String, InboxError> {
        let fail = |error| InboxError::of(path, error);
        let parts = reference::parts(path).ok_or_else(|| InboxError::Escapes { path: path.to_owned() })?;
        let within = reference::parts(&trashed.path).filter(|parts| parts.len() == 2);
        let Some([day, name]) = within.as_deref() else {
            return Err(InboxError::Escapes { path: trashed.path.clone() });
        };
        let gone = |error| InboxError::of(&trashed.path, error);
        let day = disk::open_root(&self.trash_path(trashed.place, trash).join(day)).map_err(gone)?;
        disk::stat(&day, name).map_err(gone)?;
        let Some((own, folders)) = parts.split_last() else {
            return Err(InboxError::Escapes { path: path.to_owned() });
        };
        let restore = || {
            let mut folder = disk::open_root(&self.path)?;
            for inner in folders {
                match rustix::fs::mkdirat(&folder, inner, rustix::fs::Mode::from_raw_mode(0o777)) {
                    Err(error) if error != rustix::io::Errno::EXIST => return Err(error.into()),
                    Err(_) => {}
                    Ok(()) => self.sync.sync(&folder)?,
                }
                folder = disk::open_folder(&folder, inner)?;
            }
            let from = Place { folder: day.as_fd(), name };
            let now = disk::put_back(from, Place { folder: folder.as_fd(), name: own })?;
            self.sync.sync(&folder)?;
            self.sync.sync(&day)?;
            Ok(now)
        };
        restore().map(|now| beside(path, &now)).map_err(fail)
    }

    /// Removes a sub-folder of the inbox that is empty now that its files were filed; `false` when something is in it, it is
    /// gone, or it carries a number and so is a place to drop things into.
    ///
    /// # Errors
    /// When the path is refused or the disk fails.
    pub fn remove_empty_folder(&self, path: &str) -> Result<bool, InboxError> {
        let (folder, name) = self.locate(path)?;
        if crate::domain::inbox::is_hint(&name.to_string_lossy()) {
            return Ok(false);
        }
        match rustix::fs::unlinkat(&folder, &name, rustix::fs::AtFlags::REMOVEDIR) {
            Ok(()) => self.sync.sync(&folder).map(|()| true).map_err(|error| InboxError::of(path, error)),
            Err(error) => match disk::trouble(&error.into()) {
                disk::Trouble::Exists | disk::Trouble::NotFound => Ok(false),
                _ => Err(InboxError::of(path, error.into())),
            },
        }
    }

    /// Whether something still lies there, of the kind that can be filed.
    ///
    /// # Errors
    /// [`InboxError::Vanished`]; what the disk says.
    pub fn exists(&self, path: &str) -> Result<bool, InboxError> {
        let look = self
            .locate(path)
            .and_then(|(folder, name)| disk::stat(folder, &name).map_err(|error| InboxError::of(path, error)));
        match look {
            Ok(stat) => Ok(matches!(disk::file_type(&stat), FileType::RegularFile | FileType::Directory)),
            Err(InboxError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where a thing in the trash lies on this machine; nothing for a path that is no name in a dated folder.
    #[must_use]
    pub fn trashed_path(&self, trashed: &Trashed, store: &Path) -> Option<std::path::PathBuf> {
        let parts = reference::parts(&trashed.path).filter(|parts| parts.len() == 2)?;
        Some(parts.iter().fold(self.trash_path(trashed.place, store), |path, part| path.join(part)))
    }

    /// Where a trash is on this machine.
    fn trash_path(&self, place: TrashPlace, store: &Path) -> std::path::PathBuf {
        match place {
            TrashPlace::Store => store.to_owned(),
            TrashPlace::Inbox => self.path.join(TRASH_FOLDER),
        }
    }

    /// The open folder of a reference and the name in it; no link is followed on the way.
    fn locate(&self, path: &str) -> Result<(OwnedFd, OsString), InboxError> {
        let mut parts = reference::parts(path).ok_or_else(|| InboxError::Escapes { path: path.to_owned() })?;
        let name = parts.pop().ok_or_else(|| InboxError::Escapes { path: path.to_owned() })?;
        let mut folder = self.root()?;
        for part in parts {
            folder = disk::open_folder(&folder, &part).map_err(|error| match error.kind() {
                io::ErrorKind::NotADirectory => InboxError::Escapes { path: path.to_owned() },
                _ => InboxError::of(path, error),
            })?;
        }
        Ok((folder, name))
    }
}

fn changed(path: &str, now: &std::ffi::OsStr) -> InboxError {
    InboxError::Changed { path: path.to_owned(), now: beside(path, now) }
}

/// The reference of another name in the same folder.
fn beside(path: &str, name: &std::ffi::OsStr) -> String {
    let name = reference::encode(name);
    path.rsplit_once('/').map_or_else(|| name.clone(), |(folder, _)| format!("{folder}/{name}"))
}
