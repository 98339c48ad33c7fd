//! Copies, syncs and removes whole folders without following a link.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::sync::sync_now;
use super::tree::{too_deep, too_many};
use super::{TREE_DEPTH_MAX, names, temporary_names};

/// Rights that a copy keeps: those of owner, group and others, without set-user-id and its like.
const KEPT_RIGHTS: u32 = 0o777;

/// Makes a new empty folder under a temporary name of this tag; gives the name too.
///
/// # Errors
/// When the tag cannot stand in a name, all its names are taken, or the folder cannot be made.
pub fn make_temporary_folder(folder: impl AsFd, tag: &str) -> io::Result<(OsString, OwnedFd)> {
    for name in temporary_names(tag)? {
        // Nobody else looks into it while it grows; the copy gets the rights of its source in the end.
        match rustix::fs::mkdirat(&folder, &name, Mode::from_raw_mode(0o700)) {
            Ok(()) => return super::open_folder(&folder, &name).map(|made| (name, made)),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::other(format!("too many temporary folders of item {tag} lie in one folder: run `emm verify`")))
}

/// Copies what `source` holds into the empty folder `target`, each file and folder on disk when this returns, `target`'s
/// own name excepted. Links stay links, empty folders are kept, files and folders keep their rights and times.
///
/// # Errors
/// When something cannot be read or written, is a pipe, socket or device, or there are more than `entries_max` entries or
/// [`TREE_DEPTH_MAX`] folders inside each other; `InvalidData` when it changes meanwhile. What was copied until then stays in `target`.
pub fn copy_tree(source: impl AsFd, target: impl AsFd, entries_max: usize) -> io::Result<()> {
    Copying { left: entries_max }.folder(source.as_fd(), target.as_fd(), 0)
}

struct Copying {
    left: usize,
}

impl Copying {
    fn folder(&mut self, source: BorrowedFd<'_>, target: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        if depth > TREE_DEPTH_MAX {
            return Err(too_deep());
        }
        for name in names(source)? {
            self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
            self.entry(source, target, &name, depth).map_err(|error| match error.kind() {
                // The target was empty: this file system takes two names of the source for one.
                io::ErrorKind::AlreadyExists => {
                    io::Error::other(format!("{} would be one file with another name here", name.to_string_lossy()))
                }
                // It was there when the folder was read.
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => io::ErrorKind::InvalidData.into(),
                _ => error,
            })?;
        }
        keep(target, &rustix::fs::fstat(source)?, 0o700)?;
        sync_now(target)
    }

    fn entry(&mut self, source: BorrowedFd<'_>, target: BorrowedFd<'_>, name: &OsStr, depth: usize) -> io::Result<()> {
        match super::file_type(&super::stat(source, name)?) {
            FileType::Directory => {
                let inner = super::open_folder(source, name)?;
                rustix::fs::mkdirat(target, name, Mode::from_raw_mode(0o700))?;
                self.folder(inner.as_fd(), super::open_folder(target, name)?.as_fd(), depth + 1)
            }
            FileType::RegularFile => {
                let file = super::open_file(source, name)?;
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                let copy = File::from(rustix::fs::openat(target, name, flags, Mode::from_raw_mode(0o600))?);
                super::copy(&file, &copy)?;
                keep(&copy, &rustix::fs::fstat(&file)?, 0)?;
                crate::fault!("tree: a file is copied, not yet synced");
                copy.sync_all()
            }
            FileType::Symlink => {
                let to = rustix::fs::readlinkat(source, name, Vec::new())?;
                Ok(rustix::fs::symlinkat(to, target, name)?)
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "holds a pipe, socket or device")),
        }
    }
}

/// Gives a copy the rights of its source, those in `besides` as well, and its time of change.
fn keep(copy: impl AsFd, source: &Stat, besides: u32) -> io::Result<()> {
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
    let rights = (source.st_mode as u32 & KEPT_RIGHTS) | besides;
    match rustix::fs::fchmod(&copy, Mode::from_raw_mode(rights as _)) {
        // No rights on this file system (exFAT, some shares): the hash tells if that loses something.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::INVAL) => {}
        other => other?,
    }
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
    let time = Timespec { tv_sec: source.st_mtime as _, tv_nsec: source.st_mtime_nsec as _ };
    // A file system without times (or with fewer years) is no reason not to keep the content.
    let _ = rustix::fs::futimens(&copy, &Timestamps { last_access: time, last_modification: time });
    Ok(())
}

/// Makes a folder that somebody else wrote durable: every file and folder in it, its own name excepted.
///
/// # Errors
/// As [`super::tree`].
pub fn sync_tree(folder: impl AsFd) -> io::Result<()> {
    let folder = folder.as_fd();
    for name in names(folder)? {
        match super::file_type(&super::stat(folder, &name)?) {
            FileType::Directory => sync_tree(super::open_folder(folder, &name)?)?,
            FileType::RegularFile => super::open_file(folder, &name)?.sync_all()?,
            _ => {}
        }
    }
    sync_now(folder)
}

/// Removes the folder `name` and all that is in it; links are removed, not followed. Only for what emm made itself under a
/// temporary name, or has whole and durable elsewhere.
///
/// # Errors
/// When something cannot be removed; the rest stays.
pub fn remove_tree(folder: impl AsFd, name: &OsStr) -> io::Result<()> {
    let inner = super::open_folder(&folder, name)?;
    for name in names(&inner)? {
        match super::file_type(&super::stat(&inner, &name)?) {
            FileType::Directory => remove_tree(&inner, &name)?,
            _ => rustix::fs::unlinkat(&inner, &name, AtFlags::empty())?,
        }
        crate::fault!("tree: being removed");
    }
    Ok(rustix::fs::unlinkat(&folder, name, AtFlags::REMOVEDIR)?)
}
