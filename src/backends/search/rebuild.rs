//! A new index built beside the old one, which answers until the new one is finished and takes over at once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::index::{Index, Live};
use super::table::{Purpose, Table};
use super::{Doc, Error, files};

/// Documents written between two commits: enough to be fast, few enough to stay small in memory.
const BATCH_DOCS: usize = 2_000;

/// A rebuild under way; dropping it unfinished leaves the old index as it was.
pub struct Rebuild {
    index: Index,
    generation: u64,
    /// `None` once it is finished.
    table: Option<Table>,
    waiting: usize,
    added: u64,
}

impl Index {
    /// Begins a new, empty index beside this one. Searches and changes go on in the old one; what is changed there
    /// meanwhile is carried over by [`Rebuild::finish`]. [`Error::Rebuilding`] while another is under way.
    pub fn begin_rebuild(&self) -> Result<Rebuild, Error> {
        {
            let mut changed = self.0.changed.lock();
            if changed.is_some() {
                return Err(Error::Rebuilding);
            }
            *changed = Some(BTreeSet::new());
        }
        let generation = self.0.live.read().generation + 1;
        // From here on, dropping it ends the rebuild.
        let mut rebuild = Rebuild { index: self.clone(), generation, table: None, waiting: 0, added: 0 };
        let file = files::building(&self.0.folder, generation);
        files::remove(&file);
        let table = Table::create(&file, Purpose::Build)?;
        table.0.execute_batch("BEGIN")?;
        rebuild.table = Some(table);
        Ok(rebuild)
    }
}

impl Rebuild {
    /// Adds a document, in place of one with the same key.
    pub fn add(&mut self, doc: &Doc) -> Result<(), Error> {
        let Some(table) = &self.table else { return Ok(()) };
        table.upsert(doc)?;
        self.added += 1;
        self.waiting += 1;
        if self.waiting >= BATCH_DOCS {
            table.0.execute_batch("COMMIT; BEGIN")?;
            self.waiting = 0;
        }
        Ok(())
    }

    /// Documents added so far.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// Carries over what was changed in the old index since the rebuild began, and lets the new one take over.
    /// Whoever reads the old one finishes reading it; its file goes with the last reader.
    pub fn finish(mut self) -> Result<(), Error> {
        let Some(table) = self.table.take() else { return Ok(()) };
        table.0.execute_batch("COMMIT")?;
        let old = self.index.0.live.read().clone();
        // No change can slip in between carrying over and taking over.
        let old_table = old.writer.lock();
        let changed = self.index.0.changed.lock().clone().unwrap_or_default();
        table.transaction(|table| carry_over(&old_table, table, &changed))?;
        table.0.close().map_err(|(_, error)| error)?;
        files::commit(&self.index.0.folder, self.generation)?;
        let file = files::finished(&self.index.0.folder, self.generation);
        let table = Table::open(&file)?.ok_or_else(|| Error::Damaged("the new index cannot be read".into()))?;
        *self.index.0.live.write() = Live::new(&self.index.0.folder, self.generation, table);
        old.retired.is_retired.store(true, Ordering::Release);
        files::remove(&files::damaged(&self.index.0.folder, old.generation));
        Ok(())
    }
}

/// Brings the new index up to date with the keys that changed in the old one. An old index that is damaged has
/// nothing to give: the next comparison of stamps with the vault fills the gap.
fn carry_over(old: &Table, new: &Table, changed: &BTreeSet<String>) -> Result<(), Error> {
    for key in changed {
        match old.get(key) {
            Ok(Some(doc)) => new.upsert(&doc)?,
            Ok(None) => drop(new.remove(key)?),
            Err(Error::Damaged(_)) => drop(new.remove(key)?),
            Err(other) => return Err(other),
        }
    }
    Ok(())
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        self.table = None;
        files::remove(&files::building(&self.index.0.folder, self.generation));
        *self.index.0.changed.lock() = None;
    }
}
