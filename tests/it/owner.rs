//! What the owner of a vault does beside emm: writes, moves and looks at files, in folders or in a bucket.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use emm::{
    backends::{
        objects::Bucket,
        vault::{FolderSettings, Objects},
    },
    config::Config,
};
use tokio::runtime::{Builder, Handle};

use crate::world::{files, write};

/// Vault and inbox, as their owner reaches them.
pub(crate) struct Owner {
    /// Where folders of these names lie.
    root: PathBuf,
    /// What says where they are instead, if they are in a bucket.
    bucket: Option<Config>,
}

impl Owner {
    /// Of the folders in `root`.
    pub(crate) fn of_folders(root: &Path) -> Owner {
        Owner { root: root.to_owned(), bucket: None }
    }

    /// Of what this configuration says.
    pub(crate) fn of(root: &Path, config: &Config) -> Owner {
        let bucket = config.vault.backend == emm::backends::vault::Backend::S3;
        Owner { root: root.to_owned(), bucket: bucket.then(|| config.clone()) }
    }

    /// Writes a file of `vault` or `UNSORTED`, over what is there.
    pub(crate) fn write(&self, folder: &str, path: &str, bytes: &[u8]) {
        let Some(bucket) = self.bucket(folder) else { return write(&self.root.join(folder).join(path), bytes) };
        waiting(async {
            if let Some(there) = bucket.head(path).await.unwrap() {
                bucket.remove(path, &there.etag).await.unwrap();
            }
            assert!(bucket.create(path, bytes.to_vec()).await.unwrap(), "{path}");
        });
    }

    /// Moves a file of the vault.
    pub(crate) fn rename(&self, from: &str, to: &str) {
        if let Some(bucket) = self.bucket("vault") {
            let vault = Objects::new(bucket, &self.root, FolderSettings::default());
            return waiting(async { vault.rename(from, to).await.unwrap() });
        }
        let (from, to) = (self.root.join("vault").join(from), self.root.join("vault").join(to));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, to).unwrap();
    }

    /// Every file below `vault`, `UNSORTED` or a folder of the store, by its relative path.
    pub(crate) fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let Some(bucket) = self.bucket(folder) else { return files(&self.root.join(folder)) };
        waiting(async {
            let mut found = BTreeMap::new();
            for (key, _) in bucket.list("", 10_000).await.unwrap() {
                // A node may be moving what is listed: what left meanwhile is not there.
                if let Ok(bytes) = bucket.get(&key).await {
                    found.insert(key, bytes);
                }
            }
            found
        })
    }

    fn bucket(&self, folder: &str) -> Option<Bucket> {
        let config = self.bucket.as_ref()?;
        let (vault, inbox) = config.vault.buckets(&config.store.s3).unwrap();
        match folder.strip_prefix("store/") {
            Some(kept) => Some(Bucket::new(&config.store.s3).unwrap().below(kept)),
            None => Some(if folder == "vault" { vault } else { inbox.unwrap() }),
        }
    }
}

/// What is done over the network, while the test waits.
fn waiting<T>(work: impl Future<Output = T>) -> T {
    match Handle::try_current() {
        Ok(runtime) => tokio::task::block_in_place(|| runtime.block_on(work)),
        Err(_) => Builder::new_current_thread().enable_all().build().unwrap().block_on(work),
    }
}
