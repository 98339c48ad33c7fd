//! Files in a bucket: what is there, and their bytes.

use std::{fs::File, io::Write};

use blake3::Hash;
use futures_util::{StreamExt, TryStreamExt};
use object_store::{Error, GetOptions, GetResult, ObjectMeta, ObjectStore, path::Path};

use super::{Bucket, ObjectsError, create::bare};

/// Nanoseconds in a second.
const SECOND_NS: i64 = 1_000_000_000;

/// What is known of an object without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub size_bytes: u64,
    /// The second of its last change, in nanoseconds since 1970; the part below a second stands for its ETag. A bucket tells
    /// whole seconds only, and what was changed twice in one of them must not look unchanged.
    pub modified_ns: i64,
    /// Its ETag, without quotes.
    pub etag: String,
}

impl Object {
    pub(super) fn of(meta: &ObjectMeta) -> Object {
        let etag = bare(meta.e_tag.as_deref());
        let [a, b, c, ..] = *blake3::hash(etag.as_bytes()).as_bytes();
        // 24 bits are less than the nanoseconds of a second.
        let below = i64::from(u32::from_le_bytes([a, b, c, 0]));
        let modified_ns = meta.last_modified.timestamp().saturating_mul(SECOND_NS).saturating_add(below);
        Object { size_bytes: meta.size, modified_ns, etag }
    }
}

/// What lies in one folder of a bucket; names in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// Objects.
    pub objects: Vec<(String, Object)>,
    /// Folders, that is, beginnings of keys.
    pub folders: Vec<String>,
}

impl Bucket {
    /// What is known of an object; nothing if there is none.
    ///
    /// # Errors
    /// What the server says.
    pub async fn head(&self, key: &str) -> Result<Option<Object>, ObjectsError> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        match self.server.objects.get_opts(&self.key(key)?, options).await {
            Ok(found) => Ok(Some(Object::of(&found.meta))),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Every object below a folder, by its key without the folder, in order; the empty folder is the bucket itself.
    ///
    /// # Errors
    /// `Unable` beyond `most` objects; what the server says.
    pub async fn list(&self, folder: &str, most: usize) -> Result<Vec<(String, Object)>, ObjectsError> {
        let prefix = self.folder(folder)?;
        let mut listed = self.server.objects.list(Some(&prefix));
        let mut found = Vec::new();
        while let Some(meta) = listed.try_next().await? {
            if found.len() >= most {
                return Err(ObjectsError::Unable(format!("{self} holds more than {most} objects in {folder:?}")));
            }
            found.extend(below(&meta.location, &prefix).map(|key| (key, Object::of(&meta))));
        }
        found.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        Ok(found)
    }

    /// What lies in a folder itself; nothing where there is no such folder.
    ///
    /// # Errors
    /// What the server says.
    pub async fn level(&self, folder: &str) -> Result<Level, ObjectsError> {
        let prefix = self.folder(folder)?;
        let listed = self.server.objects.list_with_delimiter(Some(&prefix)).await?;
        let objects =
            listed.objects.iter().filter_map(|meta| Some((below(&meta.location, &prefix)?, Object::of(meta))));
        let folders = listed.common_prefixes.iter().filter_map(|path| below(path, &prefix));
        let mut level = Level { objects: objects.collect(), folders: folders.collect() };
        level.objects.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        level.folders.sort_unstable();
        Ok(level)
    }

    /// Whether anything lies below a folder.
    ///
    /// # Errors
    /// What the server says.
    pub async fn is_folder(&self, folder: &str) -> Result<bool, ObjectsError> {
        Ok(self.server.objects.list(Some(&self.folder(folder)?)).try_next().await?.is_some())
    }

    /// Writes the content of an object into a file.
    ///
    /// # Errors
    /// `NotFound`; what the server or the disk says.
    pub async fn download(&self, key: &str, mut file: &File) -> Result<Object, ObjectsError> {
        let failed = |source| ObjectsError::File { key: key.to_owned(), source };
        self.each_piece(key, |bytes| file.write_all(bytes).map_err(failed)).await
    }

    /// The blake3 hash of an object, streamed.
    ///
    /// # Errors
    /// `NotFound`; what the server says.
    pub async fn hash(&self, key: &str) -> Result<(Hash, Object), ObjectsError> {
        let mut hasher = blake3::Hasher::new();
        let object = self
            .each_piece(key, |bytes| {
                hasher.update(bytes);
                Ok(())
            })
            .await?;
        Ok((hasher.finalize(), object))
    }

    /// Reads an object piece by piece; it is whole if this returns.
    async fn each_piece(
        &self,
        key: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), ObjectsError>,
    ) -> Result<Object, ObjectsError> {
        let found: GetResult = self.server.objects.get_opts(&self.key(key)?, GetOptions::default()).await?;
        let object = Object::of(&found.meta);
        let (mut stream, mut read) = (found.into_stream(), 0);
        while let Some(piece) = stream.next().await {
            let piece = piece?;
            read += piece.len() as u64;
            take(&piece)?;
        }
        if read != object.size_bytes {
            let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(ObjectsError::File { key: key.to_owned(), source });
        }
        Ok(object)
    }

    /// The key of a folder; that of the bucket itself for an empty one.
    pub(super) fn folder(&self, folder: &str) -> Result<Path, ObjectsError> {
        if !folder.is_empty() {
            return self.key(folder);
        }
        let wrong =
            |error: object_store::path::Error| ObjectsError::Key { key: String::new(), reason: error.to_string() };
        Path::parse(&self.prefix).map_err(wrong)
    }
}

/// A key without the folder that it lies in; nothing for the folder itself.
fn below(path: &Path, folder: &Path) -> Option<String> {
    let parts: Vec<_> = path.prefix_match(folder)?.map(|part| part.as_ref().to_owned()).collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
