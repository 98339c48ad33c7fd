//! A folder as vault: what a killed writer left, and nothing else, is cleared away.
//!
//! What was half written lies under a name with the tag of its item. A folder that was set aside on its way out has a name
//! of its own kind, `.{tag}-swap.emm-tmp`, and goes only if its content is known to be ours.

use std::io;
use std::os::fd::AsFd;

use blake3::Hash;

use super::VaultError;
use super::folder::Folder;
use super::paths::split;
use crate::backends::disk::{self, Place};

/// What recovery found beside a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discarded {
    /// Temporaries that were removed.
    pub removed: usize,
    /// Folders with an edit of the owner's that had been set aside, by the vault-relative paths where they lie now.
    pub rescued: Vec<String>,
}

impl Folder {
    /// Clears what a killed writer of this tag left beside `path`, and nothing else. Half-written temporaries are removed,
    /// folders too; a folder set aside on its way out is removed if its hash is among `ours` (what the journal says we wrote
    /// or were writing there), else it has the owner's edit and comes back under a free name.
    ///
    /// # Errors
    /// When one cannot be read, removed or renamed.
    pub fn discard_temporaries(&self, path: &str, tag: &str, ours: &[Hash]) -> Result<Discarded, VaultError> {
        let (folder, name) = split(path)?;
        let discard = || {
            let parent = self.inner.parents.open(folder)?;
            let removed = disk::discard_temporaries(&parent.fd, tag)?;
            let mut discarded = Discarded { removed, rescued: Vec::new() };
            for aside in disk::temporary_names(&aside_tag(tag))? {
                // Nothing else than a folder is ever set aside.
                let set_aside = match disk::open_folder(&parent.fd, &aside) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    other => disk::tree(other?, self.inner.settings.listed_files_max)?,
                };
                if ours.contains(&set_aside.hash) {
                    disk::remove_tree(&parent.fd, &aside)?;
                    discarded.removed += 1;
                    continue;
                }
                let (from, to) = (
                    Place { folder: parent.fd.as_fd(), name: &aside },
                    Place { folder: parent.fd.as_fd(), name: name.as_ref() },
                );
                let now = disk::put_back(from, to)?.to_string_lossy().into_owned();
                discarded.rescued.push(if folder.is_empty() { now } else { format!("{folder}/{now}") });
            }
            self.inner.parents.sync(&parent)?;
            io::Result::Ok(discarded)
        };
        match discard() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Discarded::default()),
            other => other.map_err(|error| VaultError::of(path, error)),
        }
    }
}

/// The tag of what is set aside.
pub(super) fn aside_tag(tag: &str) -> String {
    format!("{tag}-swap")
}
