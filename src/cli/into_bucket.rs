//! Files and folders on their way into an inbox that is a prefix of a bucket.

use std::{ffi::OsStr, fs, fs::File, path::Path};

use super::{
    intake::{NAMES_MAX, Taken, own_name, remove},
    setup::{Setup, at},
};
use crate::{
    backends::{
        disk,
        inbox::encode,
        vault::{Created, FolderSettings, Objects, OpenTree, VaultError},
    },
    domain::inbox::Ignores,
    rpc::{Error, Result},
};

/// An inbox in a bucket.
pub(super) struct InBucket {
    files: Objects,
    ignore: Ignores,
}

impl InBucket {
    pub(super) fn open(setup: &Setup, ignore: Ignores) -> Result<InBucket> {
        let buckets = setup.config.vault.buckets(&setup.config.store.s3);
        let (_, inbox) = buckets.map_err(|error| Error::invalid(error.to_string()))?;
        let inbox = inbox.ok_or_else(|| Error::invalid("the inbox is no bucket: set vault.s3.inbox"))?;
        Ok(InBucket { files: Objects::new(inbox, &setup.home.path, FolderSettings::default()), ignore })
    }

    /// Copies a file or a folder; with `moves` it leaves its place once the bucket has it.
    pub(super) async fn take(&self, path: &Path, moves: bool) -> Result<Taken> {
        let real = fs::canonicalize(path).map_err(at(path))?;
        let name = own_name(&self.ignore, &real)?;
        let (is_folder, hash) = (real.is_dir(), hash_of(&real)?);
        let taken = self.put(&name, hash, is_folder, async |place: String| match is_folder {
            true => {
                let tree = OpenTree::from(disk::open_root(&real).map_err(at(&real))?);
                Ok(self.files.create_tree(&place, &tree, hash).await)
            }
            false => Ok(self.files.create_from_file(&place, File::open(&real).map_err(at(&real))?, hash).await),
        });
        let taken = taken.await?;
        if moves {
            if hash_of(&real)? != hash {
                let path = real.display();
                return Err(Error::conflict(format!("{path} changed while it was copied: it stays where it is")));
            }
            remove(&real).map_err(at(&real))?;
        }
        Ok(taken)
    }

    /// Bytes that are in no file.
    pub(super) async fn write(&self, name: &str, bytes: &[u8]) -> Result<Taken> {
        let put = async |place: String| Ok(self.files.create(&place, bytes).await);
        self.put(name.as_ref(), blake3::hash(bytes), false, put).await
    }

    /// Puts something under its name, or the next free one like it.
    async fn put(
        &self,
        name: &OsStr,
        hash: blake3::Hash,
        is_folder: bool,
        put: impl AsyncFn(String) -> Result<Result<Created, VaultError>>,
    ) -> Result<Taken> {
        for number in 1..=NAMES_MAX {
            let free = if number == 1 { name.to_owned() } else { disk::numbered(name, &format!(" ({number})")) };
            let free = free.into_string().map_err(|name| {
                Error::invalid(format!("{}: a bucket takes names in UTF-8 only; rename it", name.display()))
            })?;
            match put(free.clone()).await?? {
                Created::New { .. } | Created::Exists { same: true } => {
                    return Ok(Taken { place: encode(free.as_ref()), hash: (!is_folder).then_some(hash) });
                }
                Created::Exists { same: false } => {}
            }
        }
        Err(Error::conflict("a thousand names like this are taken in the inbox"))
    }
}

fn hash_of(path: &Path) -> Result<blake3::Hash> {
    let hash = match path.is_dir() {
        true => disk::open_root(path).and_then(|root| disk::tree(root, usize::MAX)).map(|tree| tree.hash),
        false => File::open(path).and_then(|file| disk::hash(&file)).map(|(hash, _)| hash),
    };
    hash.map_err(at(path))
}
