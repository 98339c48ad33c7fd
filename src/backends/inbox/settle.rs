//! Remembers how things looked, to tell what has settled from what is still being written.

use std::collections::BTreeMap;

use super::{Settings, WatchMode};

const SECOND_NS: i64 = 1_000_000_000;

/// What changes when a thing changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Bytes; of a folder those of all its files.
    pub(super) size_bytes: u64,
    /// The youngest of its times, nanoseconds since 1970.
    pub(super) newest_ns: i64,
    /// Hash over sizes, times and inodes.
    pub(super) print: [u8; 32],
}

/// The looks of the last sweep.
#[derive(Debug, Default)]
pub(super) struct Settle {
    seen: BTreeMap<String, (Look, i64)>,
}

/// One sweep: remembers what it was shown, and nothing of what has gone.
pub(super) struct Sweep<'a> {
    settings: &'a Settings,
    now_ns: i64,
    before: BTreeMap<String, (Look, i64)>,
    after: BTreeMap<String, (Look, i64)>,
}

impl Settle {
    pub(super) fn begin<'a>(&mut self, settings: &'a Settings, now_ns: i64) -> Sweep<'a> {
        Sweep { settings, now_ns, before: std::mem::take(&mut self.seen), after: BTreeMap::new() }
    }

    pub(super) fn end(&mut self, sweep: Sweep<'_>) {
        self.seen = sweep.after;
    }

    /// After a sweep that failed: what it did not see may still be there.
    pub(super) fn abandon(&mut self, sweep: Sweep<'_>) {
        self.seen = sweep.before;
    }
}

impl Sweep<'_> {
    /// Nanoseconds still to wait for a thing that looks so; 0 when it has settled.
    pub(super) fn wait_ns(&mut self, path: &str, look: Look) -> i64 {
        let seconds =
            if look.size_bytes == 0 { self.settings.empty_settle_seconds } else { self.settings.settle_seconds };
        let window_ns = match self.settings.settle_seconds {
            // A one-shot command: its caller says that all is there.
            0 => 0,
            _ => i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_NS),
        };
        let since = match self.before.get(path) {
            // A clock that was set back starts the wait anew.
            Some((before, since)) if *before == look && *since <= self.now_ns => *since,
            _ => self.now_ns,
        };
        self.after.insert(path.to_owned(), (look, since));
        let watched_ns = self.now_ns.saturating_sub(since);
        let quiet_ns = match self.settings.watch {
            WatchMode::Native => self.now_ns.saturating_sub(look.newest_ns),
            WatchMode::Poll => 0,
        };
        window_ns.saturating_sub(watched_ns.max(quiet_ns)).max(0)
    }
}
