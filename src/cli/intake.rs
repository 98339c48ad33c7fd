//! Files and folders on their way into the inbox: whole and durable under their name, or not there at all.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::io::Errno;

use super::{
    into_bucket::InBucket,
    setup::{Setup, at},
};
use crate::{
    backends::{disk, home::Spot, inbox},
    domain::inbox::Ignores,
    rpc::{Error, Result},
};

/// Names tried before giving up.
pub(super) const NAMES_MAX: u32 = 1000;

/// Something that lies in the inbox now.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    /// Its place, as the inbox names it.
    pub(super) place: String,
    /// What its bytes are, if it is a file.
    pub(super) hash: Option<blake3::Hash>,
}

/// The inbox as commands put things into it.
pub(super) enum Intake<'a> {
    Folder(Folder<'a>),
    Bucket(InBucket),
}

impl<'a> Intake<'a> {
    /// The inbox at this spot.
    pub(super) fn open(setup: &Setup, inbox: &'a Spot) -> Result<Intake<'a>> {
        let ignore = Ignores::new(&setup.config.inbox.ignore);
        match inbox {
            Spot::Folder(inbox) => {
                let home = &setup.home;
                let kept = [Some(inbox.as_path()), home.vault.folder(), Some(&home.path), Some(&home.store)];
                let kept = kept.into_iter().flatten().filter_map(|path| fs::canonicalize(path).ok()).collect();
                Ok(Intake::Folder(Folder { inbox, ignore, kept }))
            }
            Spot::Bucket(_) => InBucket::open(setup, ignore).map(Intake::Bucket),
        }
    }

    /// Copies a file or a folder; with `moves` it leaves its place once the copy is durable and found equal.
    pub(super) async fn take(&self, path: &Path, moves: bool) -> Result<Taken> {
        match self {
            Intake::Folder(folder) => folder.take(path, moves),
            Intake::Bucket(bucket) => bucket.take(path, moves).await,
        }
    }

    /// Bytes that are in no file.
    pub(super) async fn write(&self, name: &str, bytes: &[u8]) -> Result<Taken> {
        match self {
            Intake::Folder(folder) => folder.write(name, bytes),
            Intake::Bucket(bucket) => bucket.write(name, bytes).await,
        }
    }
}

/// An inbox that is a folder.
pub(super) struct Folder<'a> {
    inbox: &'a Path,
    ignore: Ignores,
    /// The folders that emm works in: one that has them in it is not filed, least of all into itself.
    kept: Vec<PathBuf>,
}

impl Folder<'_> {
    fn take(&self, path: &Path, moves: bool) -> Result<Taken> {
        let real = fs::canonicalize(path).map_err(at(path))?;
        let inside = fs::canonicalize(self.inbox).is_ok_and(|inbox| real.starts_with(inbox));
        if inside {
            return self.there_already(&real);
        }
        if let Some(kept) = self.kept.iter().find(|kept| kept.starts_with(&real)) {
            return Err(Error::invalid(format!(
                "{}: emm itself works in {}, which it does not file: name what else is to be filed",
                real.display(),
                kept.display()
            )));
        }
        let name = own_name(&self.ignore, &real)?;
        if moves && let Some(taken) = self.renamed(&real, &name)? {
            return Ok(taken);
        }
        let temporary = self.inbox.join(format!(".emm-{}.emm-tmp", uuid::Uuid::new_v4().simple()));
        let copied = copy(&real, &temporary).and_then(|hash| {
            let place = self.place(self.inbox, temporary.file_name().unwrap_or_default(), &name)?;
            Ok(Taken { place, hash })
        });
        if copied.is_err() {
            let _ = remove(&temporary);
        }
        let taken = copied?;
        if moves {
            self.remove_source(&real, &taken)?;
        }
        Ok(taken)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<Taken> {
        let temporary = self.inbox.join(format!(".emm-{}.emm-tmp", uuid::Uuid::new_v4().simple()));
        let written = fs::write(&temporary, bytes).and_then(|()| File::open(&temporary)?.sync_all());
        written.map_err(at(&temporary))?;
        let place = self.place(self.inbox, temporary.file_name().unwrap_or_default(), OsStr::new(name))?;
        Ok(Taken { place, hash: Some(blake3::hash(bytes)) })
    }

    fn there_already(&self, real: &Path) -> Result<Taken> {
        let inbox = fs::canonicalize(self.inbox).map_err(at(self.inbox))?;
        let inner = real.strip_prefix(&inbox).unwrap_or(real);
        let parts: Vec<String> = inner.iter().map(inbox::encode).collect();
        let hash = real.is_file().then(|| File::open(real).and_then(|file| disk::hash(&file))).transpose();
        Ok(Taken { place: parts.join("/"), hash: hash.map_err(at(real))?.map(|(hash, _)| hash) })
    }

    /// Moves within one file system; nothing where the two are different ones.
    fn renamed(&self, path: &Path, name: &OsStr) -> Result<Option<Taken>> {
        let Some(folder) = path.parent() else { return Ok(None) };
        let hash = if path.is_file() {
            Some(
                File::open(path).and_then(|file| file.sync_all().and_then(|()| disk::hash(&file))).map_err(at(path))?.0,
            )
        } else {
            None
        };
        let own = path.file_name().unwrap_or_default();
        match self.rename(folder, own, name) {
            Ok(place) => Ok(Some(Taken { place, hash })),
            Err(error) if error.raw_os_error() == Some(Errno::XDEV.raw_os_error()) => Ok(None),
            Err(error) => Err(at(path)(error)),
        }
    }

    fn place(&self, folder: &Path, from: &OsStr, name: &OsStr) -> Result<String> {
        self.rename(folder, from, name).map_err(at(self.inbox))
    }

    /// Gives it its name, or the next free one like it; both folders are durable then.
    fn rename(&self, folder: &Path, from: &OsStr, name: &OsStr) -> io::Result<String> {
        let (source, inbox) = (File::open(folder)?, File::open(self.inbox)?);
        for number in 1..=NAMES_MAX {
            let free = if number == 1 { name.to_owned() } else { disk::numbered(name, &format!(" ({number})")) };
            match disk::rename_no_replace(&source, from, &inbox, &free) {
                Ok(()) => {
                    inbox.sync_all()?;
                    source.sync_all()?;
                    return Ok(inbox::encode(&free));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("a thousand names like this are taken in the inbox"))
    }

    /// The source goes only if it still is what was copied.
    fn remove_source(&self, path: &Path, taken: &Taken) -> Result<()> {
        let copied = self.inbox.join(inbox::decode(&taken.place));
        let same = match taken.hash {
            Some(hash) => File::open(path).and_then(|file| disk::hash(&file)).map_err(at(path))?.0 == hash,
            None => {
                let tree = |path: &Path| disk::tree(disk::open_root(path)?, usize::MAX).map(|tree| tree.hash);
                tree(path).map_err(at(path))? == tree(&copied).map_err(at(&copied))?
            }
        };
        if !same {
            let path = path.display();
            return Err(Error::conflict(format!("{path} changed while it was copied: it stays where it is")));
        }
        remove(path).map_err(at(path))
    }
}

/// The name that it has in the inbox: its own, shown, and not one that the inbox leaves alone.
pub(super) fn own_name(ignore: &Ignores, path: &Path) -> Result<OsString> {
    let name = path.file_name().ok_or_else(|| Error::invalid(format!("{} has no name", path.display())))?;
    if ignore.ignored(&inbox::encode(name)) {
        let name = path.display();
        return Err(Error::invalid(format!("{name}: names like this are left alone; give it another name")));
    }
    // A hidden name is one that nobody sees in the inbox.
    let shown: Vec<u8> = name.as_bytes().iter().copied().skip_while(|byte| *byte == b'.').collect();
    Ok(if shown.is_empty() { OsString::from("unnamed") } else { OsString::from_vec(shown) })
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// A durable copy with times and rights; gives the hash of a file. What cannot be copied is named by its own path.
fn copy(from: &Path, to: &Path) -> Result<Option<blake3::Hash>> {
    let metadata = fs::symlink_metadata(from).map_err(at(from))?;
    if !metadata.is_dir() {
        return copy_one(from, to, &metadata).map_err(at(from));
    }
    let inside = || {
        fs::create_dir(to)?;
        fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()
    };
    for name in inside().map_err(at(from))? {
        copy(&from.join(&name), &to.join(&name))?;
    }
    let finished = fs::set_permissions(to, metadata.permissions()).and_then(|()| File::open(to)?.sync_all());
    finished.map(|()| None).map_err(at(from))
}

fn copy_one(from: &Path, to: &Path, metadata: &fs::Metadata) -> io::Result<Option<blake3::Hash>> {
    if metadata.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
        return Ok(None);
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is a pipe, a socket or a device, and no document: take it out"));
    }
    let (source, target) = (File::open(from)?, File::create_new(to)?);
    let (hash, _) = disk::copy(&source, &target)?;
    target.set_modified(metadata.modified()?)?;
    target.set_permissions(metadata.permissions())?;
    target.sync_all()?;
    Ok(Some(hash))
}
