//! What a local file system can promise, shared by vault and inbox: durable, no-replace, hashed, no link followed.
//!
//! Everything here works on an open folder and one name in it, so that a folder swapped for a symlink between two calls
//! leads nowhere.

mod copy;
mod copy_tree;
mod place;
mod sync;
mod take;
mod tree;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use copy::{BUFFER_BYTES, copy, hash};
pub use copy_tree::{copy_tree, make_temporary_folder, remove_tree, sync_tree};
pub use place::{
    Placer, TEMPORARY_SUFFIX, discard_temporaries, is_safe_tag, open_temporary, rename_by_link, rename_no_replace,
    temporary_names,
};
pub use sync::FolderSync;
pub use take::{Place, Taken, free_name, numbered, put_back, shortened, take, take_whole};
pub use tree::{TREE_DEPTH_MAX, Tree, names, paths, tree, tree_of};

/// What a file is by, whatever its name: device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

impl FileId {
    /// The identity in a `stat` answer.
    #[must_use]
    #[allow(clippy::unnecessary_cast, reason = "the width of st_dev differs between systems")]
    pub fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
    }
}

/// The kinds of failure that a caller can act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The name is taken, or a file stands where a folder is needed.
    Exists,
    /// Nothing is there.
    NotFound,
    /// Not allowed: read-only file system or permissions.
    ReadOnly,
    /// No room: disk, quota, inodes or the largest size that a file may have.
    Full,
    /// The name or path is longer than the file system takes.
    NameTooLong,
    /// The path leads out of the folder, or through a link that is not followed.
    Escapes,
    /// Anything else.
    Other,
}

/// Sorts an error of the operating system (or of cap-std) into what a caller can act on.
#[must_use]
pub fn trouble(error: &io::Error) -> Trouble {
    use io::ErrorKind as Kind;
    if let Some(raw) = error.raw_os_error()
        && raw == Errno::LOOP.raw_os_error()
    {
        return Trouble::Escapes;
    }
    match error.kind() {
        Kind::AlreadyExists | Kind::DirectoryNotEmpty | Kind::NotADirectory | Kind::IsADirectory => Trouble::Exists,
        Kind::NotFound => Trouble::NotFound,
        // cap-std refuses an escape with an error of its own, which has no number.
        Kind::PermissionDenied if error.raw_os_error().is_none() => Trouble::Escapes,
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Trouble::ReadOnly,
        Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge => Trouble::Full,
        Kind::InvalidFilename => Trouble::NameTooLong,
        _ => Trouble::Other,
    }
}

/// Opens a folder by a path of the machine's; links in this path are followed, for its owner configured it.
///
/// # Errors
/// When it is missing, no folder, or may not be read.
pub fn open_root(path: &std::path::Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Opens the folder `name` in `folder`, never through a link.
///
/// # Errors
/// When it is missing, a link, no folder, or may not be read.
pub fn open_folder(folder: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(folder, name, flags, Mode::empty())?)
}

/// Opens the regular file `name` in `folder` for reading, never through a link; a pipe or device is refused, not waited for.
///
/// # Errors
/// When it is missing, a link, not a regular file, or may not be read.
pub fn open_file(folder: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    if file_type(&rustix::fs::fstat(&file)?) != FileType::RegularFile {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(File::from(file))
}

/// The `stat` of `name` in `folder`, of a link itself where it is one.
///
/// # Errors
/// When it is missing.
pub fn stat(folder: impl AsFd, name: &OsStr) -> io::Result<Stat> {
    Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// What kind of thing a `stat` speaks of.
#[must_use]
pub fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// Time of the last change of content, in nanoseconds since 1970, cut to what fits.
#[must_use]
#[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
pub fn modified_ns(stat: &Stat) -> i64 {
    nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64)
}

/// Time of the last change of content, name or rights, in nanoseconds since 1970; nobody can set it.
#[must_use]
#[allow(clippy::unnecessary_cast, reason = "the widths differ between systems")]
pub fn changed_ns(stat: &Stat) -> i64 {
    nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64)
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Bytes of a file, never negative.
#[must_use]
pub fn size_bytes(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// A name as the file system has it, from its bytes.
#[must_use]
pub fn os(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}
