//! Taking something away without losing it: rename, make durable, hash once more, and put back what is not what was expected.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType};

use super::{FileId, FolderSync, Placer, place};

/// Names that are tried when one is taken.
const NAMES_MAX: u32 = 1000;

/// One name in an open folder.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The folder.
    pub folder: BorrowedFd<'a>,
    /// The name in it.
    pub name: &'a OsStr,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It lies at the new place and is what was expected.
    Moved,
    /// It was something else and lies in its old folder again, under this name (another one only if its own was taken).
    PutBack(OsString),
}

/// Moves a file or folder to a free name elsewhere and checks there that its hash is the expected one (a folder's hash is
/// [`super::tree`]'s). Between file systems a file is copied durably, compared, and only then unlinked.
///
/// # Errors
/// `AlreadyExists` when the new name is taken; `CrossesDevices` for a folder between file systems; else what the disk says.
pub fn take(
    from: Place<'_>,
    to: Place<'_>,
    expected: &blake3::Hash,
    tag: &str,
    sync: &FolderSync,
) -> io::Result<Taken> {
    match take_whole(from, to, expected, sync) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => carry(from, to, expected, tag, sync),
        other => other,
    }
}

/// As [`take`], but only by renaming, within one file system.
///
/// # Errors
/// `AlreadyExists` when the new name is taken; `CrossesDevices` between file systems; else what the disk says.
pub fn take_whole(from: Place<'_>, to: Place<'_>, expected: &blake3::Hash, sync: &FolderSync) -> io::Result<Taken> {
    place::rename_no_replace(from.folder, from.name, to.folder, to.name)?;
    crate::fault!("disk: renamed, not yet synced");
    sync.sync(to.folder)?;
    sync.sync(from.folder)?;
    crate::fault!("disk: renamed, not yet hashed");
    if matches!(hash_of(to), Ok(hash) if hash == *expected) {
        return Ok(Taken::Moved);
    }
    let back = put_back(to, from)?;
    sync.sync(from.folder)?;
    sync.sync(to.folder)?;
    Ok(Taken::PutBack(back))
}

/// Renames what lies at `from` to the name of `to`, or to a free one made from it; gives the name.
///
/// # Errors
/// When a thousand such names are taken; else what the disk says.
pub fn put_back(from: Place<'_>, to: Place<'_>) -> io::Result<OsString> {
    for number in 0..NAMES_MAX {
        let name = free_name(to.name, number);
        match place::rename_no_replace(from.folder, from.name, to.folder, &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|()| name),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// As [`take`], between file systems: only for files, for a folder cannot be taken in one step.
fn carry(from: Place<'_>, to: Place<'_>, expected: &blake3::Hash, tag: &str, sync: &FolderSync) -> io::Result<Taken> {
    let stat = super::stat(from.folder, from.name)?;
    if super::file_type(&stat) != FileType::RegularFile {
        return Err(io::Error::new(
            io::ErrorKind::CrossesDevices,
            "a folder cannot be moved to another file system whole",
        ));
    }
    let source = super::open_file(from.folder, from.name)?;
    let before = rustix::fs::fstat(&source)?;
    let changed = || Ok(Taken::PutBack(from.name.to_owned()));
    if FileId::of(&before) != FileId::of(&stat) {
        return changed();
    }
    let different = || io::Error::from(io::ErrorKind::InvalidData);
    let copied = Placer::default().create(to.folder, to.name, tag, |target| {
        let (hash, _) = super::copy(&source, target)?;
        if hash == *expected { Ok(()) } else { Err(different()) }
    });
    match copied {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => return changed(),
        other => other?,
    }
    sync.sync(to.folder)?;
    let after = super::stat(from.folder, from.name)?;
    if FileId::of(&after) != FileId::of(&before) || super::changed_ns(&after) != super::changed_ns(&before) {
        // Somebody wrote while we copied: what is there now is not what lies in the trash, so it stays.
        return changed();
    }
    rustix::fs::unlinkat(from.folder, from.name, AtFlags::empty())?;
    sync.sync(from.folder)?;
    Ok(Taken::Moved)
}

/// The hash of whatever lies there: a file's content, a folder's tree.
fn hash_of(at: Place<'_>) -> io::Result<blake3::Hash> {
    if super::file_type(&super::stat(at.folder, at.name)?) == FileType::Directory {
        return Ok(super::tree(super::open_folder(at.folder, at.name)?.as_fd(), usize::MAX)?.hash);
    }
    Ok(super::hash(&super::open_file(at.folder, at.name)?)?.0)
}

/// The name itself for 0, then `name (restored).ext`, `name (restored 2).ext` ..., never longer than 255 bytes.
#[must_use]
pub fn free_name(name: &OsStr, number: u32) -> OsString {
    match number {
        0 => name.to_owned(),
        1 => numbered(name, " (restored)"),
        _ => numbered(name, &format!(" (restored {number})")),
    }
}

/// Puts `mark` before the extension, cutting the stem where the name would pass 255 bytes.
#[must_use]
pub fn numbered(name: &OsStr, mark: &str) -> OsString {
    let bytes = place::bytes(name);
    let dot = bytes.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0 && bytes.len() - dot <= 16);
    let (stem, extension) = bytes.split_at(dot.unwrap_or(bytes.len()));
    let stem = shortened(stem, 255_usize.saturating_sub(mark.len() + extension.len()));
    super::os(&[stem, mark.as_bytes(), extension].concat()).to_owned()
}

/// At most so many bytes from the beginning, not cutting through a UTF-8 character.
#[must_use]
pub fn shortened(bytes: &[u8], bytes_max: usize) -> &[u8] {
    let mut end = bytes_max.min(bytes.len());
    // 0b10xx_xxxx continues a character.
    while end > 0 && bytes.get(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
        end -= 1;
    }
    bytes.get(..end).unwrap_or_default()
}
