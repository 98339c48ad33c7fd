//! State: projections and checkpoints, all of which can be rebuilt from the store; and leases.
//!
//! One table of entries, each in a space, under a key, with a tag to select by: what SQLite and Redis can both keep.

mod hold;
mod lease;
mod redis;
mod sqlite;
mod whole;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

pub use hold::Held;
pub use lease::Lease;
pub use redis::{RedisState, Settings as RedisSettings};
pub use sqlite::{Settings as SqliteSettings, Sqlite};

use super::redis::{Fault, Redis};

/// Where the state is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which: `sqlite` or `redis`.
    pub backend: Backend,
    /// The state of a laptop.
    pub sqlite: SqliteSettings,
    /// The state of several nodes.
    pub redis: RedisSettings,
}

/// Which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// A file of the home.
    Sqlite,
    /// A server that several nodes share.
    Redis,
}

/// Why the state did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database failed.
    #[error("state: {0}; the file can be deleted, it is rebuilt from the store")]
    Database(Arc<rusqlite::Error>),
    /// An entry is not what was expected.
    #[error("state: entry {key} is damaged: {reason}; run 'emm reindex'")]
    Damaged {
        /// The entry.
        key: String,
        /// Why.
        reason: String,
    },
    /// The file is of another emm and cannot be put aside.
    #[error(
        "state: the file is of another version and cannot be put aside: delete it, it is made again from the store"
    )]
    OtherVersion,
    /// A fault of emm.
    #[error("state: a step panicked; the lines before this one in the log say where")]
    Panicked,
    /// The server failed.
    #[error("state: {0}")]
    Redis(#[from] Fault),
    /// The server lost what it had, and the projection is being made again.
    #[error("state: the server lost what it had; it is being made again from the store, try again in a moment")]
    Emptied,
    /// The settings want a server, and none is at hand.
    #[error("state: state.backend is redis, but there is no connection to one; check [redis]")]
    NoServer,
    /// The thread of the database ended.
    #[error("state is closed")]
    Closed,
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        StateError::Database(Arc::new(error))
    }
}

/// A family of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// `emm_id` -> chain; tag: standing.
    Chains,
    /// `{at}/{emm_id}/{number}` -> link; tag: run.
    Effects,
    /// Vault path -> what of it was learnt and indexed; tag: `emm_id`.
    Notes,
    /// Thread -> last checkpoint; tag: status.
    Checkpoints,
    /// `emm_id` of a folder that is one thing -> where it lies in the vault, if it does.
    Trees,
    /// Name -> true: what is known to be done.
    Marks,
    /// What a question to a language model rests on -> its reply.
    Opinions,
    /// Model and text -> the vector that says what it means.
    Vectors,
}

impl Space {
    fn name(self) -> &'static str {
        match self {
            Space::Chains => "chains",
            Space::Effects => "effects",
            Space::Notes => "notes",
            Space::Checkpoints => "checkpoints",
            Space::Trees => "trees",
            Space::Marks => "marks",
            Space::Opinions => "opinions",
            Space::Vectors => "vectors",
        }
    }
}

/// One entry to write.
#[derive(Debug, Clone)]
pub struct Put {
    /// The family.
    pub space: Space,
    /// The key within it.
    pub key: String,
    /// What to select by.
    pub tag: String,
    /// JSON; nothing removes the entry.
    pub value: Option<String>,
    /// A field of `value` whose number only grows: an entry that has a larger one stays as it is.
    pub grows_by: Option<&'static str>,
    /// Whether an entry that is there stays, whatever it is.
    pub once: bool,
}

impl Put {
    /// Writes `value`.
    pub fn new<T: Serialize>(space: Space, key: impl Into<String>, tag: impl Into<String>, value: &T) -> Self {
        // Our own types serialise; a failure would only drop a projection, which is rebuilt.
        let value = serde_json::to_string(value).ok();
        Self { space, key: key.into(), tag: tag.into(), value, grows_by: None, once: false }
    }

    /// The same, but an entry whose number in `field` is larger stays: for what several write who may be late.
    #[must_use]
    pub fn growing_by(self, field: &'static str) -> Self {
        Self { grows_by: Some(field), ..self }
    }

    /// The same, but an entry that is there stays: who comes second has to take what the first one wrote.
    #[must_use]
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }

    /// Removes the entry.
    pub fn remove(space: Space, key: impl Into<String>) -> Self {
        Self { space, key: key.into(), tag: String::new(), value: None, grows_by: None, once: false }
    }
}

/// Which entries of a space to read.
#[derive(Debug, Clone, Default)]
pub struct Select {
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only keys that begin with this.
    pub prefix: String,
    /// Only keys from this one on (before it, if `newest_first`).
    pub from: Option<String>,
    /// Largest keys first.
    pub newest_first: bool,
    /// At most so many; 0 means all.
    pub limit: usize,
}

/// The state; cheap to clone.
#[derive(Clone)]
pub enum State {
    /// A file of one home.
    Sqlite(Sqlite),
    /// A server that several nodes share.
    Redis(RedisState),
}

/// What both can do.
macro_rules! either {
    ($state:expr, $inner:ident => $call:expr) => {
        match $state {
            State::Sqlite($inner) => $call,
            State::Redis($inner) => $call,
        }
    };
}

impl State {
    /// The configured state: the file at `path`, or the server, which is waited for.
    pub async fn open(settings: &Settings, path: &Path, server: Option<&Redis>) -> Result<State, StateError> {
        match settings.backend {
            Backend::Sqlite => Ok(State::Sqlite(Sqlite::open(path, &settings.sqlite)?)),
            Backend::Redis => {
                let server = server.ok_or(StateError::NoServer)?.clone();
                Ok(State::Redis(RedisState::open(server, &settings.redis).await?))
            }
        }
    }

    /// Writes entries, all or none; returns when they are committed.
    pub async fn write(&self, puts: Vec<Put>) -> Result<(), StateError> {
        either!(self, state => state.write(puts).await)
    }

    /// Writes entries that can be made again from the store, all or none. A file takes them without making the caller wait:
    /// whoever asks from now on finds them, and if they could not be written, [`State::lost`] says so.
    pub async fn write_soon(&self, puts: Vec<Put>) -> Result<(), StateError> {
        match self {
            State::Sqlite(state) => state.write_soon(puts).await,
            // Another node may ask next, so they have to be there.
            State::Redis(state) => state.write(puts).await,
        }
    }

    /// One entry.
    pub async fn get<T: for<'a> Deserialize<'a>>(&self, space: Space, key: &str) -> Result<Option<T>, StateError> {
        either!(self, state => state.get(space, key).await)
    }

    /// Many entries at once, by their keys; those that are not there are left out.
    pub async fn get_many<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        keys: Vec<String>,
    ) -> Result<BTreeMap<String, T>, StateError> {
        either!(self, state => state.get_many(space, keys).await)
    }

    /// Entries in the order of their keys. On a server that others write to meanwhile, each entry is as it is when the
    /// scan comes to it.
    pub async fn scan<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        either!(self, state => state.scan(space, select).await)
    }

    /// The entries of a space that can be understood; whoever reads them makes those again that are missing.
    pub async fn sound<T: for<'a> Deserialize<'a>>(
        &self,
        space: Space,
        select: Select,
    ) -> Result<Vec<(String, T)>, StateError> {
        either!(self, state => state.sound(space, select).await)
    }

    /// How many entries a space has under each tag.
    pub async fn count(&self, space: Space) -> Result<Vec<(String, usize)>, StateError> {
        either!(self, state => state.count(space).await)
    }

    /// The keys of a space, also of entries that cannot be understood.
    pub async fn keys(&self, space: Space) -> Result<Vec<String>, StateError> {
        either!(self, state => state.keys(space).await)
    }

    /// The same state for who makes the projection again: it is not held back where that was lost, and notices when it is
    /// lost once more.
    pub async fn begin_healing(&self) -> Result<State, StateError> {
        Ok(match self {
            State::Sqlite(state) => State::Sqlite(state.begin_healing()),
            State::Redis(state) => State::Redis(state.begin_healing().await?),
        })
    }

    /// Says, on what `begin_healing` gave, that the projection is whole: from now on it is noticed when it is lost.
    pub async fn healed(&self) -> Result<(), StateError> {
        match self {
            State::Sqlite(state) => {
                state.healed();
                Ok(())
            }
            State::Redis(state) => state.healed().await,
        }
    }

    /// Waits until the projection was lost, or some of it, or may have been.
    pub async fn lost(&self) {
        match self {
            State::Sqlite(state) => state.lost().await,
            State::Redis(state) => state.lost().await,
        }
    }

    /// Takes the lease `name` for `owner` until `ttl_ms` from now; nothing if another owner has it.
    ///
    /// Every lease that is given has a larger token than all before it. Leases only save work: whoever was held up for
    /// longer than its own still believes to have it, so nothing may be wrong then.
    pub async fn lease(&self, name: &str, owner: &str, ttl_ms: u64) -> Result<Option<Lease>, StateError> {
        either!(self, state => state.lease(name, owner, ttl_ms).await)
    }

    /// Keeps a lease for `ttl_ms` from now; says whether it is still ours.
    pub async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<bool, StateError> {
        either!(self, state => state.renew(lease, ttl_ms).await)
    }

    /// Gives a lease back, if it is still ours.
    pub async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        either!(self, state => state.release(lease).await)
    }
}

fn parse<T: for<'a> Deserialize<'a>>(key: &str, value: &str) -> Result<T, StateError> {
    serde_json::from_str(value).map_err(|error| StateError::Damaged { key: key.to_owned(), reason: error.to_string() })
}

/// The entries that can be understood.
fn sound<T: for<'a> Deserialize<'a>>(space: Space, rows: Vec<(String, String)>) -> Vec<(String, T)> {
    let sound = |(key, value): (String, String)| match parse(&key, &value) {
        Ok(value) => Some((key, value)),
        Err(error) => {
            tracing::warn!(space = space.name(), "left out, to be made again: {error}");
            None
        }
    };
    rows.into_iter().filter_map(sound).collect()
}
