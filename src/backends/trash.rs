//! Where what left inbox and vault is kept: dated, and by what it is.

use std::path::PathBuf;

use super::objects::{Bucket, ObjectsError};

/// A trash or a quarantine of the store.
#[derive(Debug, Clone, PartialEq)]
pub enum Trash {
    /// A folder of this machine.
    Folder(PathBuf),
    /// What lies below the prefix of a bucket.
    Bucket(Bucket),
}

/// Takes all that lies at a key or below it out of a trash.
///
/// # Errors
/// What the server says.
pub(super) async fn forget(trash: &Bucket, path: &str) -> Result<(), ObjectsError> {
    let below =
        trash.list(path, usize::MAX).await?.into_iter().map(|(inner, object)| (format!("{path}/{inner}"), object));
    let itself = trash.head(path).await?.map(|object| (path.to_owned(), object));
    for (key, object) in itself.into_iter().chain(below) {
        trash.remove(&key, &object.etag).await?;
    }
    Ok(())
}

/// What is said where inbox and trash are of two kinds, which no configuration makes.
pub(super) fn mixed() -> std::io::Error {
    std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "its trash is elsewhere: inbox, vault and store are kept together",
    )
}
