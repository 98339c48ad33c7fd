//! New files that appear whole or not at all, and names that are never taken from somebody else.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

/// How the name of a temporary file ends; it begins with a dot and the tag of the item that it belongs to.
pub const TEMPORARY_SUFFIX: &str = ".emm-tmp";

/// Temporaries of one tag that may lie in one folder at a time (several writers of one item, or left by a crash).
const TEMPORARIES_MAX: usize = 32;

/// Errors which say that a file system lacks a call, not that the call failed.
const LACKING: [Errno; 4] = [Errno::OPNOTSUPP, Errno::INVAL, Errno::NOSYS, Errno::ISDIR];

/// Creates files under names that must be free.
#[derive(Debug)]
pub struct Placer {
    /// Whether files without a name (`O_TMPFILE`) are tried; found out by the first attempt.
    unnamed: AtomicBool,
}

impl Default for Placer {
    fn default() -> Self {
        Self { unnamed: AtomicBool::new(cfg!(target_os = "linux")) }
    }
}

impl Placer {
    /// A placer that never uses files without a name, as on NFS or macOS.
    #[must_use]
    pub fn named_only() -> Self {
        Self { unnamed: AtomicBool::new(false) }
    }

    /// Whether the last attempt could do without a temporary name.
    #[must_use]
    pub fn is_unnamed(&self) -> bool {
        self.unnamed.load(Ordering::Relaxed)
    }

    /// Creates `name` in `folder` with what `fill` writes; the content is on disk before the name exists. The caller syncs
    /// the folder. `fill` may be called twice (when the first way turns out to be lacking). On failure nothing is left.
    ///
    /// # Errors
    /// `AlreadyExists` when the name is taken (or, on Linux, when it is a link); else what `fill` or the file system says.
    pub fn create<T>(
        &self,
        folder: impl AsFd,
        name: &OsStr,
        tag: &str,
        fill: impl Fn(&File) -> io::Result<T>,
    ) -> io::Result<T> {
        self.create_named_by(folder, name, tag, fill, |make| make())
    }

    /// As [`Placer::create`]; `naming` is given the step that makes the name appear, and does it.
    ///
    /// # Errors
    /// As there.
    pub fn create_named_by<T>(
        &self,
        folder: impl AsFd,
        name: &OsStr,
        tag: &str,
        fill: impl Fn(&File) -> io::Result<T>,
        naming: impl Fn(&dyn Fn() -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<T> {
        #[cfg(target_os = "linux")]
        if self.is_unnamed() {
            if let Some(made) = create_unnamed(&folder, name, &fill, &naming)? {
                return Ok(made);
            }
            self.unnamed.store(false, Ordering::Relaxed);
        }
        let (temporary, file) = open_temporary(&folder, tag)?;
        crate::fault!("disk: a temporary is open");
        let made = fill(&file)
            .and_then(|made| file.sync_all().map(|()| made))
            .and_then(|made| naming(&|| rename_no_replace(&folder, &temporary, &folder, name)).map(|()| made));
        if made.is_err() {
            // The error at hand says more than a second one would; recovery removes what stays.
            let _ = rustix::fs::unlinkat(&folder, &temporary, AtFlags::empty());
        }
        made
    }
}

/// The way without a temporary name; `None` when file system or machine lacks it.
#[cfg(target_os = "linux")]
fn create_unnamed<T>(
    folder: impl AsFd,
    name: &OsStr,
    fill: impl Fn(&File) -> io::Result<T>,
    naming: impl Fn(&dyn Fn() -> io::Result<()>) -> io::Result<()>,
) -> io::Result<Option<T>> {
    use std::os::fd::AsRawFd;
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&folder, ".", flags, Mode::from_raw_mode(0o666)) {
        Ok(file) => File::from(file),
        Err(error) if LACKING.contains(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    crate::fault!("disk: before the bytes");
    let made = fill(&file)?;
    file.sync_all()?;
    crate::fault!("disk: before the name");
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = || Ok(rustix::fs::linkat(rustix::fs::CWD, &itself, &folder, name, AtFlags::SYMLINK_FOLLOW)?);
    match naming(&link) {
        Ok(()) => {
            crate::fault!("disk: before the folder is synced");
            Ok(Some(made))
        }
        Err(error) => match Errno::from_io_error(&error) {
            // NOENT, XDEV: no /proc, or not the kernel's. If the folder itself is gone, the other way will say so.
            Some(Errno::NOENT | Errno::XDEV | Errno::PERM) => Ok(None),
            Some(lacking) if LACKING.contains(&lacking) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Opens a new temporary file of this tag; gives its name too.
///
/// # Errors
/// When the tag cannot stand in a name, or the file cannot be made.
pub fn open_temporary(folder: impl AsFd, tag: &str) -> io::Result<(OsString, File)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    for name in temporary_names(tag)? {
        match rustix::fs::openat(&folder, &name, flags, Mode::from_raw_mode(0o666)) {
            Ok(file) => return Ok((name, File::from(file))),
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let message = format!("{TEMPORARIES_MAX} temporary files of item {tag} lie in one folder: run `emm verify`");
    Err(io::Error::other(message))
}

/// Whether a tag can stand in a file name: 1 to 120 ASCII letters, digits, `-` or `_`.
#[must_use]
pub fn is_safe_tag(tag: &str) -> bool {
    (1..=120).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The names that temporaries of this tag may have in a folder.
///
/// # Errors
/// `InvalidInput` when the tag cannot stand in a file name.
pub fn temporary_names(tag: &str) -> io::Result<impl Iterator<Item = OsString>> {
    if !is_safe_tag(tag) {
        let message = format!("{tag:?} cannot mark a temporary file: use 1 to 120 ASCII letters, digits, '-' or '_'");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let first = format!(".{tag}{TEMPORARY_SUFFIX}");
    let later = (1..TEMPORARIES_MAX).map(move |number| format!(".{tag}.{number}{TEMPORARY_SUFFIX}"));
    Ok(std::iter::once(first).chain(later.collect::<Vec<_>>()).map(OsString::from))
}

/// Removes the temporaries of this tag from a folder and no others, folders with all that is in them; gives how many there
/// were.
///
/// # Errors
/// When one cannot be removed.
pub fn discard_temporaries(folder: impl AsFd, tag: &str) -> io::Result<usize> {
    let mut count = 0;
    for name in temporary_names(tag)? {
        match rustix::fs::unlinkat(&folder, &name, AtFlags::empty()) {
            Ok(()) => count += 1,
            Err(Errno::NOENT) => {}
            // PERM is what POSIX says of unlinking a folder, ISDIR what Linux says.
            Err(Errno::ISDIR | Errno::PERM) if is_folder(&folder, &name) => {
                super::remove_tree(&folder, &name)?;
                count += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(count)
}

fn is_folder(folder: impl AsFd, name: &OsStr) -> bool {
    super::stat(folder, name).is_ok_and(|stat| super::file_type(&stat) == FileType::Directory)
}

/// Renames a file or folder to a name that must be free. Where the file system has no such rename (NFS), a file goes by hard
/// link and unlink, and a folder onto an empty folder made for it, which the rename replaces in one step.
///
/// # Errors
/// `AlreadyExists` when the name is taken; `CrossesDevices` between file systems.
pub fn rename_no_replace(from: impl AsFd, name: &OsStr, to: impl AsFd, new: &OsStr) -> io::Result<()> {
    match rustix::fs::renameat_with(&from, name, &to, new, RenameFlags::NOREPLACE) {
        Err(error) if LACKING.contains(&error) => rename_by_link(from, name, to, new),
        other => Ok(other?),
    }
}

/// The way of [`rename_no_replace`] where the file system has no such rename.
///
/// # Errors
/// As there.
pub fn rename_by_link(from: impl AsFd, name: &OsStr, to: impl AsFd, new: &OsStr) -> io::Result<()> {
    let source = super::stat(&from, name)?;
    if super::file_type(&source) == FileType::Directory {
        rustix::fs::mkdirat(&to, new, Mode::from_raw_mode(0o777))?;
        return Ok(rustix::fs::renameat(&from, name, &to, new).inspect_err(|_| {
            // Only an empty folder goes this way, so at worst ours stays.
            let _ = rustix::fs::unlinkat(&to, new, AtFlags::REMOVEDIR);
        })?);
    }
    match rustix::fs::linkat(&from, name, &to, new, AtFlags::empty()) {
        Ok(()) => {}
        // NFS may lose the answer and try again: the name being our own file means that the first try succeeded.
        Err(Errno::EXIST)
            if super::stat(&to, new).is_ok_and(|there| super::FileId::of(&there) == super::FileId::of(&source)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(rustix::fs::unlinkat(&from, name, AtFlags::empty())?)
}

/// The bytes of a name, for comparisons.
pub(super) fn bytes(name: &OsStr) -> &[u8] {
    name.as_bytes()
}
