//! Why something in the inbox could not be read or taken, in the closed set of words that callers match.

use std::io;

use crate::backends::disk::{Trouble, trouble};

/// Everything that can go wrong with an inbox path; each names it and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum InboxError {
    /// The inbox itself is not there.
    #[error("the inbox {path:?} is gone: is its disk or share mounted?")]
    Vanished {
        /// The path of the inbox.
        path: String,
    },
    /// The thing is not there any more: its owner took it back.
    #[error("{path:?} is not in the inbox any more: nothing to do")]
    NotFound {
        /// Its reference.
        path: String,
    },
    /// Its content is not what was hashed before.
    #[error("{path:?} changed while it was being filed: it lies in the inbox as {now:?} and will be looked at again")]
    Changed {
        /// Its reference.
        path: String,
        /// The reference of where it lies now: nearly always the same.
        now: String,
    },
    /// No room.
    #[error("no room for {path:?}: free space on the inbox's disk")]
    Full {
        /// Its reference.
        path: String,
    },
    /// The file system or the permissions forbid it.
    #[error("{path:?} may not be read or moved: check the permissions of the inbox and of the file")]
    Refused {
        /// Its reference.
        path: String,
    },
    /// A link, or a path that is no plain relative one.
    #[error("{path:?} is or leads through a link, or is no plain relative path: put the file itself into the inbox")]
    Escapes {
        /// Its reference.
        path: String,
    },
    /// Anything else that the disk says.
    #[error("{path:?}: {source}: look at the disk, then try again")]
    Io {
        /// Its reference.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
}

impl InboxError {
    /// Sorts what the operating system said about a path.
    pub(super) fn of(path: &str, source: io::Error) -> Self {
        let path = path.to_owned();
        match trouble(&source) {
            Trouble::NotFound => Self::NotFound { path },
            Trouble::ReadOnly => Self::Refused { path },
            Trouble::Full => Self::Full { path },
            Trouble::Escapes => Self::Escapes { path },
            Trouble::Exists | Trouble::NameTooLong | Trouble::Other => Self::Io { path, source },
        }
    }
}
