//! A folder as vault: what it can do, tried out at start rather than discovered with the first document.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::AtFlags;

use super::VaultError;
use super::folder::Folder;
use crate::backends::disk;

/// How new files get their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoReplace {
    /// A file without a name is linked: no temporary name ever exists.
    Unnamed,
    /// A temporary file is renamed (or linked) to a name that must be free.
    Temporary,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// How put-if-absent works here.
    pub no_replace: NoReplace,
    /// Whether `A` and `a` are one name here.
    pub folds_case: bool,
    /// Bytes free for us.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
    /// Whether the other path given lies on the same device, so that renames reach it; `None` without one.
    pub same_device: Option<bool>,
}

impl Folder {
    /// Writes, refuses to overwrite, and removes a small hidden file in the vault; reports what works.
    ///
    /// # Errors
    /// [`VaultError::ReadOnly`] or `Full` when it cannot be written; `Io` when a taken name is not refused.
    pub fn probe(&self, beside: Option<&Path>) -> Result<Probe, VaultError> {
        self.try_out(beside).map_err(|error| VaultError::of(&self.inner.path.to_string_lossy(), error))
    }

    fn try_out(&self, beside: Option<&Path>) -> io::Result<Probe> {
        let root = self.inner.parents.open("")?;
        let tag = format!("probe-{}", std::process::id());
        let (name, other) =
            (format!(".emm-{tag}{}", disk::TEMPORARY_SUFFIX), format!(".EMM-{tag}{}", disk::TEMPORARY_SUFFIX));
        let name = OsStr::new(&name);
        let remove = || rustix::fs::unlinkat(&root.fd, name, AtFlags::empty());
        // Left by a process of the same number that was killed.
        let _ = remove();
        let create = || self.inner.placer.create(&root.fd, name, &tag, |file| file.write_all_at(b"emm", 0));
        let (first, second) = (create(), create());
        let folds_case = disk::stat(&root.fd, other.as_ref()).is_ok();
        let removed = remove();
        first?;
        removed?;
        if !matches!(&second, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            return Err(io::Error::other("this file system gives a taken name away: choose another for the vault"));
        }
        let space = rustix::fs::fstatvfs(&root.fd)?;
        let same_device = beside.map(|path| std::fs::metadata(path).is_ok_and(|beside| beside.dev() == root.id.device));
        Ok(Probe {
            no_replace: if self.inner.placer.is_unnamed() { NoReplace::Unnamed } else { NoReplace::Temporary },
            folds_case,
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            total_bytes: space.f_blocks.saturating_mul(space.f_frsize),
            same_device,
        })
    }
}
