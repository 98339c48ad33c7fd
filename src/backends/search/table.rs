//! One index file: its tables, and every SQL statement that writes them.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::passages::passages;
use super::{Doc, Error};
use crate::domain::text::{VERSION, for_each_term};

/// Raised when the tables change; an index of another layout or another analyser is rebuilt.
const LAYOUT: u32 = 1;

/// `terms` holds our own terms, one space between: to SQLite's `ascii` tokenizer every non-ASCII byte is part of a
/// word, so it only splits at those spaces. It stores no text; `passages` does, to quote from.
const SCHEMA: &str = "
    CREATE TABLE docs (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, stamp TEXT NOT NULL, emm_id TEXT,
        path TEXT NOT NULL, title TEXT NOT NULL);
    CREATE TABLE passages (id INTEGER PRIMARY KEY, doc INTEGER NOT NULL, text TEXT NOT NULL);
    CREATE INDEX passages_doc ON passages (doc);
    CREATE VIRTUAL TABLE terms USING fts5 (title, path, body, content='', contentless_delete=1,
        tokenize=\"ascii tokenchars '~'\");
    CREATE VIRTUAL TABLE vocabulary USING fts5vocab (terms, row);";

/// What a file is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Used while it is changed: write-ahead log, so that readers and the writer do not wait for each other.
    Live,
    /// Thrown away if anything happens to it: no journal, no fsync until it is finished.
    Build,
}

/// An open index file.
pub(super) struct Table(pub(super) Connection);

impl Table {
    /// Makes a new, empty index file.
    pub(super) fn create(file: &Path, purpose: Purpose) -> Result<Table, Error> {
        let table = Table(Connection::open(file)?);
        table.set_up(purpose)?;
        table.0.execute_batch("BEGIN")?;
        table.0.execute_batch(SCHEMA)?;
        table.0.execute("INSERT INTO terms (terms, rank) VALUES ('hashsize', 8388608)", [])?;
        table.0.pragma_update(None, "user_version", version())?;
        table.0.execute_batch("COMMIT")?;
        Ok(table)
    }

    /// Opens a finished index file; `None` where it is of another version.
    pub(super) fn open(file: &Path) -> Result<Option<Table>, Error> {
        let table = Table(Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?);
        table.set_up(Purpose::Live)?;
        let found: u32 = table.0.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != version() {
            return Ok(None);
        }
        table.probe()?;
        Ok(Some(table))
    }

    fn set_up(&self, purpose: Purpose) -> Result<(), Error> {
        self.0.busy_timeout(std::time::Duration::from_secs(10))?;
        self.0.set_prepared_statement_cache_capacity(32);
        self.0.execute_batch(match purpose {
            Purpose::Live => "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4000;",
            Purpose::Build => "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;",
        })?;
        Ok(())
    }

    /// Touches each table once: a torn file speaks up here instead of in the middle of a search.
    fn probe(&self) -> Result<(), Error> {
        self.len()?;
        self.passages()?;
        let mut match_none = self.0.prepare("SELECT count(*) FROM terms WHERE terms MATCH '\"~\"'")?;
        match_none.query_row([], |row| row.get::<_, u64>(0))?;
        Ok(())
    }

    /// Documents.
    pub(super) fn len(&self) -> Result<u64, Error> {
        Ok(self.0.query_row("SELECT count(*) FROM docs", [], |row| row.get(0))?)
    }

    /// Passages.
    pub(super) fn passages(&self) -> Result<u64, Error> {
        Ok(self.0.query_row("SELECT count(*) FROM passages", [], |row| row.get(0))?)
    }

    /// Runs `change` in one transaction; if it fails, nothing of it stays.
    pub(super) fn transaction<T>(&self, change: impl FnOnce(&Table) -> Result<T, Error>) -> Result<T, Error> {
        let transaction = self.0.unchecked_transaction()?;
        let done = change(self)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Puts a document in place of the one with the same key. Call in a transaction.
    pub(super) fn upsert(&self, doc: &Doc) -> Result<(), Error> {
        self.remove(&doc.key)?;
        self.0
            .prepare_cached("INSERT INTO docs (key, stamp, emm_id, path, title) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![doc.key, doc.stamp, doc.emm_id, doc.path, doc.title])?;
        let id = self.0.last_insert_rowid();
        let title = spell_out(&doc.title);
        let path = spell_out(&doc.path);
        let mut keep = self.0.prepare_cached("INSERT INTO passages (doc, text) VALUES (?1, ?2)")?;
        let mut index =
            self.0.prepare_cached("INSERT INTO terms (rowid, title, path, body) VALUES (?1, ?2, ?3, ?4)")?;
        for passage in passages(&doc.text) {
            keep.execute(params![id, passage])?;
            index.execute(params![self.0.last_insert_rowid(), title, path, spell_out(passage)])?;
        }
        Ok(())
    }

    /// Removes a document; says whether it was there. Call in a transaction.
    pub(super) fn remove(&self, key: &str) -> Result<bool, Error> {
        let mut find = self.0.prepare_cached("SELECT id FROM docs WHERE key = ?1")?;
        let Some(id) = find.query_row([key], |row| row.get::<_, i64>(0)).optional()? else { return Ok(false) };
        for sql in [
            "DELETE FROM terms WHERE rowid IN (SELECT id FROM passages WHERE doc = ?1)",
            "DELETE FROM passages WHERE doc = ?1",
            "DELETE FROM docs WHERE id = ?1",
        ] {
            self.0.prepare_cached(sql)?.execute([id])?;
        }
        Ok(true)
    }

    /// A document as it was indexed.
    pub(super) fn get(&self, key: &str) -> Result<Option<Doc>, Error> {
        let mut find = self.0.prepare_cached("SELECT id, stamp, emm_id, path, title FROM docs WHERE key = ?1")?;
        let found = find
            .query_row([key], |row| {
                let doc = Doc {
                    key: key.to_owned(),
                    stamp: row.get(1)?,
                    emm_id: row.get(2)?,
                    path: row.get(3)?,
                    title: row.get(4)?,
                    text: String::new(),
                };
                Ok((row.get::<_, i64>(0)?, doc))
            })
            .optional()?;
        let Some((id, mut doc)) = found else { return Ok(None) };
        let mut texts = self.0.prepare_cached("SELECT text FROM passages WHERE doc = ?1 ORDER BY id")?;
        for text in texts.query_map([id], |row| row.get::<_, String>(0))? {
            doc.text.push_str(&text?);
        }
        Ok(Some(doc))
    }
}

fn version() -> u32 {
    LAYOUT * 1_000 + VERSION
}

/// The terms of a text as the index stores them.
fn spell_out(text: &str) -> String {
    let mut terms = String::with_capacity(text.len() * 2);
    for_each_term(text, |term| {
        term.write(&mut terms);
        terms.push(' ');
    });
    terms
}
