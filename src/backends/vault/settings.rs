//! How a vault is kept.

use serde::{Deserialize, Serialize};

use crate::backends::objects::{self, Bucket, ObjectsError};

/// `[vault]`: how the vault is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which vault; the inbox goes with it.
    pub backend: Backend,
    /// A vault that is a folder.
    pub folder: FolderSettings,
    /// A vault in the bucket of the store.
    pub s3: S3Settings,
}

/// `[vault.folder]`: how a folder is used as vault, and as far as it applies a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderSettings {
    /// Folders whose names are remembered, to see `Ä.md` beside `ä.md` without reading the folder each time.
    pub remembered_folders_max: usize,
    /// How long remembered names serve before the folder is read again, in milliseconds, even if it looks unchanged.
    pub remembered_names_ms: u64,
    /// Files that a listing gives at most; beyond it the listing fails rather than lies.
    pub listed_files_max: usize,
    /// Whether new files may be made without a temporary name (`O_TMPFILE`) where the file system can.
    pub unnamed_files: bool,
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self { remembered_folders_max: 64, remembered_names_ms: 2000, listed_files_max: 2_000_000, unnamed_files: true }
    }
}

/// Which vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The folders `paths.vault` and `paths.inbox`.
    Folder,
    /// Prefixes of the bucket of the store.
    S3,
}

/// `[vault.s3]`: where vault and inbox are in the bucket of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Settings {
    /// What the keys of the vault begin with.
    pub prefix: String,
    /// What the keys of the inbox begin with; empty: the folder `paths.inbox`.
    pub inbox: String,
}

impl Settings {
    /// The buckets of vault and inbox, that of the store below other prefixes; no inbox where that is a folder.
    ///
    /// # Errors
    /// When the prefix of the vault is empty, or one lies in another: an inbox in the vault would file the vault.
    pub fn buckets(&self, store: &objects::Settings) -> Result<(Bucket, Option<Bucket>), ObjectsError> {
        let trimmed = |prefix: &str| format!("{}/", prefix.trim_matches('/'));
        let mut prefixes = vec![trimmed(&store.prefix), trimmed(&self.s3.prefix)];
        prefixes.extend((!self.s3.inbox.is_empty()).then(|| trimmed(&self.s3.inbox)));
        for (at, one) in prefixes.iter().enumerate() {
            let within = |other: &String| one == "/" || other.starts_with(one.as_str());
            if prefixes.iter().enumerate().any(|(place, other)| place != at && within(other)) {
                return Err(ObjectsError::Settings(format!(
                    "what lies below {one:?} would be of two kinds: store, vault and inbox need prefixes apart \
                     (store.s3.prefix, vault.s3.prefix, vault.s3.inbox)"
                )));
            }
        }
        let at = |prefix: &str| Bucket::new(&objects::Settings { prefix: prefix.to_owned(), ..store.clone() });
        let inbox = if self.s3.inbox.is_empty() { None } else { Some(at(&self.s3.inbox)?) };
        Ok((at(&self.s3.prefix)?, inbox))
    }

    /// As [`Settings::buckets`], each of them within reach; they know how the bucket takes things away, which is tried out
    /// below the prefix of the store: whoever reads vault or inbox sees none of it.
    ///
    /// # Errors
    /// As there; `Unable` when nothing can be written below a prefix; what the server says.
    pub async fn open_buckets(&self, store: &objects::Settings) -> Result<(Bucket, Option<Bucket>), ObjectsError> {
        let (vault, inbox) = self.buckets(store)?;
        let removal = Bucket::new(store)?.with_removal().await?.removal();
        for bucket in [Some(&vault), inbox.as_ref()].into_iter().flatten() {
            bucket.reach().await?;
        }
        Ok((vault.with(removal), inbox.map(|inbox| inbox.with(removal))))
    }
}
