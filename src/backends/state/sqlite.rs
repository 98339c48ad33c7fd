//! The state of a laptop: SQLite.
//!
//! One thread owns the connection and commits whatever waits as one transaction, so that many small writers are cheap;
//! each of them is a savepoint of it, so that one that fails leaves nothing and takes nobody along.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Lease, Put, Select, Space, StateError, lease, parse, sound};

/// How writes are gathered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Writes that may wait before writers have to.
    pub queue_max: usize,
    /// Writes that are committed together at most.
    pub batch_max: usize,
}

/// Whether a transaction was begun or committed; all who share it are told the same.
type Whole<T> = Result<T, Arc<rusqlite::Error>>;

/// Answers a caller, once it is known whether what it did is committed.
type Reply = Box<dyn FnOnce(Whole<()>) + Send>;

/// What a caller wants done in the transaction, if there is one; and why that failed, if it did.
type Job = Box<dyn FnOnce(Whole<&Connection>) -> (Reply, Whole<()>) + Send>;

/// How often something that nobody waited for was not written, and how many of those losses were made good.
#[derive(Default)]
struct Losses {
    count: u64,
    healed: u64,
}

/// The state of one home; cheap to clone.
#[derive(Clone)]
pub struct Sqlite {
    jobs: mpsc::Sender<Job>,
    /// What was to be written soon and was not.
    losses: Arc<watch::Sender<Losses>>,
    /// How many losses there were when the projection was begun to be made again; for who does that, and waits for it.
    healing: Option<u64>,
}

/// Raised whenever the tables change or entries mean something else: a file of another version is made again.
const VERSION: i64 = 1;

const SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";

const SCHEMA: &str = "
    CREATE TABLE entries (
        space TEXT NOT NULL, key TEXT NOT NULL, tag TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (space, key)
    ) WITHOUT ROWID;
    CREATE INDEX entries_by_tag ON entries (space, tag, key);
";

/// What is there and has a larger number stays; what is no object with a number is replaced.
const GROWING: &str = "
    INSERT INTO entries (space, key, tag, value) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (space, key) DO UPDATE SET tag = excluded.tag, value = excluded.value
    WHERE CASE WHEN NOT json_valid(value) OR json_type(value, ?5) IS NOT 'integer' THEN TRUE
          ELSE json_extract(value, ?5) <= json_extract(excluded.value, ?5) END
";

impl Sqlite {
    /// Opens the database of a home, or makes it. A damaged one and one of another version are put aside, for all that
    /// is in them can be made again.
    pub fn open(path: &Path, settings: &Settings) -> Result<Sqlite, StateError> {
        let connection = match connect(path) {
            Ok(Some(connection)) => connection,
            Ok(None) => anew(path, "it is of another version")?,
            Err(error) if is_damaged(&error) => anew(path, &error.to_string())?,
            Err(error) => return Err(error.into()),
        };
        let (jobs, queue) = mpsc::channel(settings.queue_max.max(1));
        let batch_max = settings.batch_max.max(1);
        std::thread::Builder::new()
            .name("emm-state".into())
            .spawn(move || work(&connection, queue, batch_max))
            .map_err(|_| StateError::Closed)?;
        Ok(Sqlite { jobs, losses: Arc::new(watch::channel(Losses::default()).0), healing: None })
    }

    /// Writes entries, all or none; returns when they are committed.
    pub async fn write(&self, puts: Vec<Put>) -> Result<(), StateError> {
        self.with(move |connection| puts.iter().try_for_each(|put| write(connection, put))).await
    }

    /// Writes entries, all or none, without waiting: whoever asks from now on finds them. Only for what can be made again
    /// from the store, for a process that is killed may not have them on disk; see [`super::State::lost`].
    pub async fn write_soon(&self, puts: Vec<Put>) -> Result<(), StateError> {
        if self.healing.is_some() {
            return self.write(puts).await;
        }
        let losses = self.losses.clone();
        let job: Job = Box::new(move |connection| {
            let write = |connection: &Connection| puts.iter().try_for_each(|put| write(connection, put));
            let result = connection.map_err(StateError::Database).and_then(|connection| alone(connection, write));
            let fault = fault_of(&result);
            let settle = move |committed: Whole<()>| {
                let Err(error) = result.and(committed.map_err(StateError::Database)) else { return };
                tracing::warn!("a projection was not written and is made again from the store: {error}");
                losses.send_modify(|losses| losses.count += 1);
            };
            (Box::new(settle), fault)
        });
        self.jobs.send(job).await.map_err(|_| StateError::Closed)
    }

    /// See [`super::State::begin_healing`].
    pub(super) fn begin_healing(&self) -> Sqlite {
        Sqlite { healing: Some(self.losses.borrow().count), ..self.clone() }
    }

    /// See [`super::State::healed`]: what was lost meanwhile stays lost.
    pub(super) fn healed(&self) {
        let healed = self.healing.unwrap_or_default();
        self.losses.send_modify(|losses| losses.healed = losses.healed.max(healed));
    }

    /// See [`super::State::lost`].
    pub(super) async fn lost(&self) {
        // The sender lives in `self`, so the wait cannot fail.
        let _ = self.losses.subscribe().wait_for(|losses| losses.count > losses.healed).await;
    }

    /// One entry.
    pub async fn get<T: for<'a> Deserialize<'a>>(&self, space: Space, key: &str) -> Result<Option<T>, StateError> {
        let key = key.to_owned();
        let wanted = key.clone();
        let value: Option<String> = self
            .with(move |connection| {
                let mut query = connection.prepare_cached("SELECT value FROM entries WHERE space = ? AND key = ?")?;
                query.query_row(params![space.name(), wanted], |row| row.get(0)).optional()
            })
            .await?;
        value.map(|value| parse(&key, &value)).transpose()
    }

    /// Many entries at once, by their keys; those that are not there are left out.
    pub async fn get_many<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        keys: Vec<String>,
    ) -> Result<BTreeMap<String, T>, StateError> {
        let found: Vec<(String, String)> = self
            .with(move |connection| {
                let mut query = connection.prepare_cached("SELECT value FROM entries WHERE space = ? AND key = ?")?;
                let mut found = Vec::new();
                for key in keys {
                    let value: Option<String> =
                        query.query_row(params![space.name(), key], |row| row.get(0)).optional()?;
                    found.extend(value.map(|value| (key, value)));
                }
                Ok(found)
            })
            .await?;
        found.into_iter().map(|(key, value)| Ok((key.clone(), parse(&key, &value)?))).collect()
    }

    /// Entries in the order of their keys.
    pub async fn scan<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        let rows = self.with(move |connection| scan(connection, space, &select)).await?;
        rows.into_iter().map(|(key, value)| Ok((key.clone(), parse(&key, &value)?))).collect()
    }

    /// The entries of a space that can be understood; whoever reads them makes those again that are missing.
    pub async fn sound<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        let rows = self.with(move |connection| scan(connection, space, &select)).await?;
        Ok(sound(space, rows))
    }

    /// How many entries a space has under each tag.
    pub async fn count(&self, space: Space) -> Result<Vec<(String, usize)>, StateError> {
        self.with(move |connection| {
            let mut query =
                connection.prepare_cached("SELECT tag, COUNT(*) FROM entries WHERE space = ? GROUP BY tag")?;
            let rows = query.query_map([space.name()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize)))?;
            rows.collect()
        })
        .await
    }

    /// The keys of a space.
    pub async fn keys(&self, space: Space) -> Result<Vec<String>, StateError> {
        let rows = self.with(move |connection| scan(connection, space, &Select::default())).await?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    /// Takes a lease.
    pub async fn lease(&self, name: &str, owner: &str, ttl_ms: u64) -> Result<Option<Lease>, StateError> {
        let wanted = Lease { name: name.to_owned(), owner: owner.to_owned(), token: 0 };
        self.with(move |connection| lease::take(connection, wanted, ttl_ms)).await
    }

    /// Keeps a lease.
    pub async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<bool, StateError> {
        let lease = lease.clone();
        self.with(move |connection| lease::extend(connection, &lease, ttl_ms)).await
    }

    /// Gives a lease back.
    pub async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let lease = lease.clone();
        self.with(move |connection| lease::extend(connection, &lease, 0).map(drop)).await
    }

    /// A job that panics, for tests.
    ///
    /// # Errors
    /// `Panicked`, always.
    #[cfg(feature = "failpoints")]
    #[expect(clippy::panic, reason = "a fault that tests inject")]
    pub async fn panic(&self) -> Result<(), StateError> {
        self.with(|_| panic!("a fault that a test injected")).await
    }

    async fn with<R: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, StateError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.map_err(StateError::Database).and_then(|connection| alone(connection, work));
            let fault = fault_of(&result);
            let answer = move |committed: Whole<()>| {
                let committed = committed.map_err(StateError::Database);
                let _ = reply.send(result.and_then(|value| committed.map(|()| value)));
            };
            (Box::new(answer), fault)
        });
        self.jobs.send(job).await.map_err(|_| StateError::Closed)?;
        answer.await.map_err(|_| StateError::Closed)?
    }
}

/// What of a job's result ends the transaction, if the database did.
fn fault_of<R>(result: &Result<R, StateError>) -> Whole<()> {
    match result {
        Err(StateError::Database(error)) => Err(error.clone()),
        _ => Ok(()),
    }
}

/// The database, made if there is none; nothing if it is of another version.
fn connect(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(SETTINGS)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = transaction.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get(0))?;
    if (version, tables) == (0, 0) {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    } else if version != VERSION {
        return Ok(None);
    }
    transaction.commit()?;
    Ok(Some(connection))
}

/// A new database in the place of one that is of no use.
fn anew(path: &Path, why: &str) -> Result<Connection, StateError> {
    let aside = path.with_extension("aside");
    tracing::warn!(path = %path.display(), aside = %aside.display(), "the state is made again: {why}");
    // The write-ahead log belongs to the old file.
    for extension in ["sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(path.with_extension(extension));
    }
    let _ = std::fs::rename(path, aside);
    connect(path)?.ok_or(StateError::OtherVersion)
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    error.sqlite_error_code().is_some_and(|code| matches!(code, DatabaseCorrupt | NotADatabase))
}

fn work(connection: &Connection, mut queue: mpsc::Receiver<Job>, batch_max: usize) {
    while let Some(first) = queue.blocking_recv() {
        let mut whole = connection.execute_batch("BEGIN").map_err(Arc::new);
        let (mut next, mut replies) = (Some(first), Vec::new());
        while let Some(job) = next.take() {
            let (reply, fault) = job(whole.clone().map(|()| connection));
            replies.push(reply);
            if connection.is_autocommit() {
                // A full or failing disk ends the transaction by itself, and with it what came before in it.
                whole = whole.and(fault);
            } else if replies.len() < batch_max {
                next = queue.try_recv().ok();
            }
        }
        let committed = whole.and_then(|()| connection.execute_batch("COMMIT").map_err(Arc::new));
        if committed.is_err() && !connection.is_autocommit() {
            let _ = connection.execute_batch("ROLLBACK");
        }
        // The replies leave only when the batch is committed.
        replies.into_iter().for_each(|reply| reply(committed.clone()));
    }
}

/// Runs one job as a savepoint: what it did is undone if it fails, and a panic ends nothing but the job.
fn alone<R>(connection: &Connection, work: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, StateError> {
    let step = |sql: &str| connection.prepare_cached(sql)?.execute(()).map(drop);
    step("SAVEPOINT job")?;
    let result = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(result) => result.map_err(StateError::from),
        Err(_) => Err(StateError::Panicked),
    };
    if result.is_err() {
        // There is no savepoint any more if the disk was full; then there is nothing to undo either.
        let _ = step("ROLLBACK TO job").and_then(|()| step("RELEASE job"));
    } else {
        step("RELEASE job")?;
    }
    result
}

fn write(connection: &Connection, put: &Put) -> rusqlite::Result<()> {
    let space = put.space.name();
    match (&put.value, put.grows_by) {
        (Some(value), _) if put.once => connection
            .prepare_cached("INSERT OR IGNORE INTO entries (space, key, tag, value) VALUES (?, ?, ?, ?)")?
            .execute(params![space, put.key, put.tag, value]),
        (Some(value), None) => connection
            .prepare_cached("INSERT OR REPLACE INTO entries (space, key, tag, value) VALUES (?, ?, ?, ?)")?
            .execute(params![space, put.key, put.tag, value]),
        (Some(value), Some(field)) => {
            connection.prepare_cached(GROWING)?.execute(params![space, put.key, put.tag, value, format!("$.{field}")])
        }
        (None, _) => connection
            .prepare_cached("DELETE FROM entries WHERE space = ? AND key = ?")?
            .execute(params![space, put.key]),
    }
    .map(drop)
}

fn scan(connection: &Connection, space: Space, select: &Select) -> rusqlite::Result<Vec<(String, String)>> {
    let (order, beyond) = if select.newest_first { ("DESC", "<") } else { ("ASC", ">=") };
    let limit = if select.limit == 0 { -1 } else { select.limit as i64 };
    let tag = if select.tag.is_some() { "AND tag = ?2" } else { "AND ?2 IS NULL" };
    let from = if select.from.is_some() { format!("AND key {beyond} ?3") } else { "AND ?3 IS NULL".to_owned() };
    // A prefix as a range, so that the index serves it; U+10FFFF sorts behind every character.
    let sql = format!(
        "SELECT key, value FROM entries WHERE space = ?1 {tag} {from} AND key >= ?4 AND key <= ?4 || char(1114111) \
         ORDER BY key {order} LIMIT ?5"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map(params![space.name(), select.tag, select.from, select.prefix, limit], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    rows.collect()
}
