//! A store in a local folder: every object is a file that appears whole and durable, or not at all.
//!
//! `object_store` has a local store too. It writes a second name for each object and syncs folders one caller at a time;
//! filing waits for this several times an item, so the folder goes the way of the vault: an unnamed file where the
//! system has them, and one fsync for all who need the same folder at once.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::StoreError;
use crate::backends::disk::{FolderSync, Placer};

/// The folder; its objects lie in it under their own names.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    placer: Placer,
    sync: FolderSync,
}

impl Folder {
    /// The store in this folder, which is made if it is missing.
    pub(super) fn open(path: &Path) -> Result<Folder, StoreError> {
        let sync = FolderSync::default();
        sync.make(path).map_err(|error| at(path, error))?;
        Ok(Folder { path: path.to_owned(), placer: Placer::default(), sync })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Creates an object, on disk with its name and folders when this returns; `Exists` for who comes second.
    pub(super) fn create(&self, object: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let unfit = || StoreError::Damaged { path: object.to_owned(), reason: "no object may have this name".into() };
        let path = self.place(object).ok_or_else(unfit)?;
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Err(unfit()) };
        let tag = object.replace(['/', '.'], "-");
        let create = || {
            let folder = self.sync.make(above)?;
            let created = self.placer.create(&folder, name, &tag, |file| file.write_all_at(bytes, 0));
            // Also where it is there already: who came first may have been killed before its name was on disk.
            match created {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                created => self.sync.sync(&folder).and(created),
            }
        };
        create().map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => StoreError::Exists(object.to_owned()),
            _ => at(&path, error),
        })
    }

    /// The bytes of an object.
    pub(super) fn get(&self, object: &str) -> Result<Vec<u8>, StoreError> {
        let missing = || StoreError::NotFound(object.to_owned());
        let path = self.place(object).ok_or_else(missing)?;
        fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => missing(),
            _ => at(&path, error),
        })
    }

    /// The names of all objects below a folder of the store, relative to it, sorted.
    pub(super) fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let top = self.path.join(folder);
        let (mut found, mut left) = (Vec::new(), vec![(top, String::new())]);
        while let Some((path, prefix)) = left.pop() {
            let entries = match fs::read_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(|error| at(&path, error))?,
            };
            for entry in entries {
                let entry = entry.map_err(|error| at(&path, error))?;
                // Temporaries and what file managers leave; an object never has such a name.
                let Some(name) = entry.file_name().into_string().ok().filter(|name| is_plain(name)) else { continue };
                match entry.file_type().map_err(|error| at(&path, error))?.is_dir() {
                    true => left.push((entry.path(), format!("{prefix}{name}/"))),
                    false => found.push(format!("{prefix}{name}")),
                }
            }
        }
        found.sort_unstable();
        Ok(found)
    }

    /// Where an object is; nothing for a name that none can have, so that no request leads out of the folder.
    fn place(&self, object: &str) -> Option<PathBuf> {
        object.split('/').all(is_plain).then(|| self.path.join(object))
    }
}

/// Whether a part of a name is one that objects have.
fn is_plain(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain)
}

fn at(path: &Path, error: io::Error) -> StoreError {
    StoreError::Folder { path: path.display().to_string(), error }
}
