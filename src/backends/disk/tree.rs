//! Walks and hashes whole folders without following a link.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{FileType, Mode};

/// Folders inside folders that a walk enters.
pub const TREE_DEPTH_MAX: usize = 64;

/// What a folder amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// Hash over sorted relative paths, kinds (file, executable, link, folder) and contents.
    pub hash: blake3::Hash,
    /// Bytes of all files.
    pub size_bytes: u64,
    /// Files and links.
    pub files: usize,
}

/// The names in a folder, sorted by their bytes, without `.` and `..`.
///
/// # Errors
/// When the folder cannot be read.
pub fn names(folder: impl AsFd) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Hashes a folder: each entry's kind, relative path and content, in order of the paths. Links are hashed as links.
///
/// # Errors
/// When something in it cannot be read, is a pipe, socket or device, or it has more than `entries_max` entries.
pub fn tree(folder: impl AsFd, entries_max: usize) -> io::Result<Tree> {
    let mut walk = Walk { hasher: blake3::Hasher::new(), size_bytes: 0, files: 0, left: entries_max };
    walk.folder(folder.as_fd(), &[], 0)?;
    Ok(Tree { hash: walk.hasher.finalize(), size_bytes: walk.size_bytes, files: walk.files })
}

/// The hash that [`tree`] gives of a folder that has just these plain files, none of them executable, and no empty folder.
#[must_use]
pub fn tree_of(files: &BTreeMap<String, (blake3::Hash, u64)>) -> Tree {
    let mut walk = Walk { hasher: blake3::Hasher::new(), size_bytes: 0, files: 0, left: 0 };
    // In the order of a walk: by the names on the way, not by whole paths.
    let files: BTreeMap<Vec<&str>, _> = files.iter().map(|(path, file)| (path.split('/').collect(), file)).collect();
    let mut above: Vec<&str> = Vec::new();
    for (path, (hash, bytes)) in files {
        let inner = |depth: usize| format!("/{}", path.iter().take(depth).copied().collect::<Vec<_>>().join("/"));
        let shared = path.iter().zip(&above).take_while(|(name, other)| name == other).count();
        for depth in shared + 1..path.len() {
            walk.note(b'd', inner(depth).as_bytes(), &[]);
        }
        walk.note(b'f', inner(path.len()).as_bytes(), hash.as_bytes());
        walk.size_bytes += bytes;
        walk.files += 1;
        above = path.iter().take(path.len() - 1).copied().collect();
    }
    Tree { hash: walk.hasher.finalize(), size_bytes: walk.size_bytes, files: walk.files }
}

/// The paths of all files and links in a folder, relative to it and in order, without hashing them.
///
/// # Errors
/// When a folder in it cannot be read, or it has more than `entries_max` entries.
pub fn paths(folder: impl AsFd, entries_max: usize) -> io::Result<Vec<OsString>> {
    let (mut found, mut left) = (Vec::new(), entries_max);
    paths_below(folder.as_fd(), OsStr::new(""), 0, &mut left, &mut found)?;
    Ok(found)
}

fn paths_below(
    folder: BorrowedFd<'_>,
    path: &OsStr,
    depth: usize,
    left: &mut usize,
    found: &mut Vec<OsString>,
) -> io::Result<()> {
    if depth > TREE_DEPTH_MAX {
        return Err(too_deep());
    }
    for name in names(folder)? {
        *left = left.checked_sub(1).ok_or_else(too_many)?;
        let mut inner = path.to_owned();
        if !inner.is_empty() {
            inner.push("/");
        }
        inner.push(&name);
        match super::file_type(&super::stat(folder, &name)?) {
            FileType::Directory => {
                paths_below(super::open_folder(folder, &name)?.as_fd(), &inner, depth + 1, left, found)?;
            }
            _ => found.push(inner),
        }
    }
    Ok(())
}

pub(super) fn too_deep() -> io::Error {
    io::Error::other(format!("more than {TREE_DEPTH_MAX} folders deep"))
}

pub(super) fn too_many() -> io::Error {
    io::Error::other("too many files in one folder")
}

struct Walk {
    hasher: blake3::Hasher,
    size_bytes: u64,
    files: usize,
    left: usize,
}

impl Walk {
    fn folder(&mut self, folder: BorrowedFd<'_>, path: &[u8], depth: usize) -> io::Result<()> {
        if depth > TREE_DEPTH_MAX {
            return Err(too_deep());
        }
        for name in names(folder)? {
            self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
            let mut inner = path.to_vec();
            inner.push(b'/');
            inner.extend_from_slice(name.as_bytes());
            self.entry(folder, &name, &inner, depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: &[u8], depth: usize) -> io::Result<()> {
        let stat = super::stat(folder, name)?;
        match super::file_type(&stat) {
            FileType::Directory => {
                self.note(b'd', path, &[]);
                self.folder(super::open_folder(folder, name)?.as_fd(), path, depth + 1)
            }
            FileType::RegularFile => {
                let (hash, bytes) = super::hash(&super::open_file(folder, name)?)?;
                let executable = Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR);
                self.note(if executable { b'x' } else { b'f' }, path, hash.as_bytes());
                self.size_bytes += bytes;
                self.files += 1;
                Ok(())
            }
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
                self.note(b'l', path, blake3::hash(target.to_bytes()).as_bytes());
                self.files += 1;
                Ok(())
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "holds a pipe, socket or device")),
        }
    }

    /// One entry of the hash; lengths go first, so that no two trees give the same bytes.
    fn note(&mut self, kind: u8, path: &[u8], content: &[u8]) {
        self.hasher.update(&[kind]);
        self.hasher.update(&(path.len() as u64).to_le_bytes());
        self.hasher.update(path);
        self.hasher.update(content);
    }
}
