//! Wakes the sweep: on the system's file events, after a period in any case, and when the inbox goes or comes back.
//!
//! Events only say *that* something happened; what, the sweep finds out by looking. So none can be missed for good, and the
//! burst of a thousand dropped files is one wake. In poll mode no events are asked for: the sweep itself is the poll.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::disk::{self, FileId};

/// The longest time for which a vanished inbox, or one mounted over, goes unnoticed.
const CHECK_MAX: Duration = Duration::from_secs(5);

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchMode {
    /// File events of the operating system.
    Native,
    /// Looking from time to time.
    Poll,
}

/// Why the sweep was woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something in the inbox changed.
    Changed,
    /// The period is over: look for what was missed.
    Period,
    /// The inbox is not there any more; reported once.
    Vanished,
    /// The inbox is there (again), or another one is mounted in its place.
    Returned,
}

/// A watched inbox; dropping it ends the watching. Its first wake says whether the inbox is there.
#[derive(Debug)]
pub struct Watch {
    /// Nothing where there is no folder to look at: then only the period wakes.
    path: Option<PathBuf>,
    mode: WatchMode,
    debounce: Duration,
    period: Duration,
    changed: Arc<Notify>,
    /// An event came and its sweep is still owed.
    owed: bool,
    next_sweep: Option<Instant>,
    /// The folder that is watched now; `None` while there is none.
    here: Option<FileId>,
    reported_gone: bool,
    watcher: Option<RecommendedWatcher>,
    problem: Option<String>,
}

impl Watch {
    /// A watch of a folder and all below it. Events are gathered for `debounce`; `period` passes at most between two wakes.
    /// Without a folder, as for a bucket, it is always there and never tells of changes.
    #[must_use]
    pub fn new(path: Option<&Path>, mode: WatchMode, debounce: Duration, period: Duration) -> Self {
        Self {
            path: path.map(Path::to_owned),
            mode,
            debounce,
            period: period.max(Duration::from_millis(10)),
            changed: Arc::default(),
            owed: false,
            next_sweep: None,
            here: None,
            reported_gone: false,
            watcher: None,
            problem: None,
        }
    }

    /// Why events do not come, if so; the period still does.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Waits until the inbox should be looked at. Dropping the wait loses nothing.
    pub async fn next(&mut self) -> Wake {
        loop {
            if let Some(wake) = self.check().await {
                return self.swept(wake);
            }
            let due = *self.next_sweep.get_or_insert_with(|| Instant::now() + self.period);
            if due <= Instant::now() {
                self.next_sweep = None;
                if self.here.is_some() {
                    return self.swept(Wake::Period);
                }
                continue;
            }
            if self.owed {
                // What comes in meanwhile is covered by the sweep that follows.
                sleep(self.debounce).await;
                let wake = self.check().await.unwrap_or(Wake::Changed);
                return self.swept(wake);
            }
            tokio::select! {
                () = self.changed.notified() => self.owed = true,
                () = sleep_until(due.min(Instant::now() + CHECK_MAX)) => {}
            }
        }
    }

    /// The caller will sweep now.
    fn swept(&mut self, wake: Wake) -> Wake {
        (self.owed, self.next_sweep) = (false, None);
        wake
    }

    /// Notices that the inbox went, came, or was replaced.
    async fn check(&mut self) -> Option<Wake> {
        let path = self.path.clone();
        // A share that hangs must not hang the runtime.
        let now = match path {
            Some(path) => tokio::task::spawn_blocking(move || identity(&path)).await.ok().flatten(),
            None => Some(FileId { device: 0, inode: 0 }),
        };
        match now {
            None if !self.reported_gone => {
                (self.here, self.watcher, self.reported_gone) = (None, None, true);
                Some(Wake::Vanished)
            }
            Some(_) if now != self.here => {
                self.attach().await;
                (self.here, self.reported_gone) = (now, false);
                Some(Wake::Returned)
            }
            _ => None,
        }
    }

    /// Asks for events; without them (a limit of the system, say) the period remains.
    async fn attach(&mut self) {
        let Some(path) = self.path.clone().filter(|_| self.mode == WatchMode::Native) else { return };
        let changed = Arc::clone(&self.changed);
        let made = tokio::task::spawn_blocking(move || native(&path, changed)).await;
        match made.map_err(|error| error.to_string()).and_then(|made| made.map_err(|error| error.to_string())) {
            Ok(watcher) => (self.watcher, self.problem) = (Some(watcher), None),
            Err(error) => {
                let period = self.period.as_secs();
                let problem = format!("no file events for the inbox ({error}): it is looked at every {period} s");
                (self.watcher, self.problem) = (None, Some(problem));
            }
        }
    }
}

fn identity(path: &Path) -> Option<FileId> {
    let folder = disk::open_root(path).ok()?;
    rustix::fs::fstat(&folder).ok().as_ref().map(FileId::of)
}

/// The system's file events of a folder and all below it.
fn native(path: &Path, changed: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // An error may mean lost events, which is one more reason to look.
        if event.is_err() || event.is_ok_and(|event| event.need_rescan() || is_change(&event.kind)) {
            changed.notify_one();
        }
    })?;
    watcher.watch(path, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Whether an event may mean work. Opening and reading do not: they are ours. Closing after writing does.
fn is_change(kind: &EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}
