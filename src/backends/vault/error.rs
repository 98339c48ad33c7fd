//! Why the vault refused or failed, in the closed set of words that callers match.

use std::io;

use crate::backends::disk::{Trouble, trouble};

/// Everything that can go wrong with a vault path; each names the path and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Something else is there, or a file stands where a folder is needed.
    #[error("{path:?} is taken in the vault: choose another name")]
    Exists {
        /// The vault-relative path.
        path: String,
    },
    /// Nothing is there.
    #[error("{path:?} is not in the vault: it was moved or removed, look again")]
    NotFound {
        /// The vault-relative path, or the vault's own.
        path: String,
    },
    /// The content is not what the caller expected.
    #[error("{path:?} changed since emm last looked: nothing was written, look again")]
    Changed {
        /// The path of what changed.
        path: String,
    },
    /// The file system or the permissions forbid it.
    #[error("{path:?} may not be written: check the vault's permissions and whether its disk is mounted read-only")]
    ReadOnly {
        /// The vault-relative path.
        path: String,
    },
    /// No room for it.
    #[error("no room for {path:?}: free space on the vault's disk, or look at its quota and largest file size")]
    Full {
        /// The vault-relative path.
        path: String,
    },
    /// The name or path is too long for a file system.
    #[error("the name {path:?} is too long: a name has at most 255 bytes, a path 4095")]
    NameTooLong {
        /// The vault-relative path.
        path: String,
    },
    /// The path would lead out of the vault, or is no plain relative path.
    #[error(
        "{path:?} leads out of the vault or is no plain relative path: use names joined by '/', no '..', no links out"
    )]
    Escapes {
        /// The path as given.
        path: String,
    },
    /// Anything else that the disk says.
    #[error("{path:?}: {source}: look at the disk, then try again")]
    Io {
        /// The vault-relative path.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl VaultError {
    /// Sorts what the operating system said about a path.
    pub(super) fn of(path: &str, source: io::Error) -> Self {
        let path = path.to_owned();
        match trouble(&source) {
            Trouble::Exists => Self::Exists { path },
            Trouble::NotFound => Self::NotFound { path },
            Trouble::ReadOnly => Self::ReadOnly { path },
            Trouble::Full => Self::Full { path },
            Trouble::NameTooLong => Self::NameTooLong { path },
            Trouble::Escapes => Self::Escapes { path },
            Trouble::Other => Self::Io { path, source },
        }
    }
}
