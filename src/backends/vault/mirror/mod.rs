//! A copy of a vault in a bucket, in a folder that Obsidian can open, kept the same in both directions.
//!
//! What was the same at the end of the last pass is remembered in the home, so that a file that one side lacks is known as
//! removed there or as new here. What a pass takes away goes to a trash: of the folder to its `.trash`, as Obsidian's own
//! does, of the bucket to that of the store.

mod memory;
mod sides;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use blake3::Hash;
use serde::Serialize;

use self::memory::Known;
use self::sides::{Here, Looks, There, is_within};
use super::folder::{Created, Removed};
use super::{FolderSettings, Objects, Vault, VaultError};
use crate::backends::disk;
use crate::backends::trash::Trash;
use crate::domain::custody;
use crate::domain::mirror::{Step, step};

/// The file in the folder that says of which vault it is a copy.
const MARKER: &str = ".emm-vault";
/// Where the folder keeps what was taken away.
const TRASH: &str = ".trash";
/// Names that are tried for what is taken away, and for a conflict.
const NAMES_MAX: u32 = 1000;
/// Removals up to which nobody is asked.
const REMOVALS_UNASKED: usize = 10;

/// Why a folder is not a copy of the vault.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// It is a copy of something else, or was one and is not any more.
    #[error("{0}")]
    Refused(String),
    /// The vault refused or failed.
    #[error("{0}")]
    Vault(#[from] VaultError),
    /// A file of this machine could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// What a pass did; paths in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// Files that went to the bucket.
    pub sent: Vec<String>,
    /// Files that came from it.
    pub fetched: Vec<String>,
    /// Files that were taken away on this side.
    pub removed_here: Vec<String>,
    /// Files that were taken away on the other side.
    pub removed_there: Vec<String>,
    /// Files that both sides had changed: what this side had lies beside the other one's, under this name.
    pub conflicts: Vec<String>,
    /// What could not be done, and why.
    pub problems: Vec<(String, String)>,
}

impl Pass {
    fn list(&mut self, step: Step) -> &mut Vec<String> {
        match step {
            Step::Same | Step::Send => &mut self.sent,
            Step::Fetch => &mut self.fetched,
            Step::RemoveThere => &mut self.removed_there,
            Step::RemoveHere => &mut self.removed_here,
            Step::Conflict => &mut self.conflicts,
        }
    }

    /// Whether nothing was different.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        *self == Pass { problems: self.problems.clone(), ..Pass::default() }
    }
}

/// A folder beside a vault in a bucket.
#[derive(Debug)]
pub struct Mirror {
    objects: Objects,
    vault: Vault,
    trash: Trash,
    folder: PathBuf,
    memory: PathBuf,
}

impl Mirror {
    /// The copy of a vault in `folder`, which is made if it is missing; `trash` is that of the store, and `home` keeps
    /// what is remembered.
    ///
    /// # Errors
    /// `Refused` for a folder that is a copy of something else, or lost what says so.
    pub async fn open(objects: Objects, trash: Trash, folder: &Path, home: &Path) -> Result<Mirror, MirrorError> {
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let folder = std::fs::canonicalize(folder).map_err(at(folder))?;
        let name = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
        let memory = home.join("sync").join(format!("{}.json", name.as_str().get(..16).unwrap_or_default()));
        let vault = Vault::open_folder(&folder, FolderSettings::default()).await?;
        let mirror = Mirror { objects, vault, trash, folder, memory };
        mirror.check()?;
        Ok(mirror)
    }

    /// A folder whose disk is not mounted is empty as well: that must not empty the vault.
    fn check(&self) -> Result<(), MirrorError> {
        let (url, marker) = (self.objects.bucket().url(), self.folder.join(MARKER));
        let (shown, known) = (self.folder.display(), self.remembered()?);
        match std::fs::read_to_string(&marker) {
            Ok(text) if text.trim() == url => Ok(()),
            Ok(text) => Err(MirrorError::Refused(format!(
                "{shown} is a copy of the vault {}, not of {url}: give another folder",
                text.trim()
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && known.files.is_empty() => {
                std::fs::write(&marker, format!("{url}\n")).map_err(at(&marker))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(MirrorError::Refused(format!(
                "{shown} was a copy of {url} and has no {MARKER} any more: is its disk mounted? To begin anew, delete {}",
                self.memory.display()
            ))),
            Err(error) => Err(at(&marker)(error)),
        }
    }

    /// Makes both sides the same. `today` dates what is taken away; with `dry_run` it is only said what would be done.
    /// `may_remove` is asked before more than a few files go, with how many of how many.
    ///
    /// # Errors
    /// `Refused` when it may not; when either side cannot be listed, or what is remembered cannot be written.
    pub async fn pass(
        &self,
        today: &str,
        dry_run: bool,
        may_remove: impl FnOnce(usize, usize) -> bool,
    ) -> Result<Pass, MirrorError> {
        let mut known = self.remembered()?;
        let mut pass = Pass::default();
        let here = self.here(&known, &mut pass).await?;
        let there = self.there(&known).await?;
        let paths: BTreeSet<&String> = known.files.keys().chain(here.keys()).chain(there.keys()).collect();
        // What could not be read is not gone.
        let troubled: BTreeSet<String> = pass.problems.iter().map(|(path, _)| path.clone()).collect();
        let mut steps = Vec::new();
        for path in paths.into_iter().filter(|path| !is_within(path, &troubled)) {
            let hash = |side: Option<&String>| side.cloned();
            let before = hash(known.files.get(path).map(|known| &known.hash));
            let (a, b) = (hash(here.get(path).map(|it| &it.0)), hash(there.get(path).map(|it| &it.0)));
            steps.push((path.clone(), step(before.as_ref(), a.as_ref(), b.as_ref())));
        }
        let removals = steps.iter().filter(|(_, step)| matches!(step, Step::RemoveHere | Step::RemoveThere)).count();
        if removals > REMOVALS_UNASKED
            && removals * 2 > known.files.len()
            && !dry_run
            && !may_remove(removals, known.files.len())
        {
            return Err(MirrorError::Refused(format!(
                "{removals} of {} files would be taken away, which is more than half: --yes does it",
                known.files.len()
            )));
        }
        for (path, step) in steps {
            let sides = (here.get(&path), there.get(&path));
            if dry_run {
                pass.list(step).extend((step != Step::Same).then_some(path));
                continue;
            }
            match self.one(&path, step, sides, today, &mut known.files).await {
                Ok(done) => pass.list(step).extend((step != Step::Same).then_some(done)),
                Err(error) => pass.problems.push((path, error.to_string())),
            }
        }
        if !dry_run {
            self.keep(&known)?;
        }
        Ok(pass)
    }

    /// One step; gives the path that it ended at, and remembers what is the same now.
    async fn one(
        &self,
        path: &str,
        step: Step,
        (here, there): (Option<&Here>, Option<&There>),
        today: &str,
        known: &mut BTreeMap<String, Known>,
    ) -> Result<String, VaultError> {
        match (step, here, there) {
            (Step::Same, Some(here), Some(there)) => {
                let Looks { size_bytes, modified_ns } = here.1;
                let (hash, etag) = (here.0.clone(), there.1.etag.clone());
                known.insert(path.to_owned(), Known { hash, size_bytes, modified_ns, etag });
            }
            (Step::Send, Some(here), there) => {
                if let Some((hash, _)) = there {
                    self.remove_there(path, hash, today).await?;
                }
                known.insert(path.to_owned(), self.send(path, here).await?);
            }
            (Step::Fetch, here, Some(there)) => {
                if let Some((hash, _)) = here {
                    self.remove_here(path, hash).await?;
                }
                known.insert(path.to_owned(), self.fetch(path, there).await?);
            }
            (Step::Conflict, Some(here), Some(there)) => {
                let beside = self.beside(path, today).await?;
                self.vault.rename(path, &beside).await?;
                known.insert(beside.clone(), self.send(&beside, here).await?);
                known.insert(path.to_owned(), self.fetch(path, there).await?);
                return Ok(beside);
            }
            (Step::RemoveThere, _, Some((hash, _))) => {
                self.remove_there(path, hash, today).await?;
                known.remove(path);
            }
            (Step::RemoveHere, Some((hash, _)), _) => {
                self.remove_here(path, hash).await?;
                known.remove(path);
            }
            // Gone on both sides; the other pairs do not come about.
            _ => drop(known.remove(path)),
        }
        Ok(path.to_owned())
    }

    async fn send(&self, path: &str, (hash, looks): &Here) -> Result<Known, VaultError> {
        let (created, etag) = self.objects.send(path, self.vault.open(path).await?, parsed(hash)).await?;
        placed(path, created)?;
        let Looks { size_bytes, modified_ns } = *looks;
        Ok(Known { hash: hash.clone(), size_bytes, modified_ns, etag: etag.unwrap_or_default() })
    }

    async fn fetch(&self, path: &str, (hash, object): &There) -> Result<Known, VaultError> {
        let (file, _) = self.objects.fetch(path).await?;
        placed(path, self.vault.create_from_file(path, file, parsed(hash), "sync").await?)?;
        // An edit may come before anybody could look: the next pass reads it again.
        Ok(Known { hash: hash.clone(), size_bytes: object.size_bytes, modified_ns: 0, etag: object.etag.clone() })
    }

    async fn remove_there(&self, path: &str, hash: &str, today: &str) -> Result<(), VaultError> {
        let Trash::Bucket(trash) = &self.trash else {
            return Err(VaultError::of(path, crate::backends::trash::mixed()));
        };
        let name = path.rsplit('/').next().unwrap_or(path);
        let key = format!("{today}/sync-{}-{name}", custody::emm_id(hash));
        moved(path, self.objects.remove_to(path, parsed(hash), trash, &key).await?)
    }

    async fn remove_here(&self, path: &str, hash: &str) -> Result<(), VaultError> {
        let name = Path::new(path.rsplit('/').next().unwrap_or(path));
        let trash = Trash::Folder(self.folder.join(TRASH));
        for number in 1..NAMES_MAX {
            let mark = if number == 1 { String::new() } else { format!(" ({number})") };
            let free = disk::numbered(name.as_os_str(), &mark).to_string_lossy().into_owned();
            match self.vault.remove_to(path, parsed(hash), (&trash, "", &free), "sync").await {
                Err(VaultError::Exists { .. }) => {}
                removed => {
                    moved(path, removed?)?;
                    let mut folder = path.rsplit_once('/').map(|(folder, _)| folder);
                    while let Some(path) = folder {
                        if !self.vault.remove_dir_if_empty(path).await? {
                            break;
                        }
                        folder = path.rsplit_once('/').map(|(folder, _)| folder);
                    }
                    return Ok(());
                }
            }
        }
        Err(VaultError::Exists { path: path.to_owned() })
    }

    /// A free name beside a path, on both sides: `note (conflict 2026-03-01).md`.
    async fn beside(&self, path: &str, today: &str) -> Result<String, VaultError> {
        let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
        for number in 1..NAMES_MAX {
            let mark =
                if number == 1 { format!(" (conflict {today})") } else { format!(" (conflict {today} {number})") };
            let free = disk::numbered(name.as_ref(), &mark).to_string_lossy().into_owned();
            let free = if folder.is_empty() { free } else { format!("{folder}/{free}") };
            if !self.vault.exists(&free).await? && self.objects.stat(&free).await?.is_none() {
                return Ok(free);
            }
        }
        Err(VaultError::Exists { path: path.to_owned() })
    }
}

fn parsed(hash: &str) -> Hash {
    // Only what this module made is parsed, and a wrong one matches nothing.
    Hash::from_hex(hash).unwrap_or_else(|_| Hash::from_bytes([0; 32]))
}

fn placed(path: &str, created: Created) -> Result<(), VaultError> {
    match created {
        Created::New { .. } | Created::Exists { same: true } => Ok(()),
        Created::Exists { same: false } => Err(VaultError::Changed { path: path.to_owned() }),
    }
}

fn moved(path: &str, removed: Removed) -> Result<(), VaultError> {
    match removed {
        Removed::Moved => Ok(()),
        Removed::Changed { .. } => Err(VaultError::Changed { path: path.to_owned() }),
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> MirrorError + use<> {
    let path = path.display().to_string();
    move |error| MirrorError::Io { path: path.clone(), error }
}
