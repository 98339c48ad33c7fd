//! The index in use: one writer, some readers, and the place where a rebuilt file takes over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::table::{Purpose, Table};
use super::{Doc, Error, HITS_MAX, Hit, files, query};

/// Connections kept open for the next search.
const READERS_IDLE_MAX: usize = 2;

/// In what state the index was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// As it was left.
    Ready,
    /// There was none: it is empty and wants to be filled.
    New,
    /// It could not be used and was thrown away: it is empty and wants to be filled.
    Discarded(String),
}

/// What there is to say about the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Documents that can be found.
    pub docs: u64,
    /// Passages they were cut into.
    pub passages: u64,
    /// Which rebuild this is: 1 is the first file.
    pub generation: u64,
    /// Size of the file in use.
    pub file_bytes: u64,
    /// Whether a new index is being built beside this one.
    pub rebuilding: bool,
    /// Whether the file was found to be damaged and should be rebuilt.
    pub damaged: bool,
}

/// A handle on the index; clones are the same index.
#[derive(Clone)]
pub struct Index(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) folder: PathBuf,
    pub(super) live: RwLock<Arc<Live>>,
    /// Keys changed since a rebuild began; `None` while there is no rebuild.
    pub(super) changed: Mutex<Option<BTreeSet<String>>>,
}

/// One generation in use. Connections close before the last field removes the files of a generation that retired.
pub(super) struct Live {
    pub(super) writer: Mutex<Table>,
    readers: Mutex<Vec<Table>>,
    pub(super) generation: u64,
    file: PathBuf,
    damaged: AtomicBool,
    pub(super) retired: Retired,
}

/// Removes the files of a generation once nobody reads them any more.
pub(super) struct Retired {
    file: PathBuf,
    pub(super) is_retired: AtomicBool,
}

impl Drop for Retired {
    fn drop(&mut self) {
        if self.is_retired.load(Ordering::Acquire) {
            files::remove(&self.file);
        }
    }
}

impl Live {
    pub(super) fn new(folder: &Path, generation: u64, table: Table) -> Arc<Live> {
        let file = files::finished(folder, generation);
        Arc::new(Live {
            writer: Mutex::new(table),
            readers: Mutex::new(Vec::new()),
            generation,
            retired: Retired { file: file.clone(), is_retired: AtomicBool::new(false) },
            file,
            damaged: AtomicBool::new(false),
        })
    }

    /// Reads with a connection of its own, so that neither a writer nor another reader is waited for.
    fn read<T>(&self, read: impl FnOnce(&Table) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.readers.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Table::open(&self.file)?.ok_or_else(|| Error::Damaged("its version changed while open".into()))?,
        };
        let answer = read(&reader)?;
        let mut idle = self.readers.lock();
        if idle.len() < READERS_IDLE_MAX {
            idle.push(reader);
        }
        Ok(answer)
    }
}

impl Index {
    /// Opens the index in a folder of its own, which is made if it is missing. A damaged index, or one of another
    /// version, is no error: it is thrown away, and [`Opened`] says so. Leftovers of a crash are removed.
    pub fn open(folder: &Path) -> Result<(Index, Opened), Error> {
        std::fs::create_dir_all(folder)?;
        let newest = files::newest(folder)?;
        let (found, opened) = match newest {
            None => (None, Opened::New),
            Some(generation) if files::damaged(folder, generation).exists() => {
                (None, Opened::Discarded("it was found to be damaged while in use".into()))
            }
            Some(generation) => match Table::open(&files::finished(folder, generation)) {
                Ok(Some(table)) => (Some((generation, table)), Opened::Ready),
                Ok(None) => (None, Opened::Discarded("it is of another version of emm".into())),
                Err(error) if error.is_of_the_world() => return Err(error),
                Err(error) => (None, Opened::Discarded(error.to_string())),
            },
        };
        files::clear(folder, found.as_ref().map(|(generation, _)| *generation))?;
        let (generation, table) = match found {
            Some(found) => found,
            None => {
                let generation = newest.unwrap_or(0) + 1;
                (generation, Table::create(&files::finished(folder, generation), Purpose::Live)?)
            }
        };
        let live = RwLock::new(Live::new(folder, generation, table));
        Ok((Index(Arc::new(Inner { folder: folder.to_owned(), live, changed: Mutex::new(None) })), opened))
    }

    /// Puts a document in place of the one with the same key.
    pub fn upsert(&self, doc: &Doc) -> Result<(), Error> {
        self.upsert_all(std::slice::from_ref(doc))
    }

    /// Like [`Index::upsert`] for many, all or none: much faster than one by one.
    pub fn upsert_all(&self, docs: &[Doc]) -> Result<(), Error> {
        let keys: Vec<&str> = docs.iter().map(|doc| doc.key.as_str()).collect();
        self.write(&keys, |table| docs.iter().try_for_each(|doc| table.upsert(doc)))
    }

    /// Removes a document; says whether it was there.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        self.write(&[key], |table| table.remove(key))
    }

    /// The best documents for words in any language and order, best first: any word counts, none is required, and no
    /// character has a meaning. At most [`HITS_MAX`]; an empty query finds nothing.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, Error> {
        self.read(|table| query::search(table, query, limit.min(HITS_MAX)))
    }

    /// The stamp of each document by its key: what a scan of the vault is compared with.
    pub fn stamps(&self) -> Result<BTreeMap<String, String>, Error> {
        self.read(|table| {
            let mut all = table.0.prepare("SELECT key, stamp FROM docs")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Documents that can be found.
    pub fn len(&self) -> Result<u64, Error> {
        self.read(Table::len)
    }

    /// Whether there is nothing to find.
    pub fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.len()? == 0)
    }

    /// What there is to say about the index.
    pub fn status(&self) -> Result<Status, Error> {
        let live = self.live();
        let (docs, passages) = match self.read(|table| Ok((table.len()?, table.passages()?))) {
            Err(Error::Damaged(_)) => (0, 0),
            counts => counts?,
        };
        Ok(Status {
            docs,
            passages,
            generation: live.generation,
            file_bytes: std::fs::metadata(&live.file)?.len(),
            rebuilding: self.0.changed.lock().is_some(),
            damaged: live.damaged.load(Ordering::Acquire),
        })
    }

    fn live(&self) -> Arc<Live> {
        self.0.live.read().clone()
    }

    fn read<T>(&self, read: impl FnOnce(&Table) -> Result<T, Error>) -> Result<T, Error> {
        let live = self.live();
        self.noting_damage(&live, live.read(read))
    }

    /// Changes the generation in use, and remembers the keys for the one that is being built.
    fn write<T>(&self, keys: &[&str], change: impl FnOnce(&Table) -> Result<T, Error>) -> Result<T, Error> {
        loop {
            let live = self.live();
            let table: MutexGuard<'_, Table> = live.writer.lock();
            if live.retired.is_retired.load(Ordering::Acquire) {
                continue; // another generation took over while we waited for this one
            }
            let done = self.noting_damage(&live, table.transaction(change))?;
            if let Some(changed) = self.0.changed.lock().as_mut() {
                changed.extend(keys.iter().map(|key| (*key).to_owned()));
            }
            return Ok(done);
        }
    }

    /// Damage that shows only now is remembered beside the file, so that the next start throws the index away.
    fn noting_damage<T>(&self, live: &Live, result: Result<T, Error>) -> Result<T, Error> {
        if matches!(result, Err(Error::Damaged(_))) && !live.damaged.swap(true, Ordering::AcqRel) {
            std::fs::write(files::damaged(&self.0.folder, live.generation), "")?;
        }
        result
    }
}
