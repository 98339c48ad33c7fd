//! Remembers the names in a folder, so that 5,000 files filed into one folder do not mean 5,000 readings of it.
//!
//! Only collisions of spelling (`Ä.md`, `ä.md`) are found with it: the very same name is refused by the file system itself.
//! So the memory may be briefly behind another program; a time limit bounds by how much.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::parents::Parent;
use crate::backends::disk::{self, FileId};

/// Names beyond which a folder is read each time rather than remembered.
const NAMES_MAX: usize = 100_000;

/// Names of a folder by the key under which they would collide.
#[derive(Debug)]
struct Known {
    read_at: Instant,
    /// Time of the folder's last change when this was true.
    changed_ns: i64,
    key: fn(&str) -> String,
    names: BTreeMap<String, Vec<String>>,
}

/// The remembered folders.
#[derive(Debug)]
pub(super) struct Names {
    folders: Mutex<BTreeMap<FileId, Known>>,
    folders_max: usize,
    age_max: Duration,
}

impl Names {
    pub(super) fn new(folders_max: usize, age_max: Duration) -> Self {
        Self { folders: Mutex::default(), folders_max, age_max }
    }

    /// The name that is there already under the same key; the name itself if it is there.
    pub(super) fn taken(&self, parent: &Parent, name: &str, key: fn(&str) -> String) -> io::Result<Option<String>> {
        let changed_ns = disk::changed_ns(&rustix::fs::fstat(&parent.fd)?);
        let wanted = key(name);
        let find = |known: &Known| {
            let names = known.names.get(&wanted)?;
            names.iter().find(|there| *there == name).or_else(|| names.first()).cloned()
        };
        if let Some(known) = self.folders.lock().get(&parent.id)
            && known.changed_ns == changed_ns
            && known.read_at.elapsed() < self.age_max
            && std::ptr::fn_addr_eq(known.key, key)
        {
            return Ok(find(known));
        }
        // Read without the lock: a folder may be large, and two readings do no harm.
        let mut known = Known { read_at: Instant::now(), changed_ns, key, names: BTreeMap::new() };
        for there in disk::names(&parent.fd)? {
            if let Ok(there) = there.into_string() {
                known.names.entry(key(&there)).or_default().push(there);
            }
        }
        let found = find(&known);
        if known.names.len() > NAMES_MAX {
            return Ok(found);
        }
        let mut folders = self.folders.lock();
        if folders.len() >= self.folders_max && !folders.contains_key(&parent.id) {
            folders.clear();
        }
        folders.insert(parent.id, known);
        Ok(found)
    }

    /// Makes a name appear in a folder by `make`, and remembers it. Only if nobody else had changed the folder does the
    /// memory stay current: so that we do not take each other for somebody else, our own names appear one at a time.
    pub(super) fn adding(&self, parent: &Parent, name: &str, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let changed_ns = || rustix::fs::fstat(&parent.fd).map(|stat| disk::changed_ns(&stat)).ok();
        let mut folders = self.folders.lock();
        let Some(known) = folders.get_mut(&parent.id) else {
            drop(folders);
            return make();
        };
        let before = changed_ns();
        make()?;
        let names = known.names.entry((known.key)(name)).or_default();
        if !names.iter().any(|there| there == name) {
            names.push(name.to_owned());
        }
        if let (true, Some(after)) = (before == Some(known.changed_ns), changed_ns()) {
            known.changed_ns = after;
        }
        Ok(())
    }
}
