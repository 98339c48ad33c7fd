//! The UNSORTED folder: what lies in it, whether it has settled, and how it leaves for the trash without being lost.
//!
//! A file has settled when it lies still for [`Settings::settle_seconds`]: either emm saw it unchanged over that time, or,
//! on a local disk, neither its time of change nor its ctime, which nobody can set, is younger than that. Network shares
//! report times late and by another clock, so with `watch = "poll"` only emm's own looks count. Files of a dropped folder
//! settle together, else a repository that is still being copied would be torn apart before its `.git` arrives.

mod error;
mod list;
mod objects;
mod place;
mod reference;
mod settle;
mod take;
mod trash;

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::backends::disk::FolderSync;
use crate::domain::inbox::{Hints, Ignores};

pub use crate::backends::watch::{Wake, Watch, WatchMode};
pub use error::InboxError;
pub use objects::Objects;
pub use place::Inbox;
pub use reference::{decode, encode, shown};
pub use take::Hashed;
pub use trash::{Expired, TRASH_FOLDER, TrashPlace, Trashed, UNDONE, expire, trash_name};

/// `[inbox]`: how the inbox is watched and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a file must lie unchanged before it is taken, in seconds; 0 takes it at once.
    pub settle_seconds: u64,
    /// The same for an empty file, which is more often one that is about to be written, in seconds.
    pub empty_settle_seconds: u64,
    /// Names left alone besides the built-in ones; `*` and `?` stand for any characters.
    pub ignore: Vec<String>,
    /// Files and folders looked at in one sweep; the rest waits for the next.
    pub entries_max: usize,
    /// `native` wakes on the system's file events; `poll` looks every `poll_seconds`, for NFS and SMB.
    pub watch: WatchMode,
    /// How long events are gathered before a sweep, in milliseconds.
    pub debounce_ms: u64,
    /// The longest time between two sweeps with `native`, for events that were missed, in seconds.
    pub rescan_seconds: u64,
    /// The time between two sweeps with `poll`, in seconds.
    pub poll_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settle_seconds: 5,
            empty_settle_seconds: 60,
            ignore: Vec::new(),
            entries_max: 200_000,
            watch: WatchMode::Native,
            debounce_ms: 200,
            rescan_seconds: 60,
            poll_seconds: 10,
        }
    }
}

/// One thing to be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its reference: the path relative to the inbox, where bytes that are not UTF-8 are written `%FF` (see [`encode`]).
    pub path: String,
    /// Bytes, of a folder those of all its files.
    pub size_bytes: u64,
    /// Last change of content, nanoseconds since 1970; of a folder the newest one in it.
    pub modified_ns: i64,
    /// The same or the ctime, which nobody can set: whichever is newer.
    pub newest_ns: i64,
    /// Whether it is a file, or a folder that is one thing.
    pub kind: Kind,
    /// What the folders around it say about where it belongs.
    pub hints: Hints,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder that is not torn apart.
    Folder {
        /// What it is, in words: "a git repository".
        reason: String,
        /// Files in it.
        files: usize,
    },
}

/// Something that has not settled yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstable {
    /// Its reference.
    pub path: String,
    /// Bytes now.
    pub size_bytes: u64,
    /// Seconds until it can have settled at the earliest, if nothing changes.
    pub wait_seconds: u64,
}

/// What cannot be taken, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its reference.
    pub path: String,
    /// The reason, and what to do.
    pub reason: String,
}

/// One look at the inbox; every list is in order of the paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Settled things, ready to be filed.
    pub items: Vec<Entry>,
    /// Things that are still being written.
    pub unstable: Vec<Unstable>,
    /// Names left alone by a pattern; a folder counts once.
    pub ignored: usize,
    /// What cannot be taken.
    pub problems: Vec<Problem>,
}

/// An inbox that is a folder. It need not exist: a share may come and go.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    settings: Settings,
    ignores: Ignores,
    settle: Mutex<settle::Settle>,
    sync: FolderSync,
}

impl Folder {
    /// An inbox at this path of the machine's.
    #[must_use]
    pub fn new(path: &Path, settings: Settings) -> Self {
        let ignores = Ignores::new(&settings.ignore);
        Self { path: path.to_owned(), settings, ignores, settle: Mutex::default(), sync: FolderSync::default() }
    }

    /// Where the inbox is on this machine.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Starts to watch; see [`Watch`].
    #[must_use]
    pub fn watch(&self) -> Watch {
        let settings = &self.settings;
        let seconds = match settings.watch {
            WatchMode::Native => settings.rescan_seconds,
            WatchMode::Poll => settings.poll_seconds,
        };
        let (debounce, period) = (Duration::from_millis(settings.debounce_ms), Duration::from_secs(seconds.max(1)));
        Watch::new(Some(&self.path), settings.watch, debounce, period)
    }
}
