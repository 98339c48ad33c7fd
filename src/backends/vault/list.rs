//! Every file of a vault that Obsidian would show, in order of the paths.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;

use super::VaultError;
use super::folder::Folder;
use super::objects::{Objects, of};
use crate::backends::disk::{self, TREE_DEPTH_MAX};
use crate::backends::objects::{Branch, Node};

/// A folder that holds this is a repository: what it has is a program's text, not its owner's notes.
const REPOSITORY: &str = ".git";

/// Folders that are never part of a vault's content, besides all hidden ones (`.obsidian`, `.trash`, `.git`).
const SKIPPED: [&str; 1] = ["node_modules"];

/// One file of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Vault-relative path.
    pub path: String,
    /// Bytes of the file.
    pub size_bytes: u64,
    /// Last change of content, nanoseconds since 1970.
    pub modified_ns: i64,
}

/// Folders by the bytes of all that lies in them, each in order of their paths.
pub type Weights = BTreeMap<u64, Vec<String>>;

/// What a vault holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files in order of their paths' bytes.
    pub files: Vec<Listed>,
    /// Folders in order of their paths' bytes, those that are not entered too.
    pub folders: Vec<String>,
    /// What could not be listed, and why: links, unreadable folders, names that are not UTF-8.
    pub problems: Vec<(String, String)>,
}

impl Folder {
    /// All files in order of their paths; hidden files and folders are left out, repositories inside
    /// the vault too, links are not followed.
    ///
    /// # Errors
    /// `Io` beyond the configured number of files; when the vault itself cannot be read.
    pub fn list(&self) -> Result<Listing, VaultError> {
        let mut listing = Listing::default();
        let root = self.inner.parents.open("").map_err(|error| VaultError::of("", error))?;
        self.walk(&root.fd, "", 0, &mut listing)?;
        Ok(sorted(listing))
    }

    /// The folders that would be listed, by the bytes of all their files, hidden ones and those of repositories too.
    ///
    /// # Errors
    /// When the vault itself cannot be read; what else cannot be is left out, and all beyond the configured number of files.
    pub fn weights(&self) -> Result<Weights, VaultError> {
        let root = self.inner.parents.open("").map_err(|error| VaultError::of("", error))?;
        let (mut weights, mut left) = (Weights::default(), self.inner.settings.listed_files_max);
        for name in disk::names(&root.fd).map_err(|error| VaultError::of("", error))? {
            let shown = name.to_str().filter(|name| !is_skipped(name));
            if shown.is_some() {
                weigh(&root.fd, &name, shown, 1, &mut left, &mut weights);
            }
        }
        weights.values_mut().for_each(|paths| paths.sort_unstable());
        Ok(weights)
    }

    fn walk(&self, folder: &OwnedFd, path: &str, depth: usize, listing: &mut Listing) -> Result<(), VaultError> {
        let names = match disk::names(folder) {
            Ok(names) => names,
            Err(error) if depth == 0 => return Err(VaultError::of(path, error)),
            Err(error) => {
                listing.problems.push((path.to_owned(), error.to_string()));
                return Ok(());
            }
        };
        // The vault itself may well be one.
        if depth > 0 && names.iter().any(|name| name == REPOSITORY) {
            return Ok(());
        }
        for name in names {
            let shown = name.to_string_lossy();
            if is_skipped(&shown) {
                continue;
            }
            let inner = if path.is_empty() { shown.to_string() } else { format!("{path}/{shown}") };
            let problem = if name.to_str().is_none() {
                Some("its name is not UTF-8: rename it".to_owned())
            } else {
                self.enter(folder, &name, &inner, depth, listing)?
            };
            listing.problems.extend(problem.map(|problem| (inner, problem)));
        }
        Ok(())
    }

    /// Lists one entry; gives what is wrong with it, if anything is.
    fn enter(
        &self,
        folder: &OwnedFd,
        name: &OsStr,
        path: &str,
        depth: usize,
        listing: &mut Listing,
    ) -> Result<Option<String>, VaultError> {
        let stat = match disk::stat(folder, name) {
            Ok(stat) => stat,
            // Gone since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Ok(Some(error.to_string())),
        };
        match disk::file_type(&stat) {
            FileType::RegularFile if listing.files.len() >= self.inner.settings.listed_files_max => {
                let source = io::Error::other("more files than vault.folder.listed_files_max");
                Err(VaultError::Io { path: path.to_owned(), source })
            }
            FileType::RegularFile => {
                let (size_bytes, modified_ns) = (disk::size_bytes(&stat), disk::modified_ns(&stat));
                listing.files.push(Listed { path: path.to_owned(), size_bytes, modified_ns });
                Ok(None)
            }
            FileType::Directory if depth >= TREE_DEPTH_MAX => {
                Ok(Some(format!("more than {TREE_DEPTH_MAX} folders deep: not entered")))
            }
            FileType::Directory => {
                listing.folders.push(path.to_owned());
                match disk::open_folder(folder, name) {
                    Ok(inner) => self.walk(&inner, path, depth + 1, listing).map(|()| None),
                    Err(error) => Ok(Some(error.to_string())),
                }
            }
            FileType::Symlink => Ok(Some("a link: not followed".to_owned())),
            _ => Ok(Some("neither file nor folder".to_owned())),
        }
    }
}

/// The bytes of what has this name. Notes those of each folder that would be listed; without a `path` of none.
fn weigh(
    folder: &OwnedFd,
    name: &OsStr,
    path: Option<&str>,
    depth: usize,
    left: &mut usize,
    weights: &mut Weights,
) -> u64 {
    let Ok(stat) = disk::stat(folder, name) else { return 0 };
    *left = left.saturating_sub(1);
    if *left == 0 {
        return 0;
    }
    match disk::file_type(&stat) {
        FileType::RegularFile => disk::size_bytes(&stat),
        FileType::Directory if depth <= TREE_DEPTH_MAX => {
            let Ok(inner) = disk::open_folder(folder, name) else { return 0 };
            let names = disk::names(&inner).unwrap_or_default();
            let below = path.filter(|_| !names.iter().any(|name| name == REPOSITORY));
            let inner_weights = names.iter().map(|name| {
                let shown = name.to_str().filter(|name| !is_skipped(name));
                let path = below.zip(shown).map(|(path, name)| format!("{path}/{name}"));
                weigh(&inner, name, path.as_deref(), depth + 1, left, weights)
            });
            let weight = inner_weights.sum();
            if let Some(path) = path {
                weights.entry(weight).or_default().push(path.to_owned());
            }
            weight
        }
        _ => 0,
    }
}

impl Objects {
    /// As [`Folder::weights`].
    ///
    /// # Errors
    /// As [`Objects::list`].
    pub async fn weights(&self) -> Result<Weights, VaultError> {
        let listed = self.inner.bucket.list("", self.inner.settings.listed_files_max).await;
        let objects = listed.map_err(|error| of("", error))?;
        let mut bytes: BTreeMap<String, u64> = BTreeMap::new();
        for (key, object) in &objects {
            for (at, _) in key.match_indices('/') {
                *bytes.entry(key.get(..at).unwrap_or_default().to_owned()).or_default() += object.size_bytes;
            }
        }
        let mut listing = Listing::default();
        enter(&Branch::of(objects), "", 0, &mut listing);
        let mut weights = Weights::default();
        for folder in sorted(listing).folders {
            weights.entry(bytes.get(&folder).copied().unwrap_or_default()).or_default().push(folder);
        }
        Ok(weights)
    }

    /// As [`Folder::list`], of what lies below the prefix of the vault.
    ///
    /// # Errors
    /// `Io` beyond the configured number of files; what the bucket says.
    pub async fn list(&self) -> Result<Listing, VaultError> {
        let listed = self.inner.bucket.list("", self.inner.settings.listed_files_max).await;
        let mut listing = Listing::default();
        enter(&Branch::of(listed.map_err(|error| of("", error))?), "", 0, &mut listing);
        Ok(sorted(listing))
    }
}

fn enter(branch: &Branch, path: &str, depth: usize, listing: &mut Listing) {
    if depth > 0 && branch.0.contains_key(REPOSITORY) {
        return;
    }
    for (name, node) in branch.0.iter().filter(|(name, _)| !is_skipped(name)) {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        match node {
            Node::Object(object) => {
                let (size_bytes, modified_ns) = (object.size_bytes, object.modified_ns);
                listing.files.push(Listed { path: inner, size_bytes, modified_ns });
            }
            Node::Folder(_) if depth >= TREE_DEPTH_MAX => {
                listing.problems.push((inner, format!("more than {TREE_DEPTH_MAX} folders deep: not entered")));
            }
            Node::Folder(branch) => {
                listing.folders.push(inner.clone());
                enter(branch, &inner, depth + 1, listing);
            }
        }
    }
}

fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || SKIPPED.contains(&name)
}

/// By whole paths: `a.md` comes before `a/b.md`, though a walk enters the folder `a` first.
fn sorted(mut listing: Listing) -> Listing {
    listing.files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    listing.folders.sort_unstable();
    listing
}
