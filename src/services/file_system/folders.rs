//! Where a place of the structure lies in this vault: in its owner's own folder, if there is one with its number.

use std::collections::BTreeMap;

use super::FileSystem;
use crate::{
    backends::vault::Listing,
    domain::jd::{self, Structure},
    life::Shutdown,
    rpc::{Error, Result},
};

/// The folders of the vault whose names begin with a code.
pub(super) type Folders = BTreeMap<String, String>;

/// Reads them off a listing. Of two folders with one code the one less deep counts, then the first by name.
pub(super) fn folders(listing: &Listing) -> Folders {
    let mut found = BTreeMap::<String, String>::new();
    for file in &listing.files {
        let mut path = file.path.as_str();
        while let Some((folder, _)) = path.rsplit_once('/') {
            path = folder;
            let name = folder.rsplit('/').next().unwrap_or(folder);
            let Some(code) = jd::leading_code(name) else { continue };
            let rank = |path: &str| (path.matches('/').count(), path.to_owned());
            match found.get_mut(code) {
                Some(known) if rank(known) <= rank(folder) => {}
                Some(known) => folder.clone_into(known),
                None => {
                    found.insert(code.to_owned(), folder.to_owned());
                }
            }
        }
    }
    found
}

impl FileSystem {
    /// The folder of a code. Before the vault was read once nobody knows the owner's own folders.
    pub(super) async fn place_of(&self, structure: &str, code: &str) -> Result<String> {
        if self.knowledge.labels().is_none() {
            self.scan(&Shutdown::new()).await?;
        }
        self.folder(&*self.structure(structure).await?, code)
    }

    /// The folder of a code, relative to the vault: the owner's own if one has this number, else the canonical one
    /// below the nearest that has.
    pub(super) fn folder(&self, structure: &Structure, code: &str) -> Result<String> {
        let missing = || Error::invalid(format!("the structure has no place {code}"));
        let canonical = structure.folder(code).ok_or_else(missing)?;
        let parts: Vec<&str> = canonical.split('/').collect();
        let known = self.knowledge.folders();
        for depth in (0..parts.len()).rev() {
            let own = parts.get(depth).and_then(|name| jd::leading_code(name)).and_then(|code| known.get(code));
            if let Some(own) = own {
                let below = parts.get(depth + 1..).unwrap_or_default();
                return Ok(std::iter::once(own.as_str()).chain(below.iter().copied()).collect::<Vec<_>>().join("/"));
            }
        }
        Ok(canonical)
    }
}
