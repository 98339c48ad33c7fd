//! What each side of a copy has, by the hashes of the contents.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::FileType;

use super::memory::Memory;
use super::{MARKER, Mirror, MirrorError, Pass, TRASH, at};
use crate::backends::blocking::blocking;
use crate::backends::disk::{self, TEMPORARY_SUFFIX, TREE_DEPTH_MAX};
use crate::backends::objects::Object;
use crate::backends::vault::{VaultError, of};

/// How a file of the folder looks without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Looks {
    pub(super) size_bytes: u64,
    pub(super) modified_ns: i64,
}

/// A file of the folder: the hash of its content, and how it looked.
pub(super) type Here = (String, Looks);
/// A file of the bucket: the hash of its content, and what is known of its object.
pub(super) type There = (String, Object);

impl Mirror {
    /// What the folder has. A file that looks as it did has the hash that it had.
    pub(super) async fn here(&self, known: &Memory, pass: &mut Pass) -> Result<BTreeMap<String, Here>, MirrorError> {
        let root = self.folder.clone();
        let walked = blocking(move || {
            let (mut files, mut problems) = (Vec::new(), Vec::new());
            walk(&disk::open_root(&root)?, "", 0, &mut files, &mut problems)?;
            io::Result::Ok((files, problems))
        });
        let walked = walked.await.map_err(io::Error::other).and_then(|walked| walked);
        let (files, problems) = walked.map_err(at(&self.folder))?;
        pass.problems.extend(problems);
        let mut side = BTreeMap::new();
        for (path, looks) in files {
            let hash = match known
                .files
                .get(&path)
                .filter(|known| looks == Looks { size_bytes: known.size_bytes, modified_ns: known.modified_ns })
            {
                Some(known) => known.hash.clone(),
                None => match self.vault.hash(&path).await {
                    Ok((hash, _)) => hash.to_hex().to_string(),
                    Err(VaultError::NotFound { .. }) => continue,
                    Err(error) => {
                        pass.problems.push((path, error.to_string()));
                        continue;
                    }
                },
            };
            side.insert(path, (hash, looks));
        }
        Ok(side)
    }

    /// What the bucket has. An object with the ETag that it had has the hash that it had.
    pub(super) async fn there(&self, known: &Memory) -> Result<BTreeMap<String, There>, MirrorError> {
        let listed = self.objects.bucket().list("", usize::MAX).await.map_err(|error| of("", error))?;
        let mut side = BTreeMap::new();
        for (path, object) in listed.into_iter().filter(|(path, _)| path.split('/').all(|name| !is_left_alone(name))) {
            let hash = match known.files.get(&path).filter(|known| known.etag == object.etag) {
                Some(known) => known.hash.clone(),
                None => match self.objects.hash(&path).await {
                    Ok((hash, _)) => hash.to_hex().to_string(),
                    // Gone since, or the mark of an empty folder.
                    Err(VaultError::NotFound { .. }) => continue,
                    Err(error) => return Err(error.into()),
                },
            };
            side.insert(path, (hash, object));
        }
        Ok(side)
    }
}

/// Names that stay on their side: what programs keep for themselves, and what is being written.
fn is_left_alone(name: &str) -> bool {
    let of_a_machine = name.starts_with("workspace") && name.ends_with(".json");
    name == TRASH || name == ".git" || name == MARKER || of_a_machine || name.ends_with(TEMPORARY_SUFFIX)
}

/// Whether a path or a folder that it lies in is among these.
pub(super) fn is_within(path: &str, paths: &BTreeSet<String>) -> bool {
    path.match_indices('/').filter_map(|(end, _)| path.get(..end)).chain([path]).any(|it| paths.contains(it))
}

type Walked = (String, Looks);

fn walk(
    folder: &OwnedFd,
    path: &str,
    depth: usize,
    files: &mut Vec<Walked>,
    problems: &mut Vec<(String, String)>,
) -> io::Result<()> {
    for name in disk::names(folder)? {
        let shown = name.to_string_lossy();
        if is_left_alone(&shown) {
            continue;
        }
        let inner = if path.is_empty() { shown.to_string() } else { format!("{path}/{shown}") };
        let stat = match disk::stat(folder, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            stat => stat?,
        };
        let mut problem = |reason: &str| problems.push((inner.clone(), reason.to_owned()));
        match disk::file_type(&stat) {
            _ if name.to_str().is_none() => problem("its name is not UTF-8: rename it"),
            FileType::RegularFile => files
                .push((inner, Looks { size_bytes: disk::size_bytes(&stat), modified_ns: disk::modified_ns(&stat) })),
            FileType::Directory if depth >= TREE_DEPTH_MAX => problem("too many folders deep"),
            FileType::Directory => match disk::open_folder(folder, &name) {
                Ok(below) => walk(&below, &inner, depth + 1, files, problems)?,
                Err(error) => problem(&error.to_string()),
            },
            _ => problem("neither file nor folder: it stays on this side"),
        }
    }
    Ok(())
}
