//! Full-text search over notes and originals: an index of our own terms in SQLite FTS5, rebuilt beside and swapped.
//!
//! The index is a projection: whatever is wrong with it (torn, older analyser, gone) costs a rebuild and nothing else.
//! It lies in a folder of its own as `index-N.sqlite`; the highest `N` is the index. A rebuild writes `index-N.building`
//! and its rename is the commit, so a reader of the old file keeps reading, and a crash leaves the old index in place.
//! (One fixed name would mix the write-ahead log of one file with the pages of another.)
//!
//! Long texts are indexed as passages: each competes by itself, and the best one stands for its document.
//! All calls block; async callers use `spawn_blocking`.

mod files;
mod index;
mod passages;
mod query;
mod rank;
mod rebuild;
mod table;

pub use index::{Index, Opened, Status};
pub use rebuild::Rebuild;

/// What is indexed of one note or original.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doc {
    /// Its identity in the index: the vault path or the `emm_id`.
    pub key: String,
    /// The item, where emm filed it.
    pub emm_id: Option<String>,
    /// Where it lies, relative to the vault; searched too.
    pub path: String,
    /// Its title; counts more than the text.
    pub title: String,
    /// The text to search and to quote; see [`TEXT_BYTES_MAX`].
    pub text: String,
    /// What tells one version from another (modification time, size, hash), opaque to the index.
    pub stamp: String,
}

/// One document that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// As in [`Doc::key`].
    pub key: String,
    /// As in [`Doc::emm_id`].
    pub emm_id: Option<String>,
    /// As in [`Doc::path`].
    pub path: String,
    /// As in [`Doc::title`].
    pub title: String,
    /// Higher is better; comparable within one answer only.
    pub score: f64,
    /// The best matching lines of the text, on one line, with `…` where it was cut.
    pub snippet: String,
}

/// Text beyond this is not indexed: one huge log must not crowd out a vault.
pub const TEXT_BYTES_MAX: usize = 4 << 20;

/// Most hits one search returns.
pub const HITS_MAX: usize = 200;

/// Why the index could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not what was written; the search goes on after a rebuild.
    #[error("the search index is damaged ({0}): rebuild it with `emm reindex`")]
    Damaged(String),
    /// A second rebuild while one is under way.
    #[error("the search index is being rebuilt already: wait until that is done")]
    Rebuilding,
    /// SQLite could not read or write.
    #[error("the search index cannot be used: {0}")]
    Sqlite(rusqlite::Error),
    /// The folder could not be read or written.
    #[error("the folder of the search index cannot be used: {0}")]
    Folder(#[from] std::io::Error),
}

impl Error {
    /// Whether another try may find the file whole: permissions, a full disk, a busy or failing device.
    fn is_of_the_world(&self) -> bool {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        match self {
            Error::Damaged(_) | Error::Rebuilding => false,
            Error::Folder(_) => true,
            Error::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                Some(
                    CannotOpen
                        | DatabaseBusy
                        | DatabaseLocked
                        | DiskFull
                        | OutOfMemory
                        | PermissionDenied
                        | ReadOnly
                        | SystemIoFailure
                )
            ),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Error::Damaged(error.to_string()),
            _ => Error::Sqlite(error),
        }
    }
}
