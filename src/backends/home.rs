//! The home of one node: where its own files lie, its lock and its token.
//!
//! A home belongs to one node at a time, and to one vault and one store: its state is a projection of them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{objects, vault};

/// Where things are, unless the home has them. Empty means: in the home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The Obsidian vault.
    pub vault: PathBuf,
    /// The inbox.
    pub inbox: PathBuf,
    /// The structure.
    pub jd: PathBuf,
    /// Journal, labels, ids, structures, trash and quarantine.
    pub store: PathBuf,
}

/// Why a home cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// A command is using it, or a node that has not told its address yet.
    #[error(
        "home {home} is in use by another emm command (process {pid}): wait until it is done, or use another --home"
    )]
    Busy {
        /// The home.
        home: String,
        /// Its process.
        pid: u32,
    },
    /// Another node is using it.
    #[error("home {home} is in use by the node at {address} (process {pid}): stop it, or use another --home")]
    InUse {
        /// The home.
        home: String,
        /// Where the node listens.
        address: String,
        /// Its process.
        pid: u32,
    },
    /// It was made for another vault.
    #[error("home {home} belongs to the vault {bound}, not to {given}: use another --home for this vault")]
    OtherVault {
        /// The home.
        home: String,
        /// The vault it was made for.
        bound: String,
        /// The vault that was given.
        given: String,
    },
    /// It was made for another store, or its store is not there.
    #[error(
        "home {home} belongs to the store {bound}, but {path} {found}: see that the disk of the store is mounted or its bucket the right one, or use another --home"
    )]
    OtherStore {
        /// The home.
        home: String,
        /// The identity of its store.
        bound: String,
        /// Where the store should be.
        path: String,
        /// What is there.
        found: String,
    },
    /// What it says of itself is not understood.
    #[error("{path} is damaged or of a newer emm: {reason}; delete it to bind the home again to its vault and store")]
    Record {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// What was touched.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// A node that runs on a home.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Its base address, such as `http://127.0.0.1:8080`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// The roles that it hosts; those of an older emm do not say.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The version of `home.json`.
const FORMAT: u32 = 1;

/// What a home belongs to: `home.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    format: u32,
    vault: String,
    /// The identity of the store, once it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<String>,
}

/// Where a vault or an inbox is.
#[derive(Debug, Clone, PartialEq)]
pub enum Spot {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Below a prefix of a bucket, as people write it: `s3://bucket/prefix`.
    Bucket(String),
}

impl Spot {
    /// The folder; nothing for a bucket.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Spot::Folder(path) => Some(path),
            Spot::Bucket(_) => None,
        }
    }
}

impl std::fmt::Display for Spot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spot::Folder(path) => write!(f, "{}", path.display()),
            Spot::Bucket(name) => f.write_str(name),
        }
    }
}

/// The paths of a home.
#[derive(Debug, Clone, PartialEq)]
pub struct Home {
    /// The home itself.
    pub path: PathBuf,
    /// The Obsidian vault.
    pub vault: Spot,
    /// The inbox.
    pub inbox: Spot,
    /// The structure.
    pub jd: PathBuf,
    /// The store.
    pub store: PathBuf,
}

/// Held as long as a node runs on the home.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Home {
    /// The home at `path`, with what the settings put elsewhere.
    pub fn new(path: &Path, settings: &Settings) -> Home {
        let or =
            |given: &Path, name: &str| if given.as_os_str().is_empty() { path.join(name) } else { given.to_owned() };
        Home {
            path: path.to_owned(),
            vault: Spot::Folder(or(&settings.vault, "vault")),
            inbox: Spot::Folder(or(&settings.inbox, "UNSORTED")),
            jd: or(&settings.jd, "jd.yaml"),
            store: or(&settings.store, "store"),
        }
    }

    /// The same with vault and inbox where these settings put them.
    pub fn with(self, vault: &vault::Settings, store: &objects::Settings) -> Home {
        if vault.backend == vault::Backend::Folder {
            return self;
        }
        let spot = |prefix: &str| Spot::Bucket(format!("s3://{}/{}", store.bucket, prefix.trim_matches('/')));
        let inbox = if vault.s3.inbox.is_empty() { self.inbox } else { spot(&vault.s3.inbox) };
        Home { vault: spot(&vault.s3.prefix), inbox, ..self }
    }

    /// The database of state.
    pub fn state(&self) -> PathBuf {
        self.path.join("state.sqlite")
    }

    /// The full text index.
    pub fn search(&self) -> PathBuf {
        self.path.join("search")
    }

    /// The snapshot of what the classifier learnt.
    pub fn knowledge(&self) -> PathBuf {
        self.path.join("knowledge.bin")
    }

    /// Whether it was made.
    pub fn is_made(&self) -> bool {
        self.record_path().exists()
    }

    /// Makes the home's own folder and checks that it belongs to this vault.
    pub fn prepare(&self) -> Result<(), HomeError> {
        make_private(&self.path)?;
        let vault = self.vault_text();
        match self.record()? {
            Some(record) if record.vault == vault => Ok(()),
            Some(Record { vault: bound, .. }) => {
                Err(HomeError::OtherVault { home: self.path.display().to_string(), bound, given: vault })
            }
            None => self.keep(&Record { format: FORMAT, vault, store: None }),
        }
    }

    /// The identity of the store that the home belongs to; nothing if none was opened yet.
    pub fn bound_store(&self) -> Result<Option<String>, HomeError> {
        Ok(self.record()?.and_then(|record| record.store))
    }

    /// Checks that the home belongs to the store of this identity, found at `path`, and remembers it the first time.
    pub fn bind(&self, path: &str, found: Option<&str>) -> Result<(), HomeError> {
        let record = self.record()?;
        let record = record.unwrap_or_else(|| Record { format: FORMAT, vault: self.vault_text(), store: None });
        match (&record.store, found) {
            (Some(bound), found) if Some(bound.as_str()) == found => Ok(()),
            (Some(bound), found) => {
                let found = found.map_or("has no store".to_owned(), |found| format!("is the store {found}"));
                let (home, path) = (self.path.display().to_string(), path.to_owned());
                Err(HomeError::OtherStore { home, bound: bound.clone(), path, found })
            }
            (None, found) => self.keep(&Record { store: found.map(str::to_owned), ..record }),
        }
    }

    fn vault_text(&self) -> String {
        let Some(folder) = self.vault.folder() else { return self.vault.to_string() };
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()).display().to_string()
    }

    fn record_path(&self) -> PathBuf {
        self.path.join("home.json")
    }

    fn record(&self) -> Result<Option<Record>, HomeError> {
        let path = self.record_path();
        let refused = |reason: String| HomeError::Record { path: path.display().to_string(), reason };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&path)(error)),
        };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(format) if format <= u64::from(FORMAT) => {
                serde_json::from_value(value).map(Some).map_err(|error| refused(error.to_string()))
            }
            Some(format) => Err(refused(format!("it has format {format}, this emm knows formats up to {FORMAT}"))),
            None => Err(refused("it has no format".to_owned())),
        }
    }

    /// Whoever reads it sees the old record or the new one.
    fn keep(&self, record: &Record) -> Result<(), HomeError> {
        let path = self.record_path();
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            serde_json::to_writer(&mut file, record)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&path).map(drop).map_err(io::Error::from)
        };
        write().map_err(at(&path))
    }

    /// Takes the home for this process.
    pub fn lock(&self) -> Result<Lock, HomeError> {
        let path = self.path.join("node.lock");
        let file = open(&path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // The address of whoever held it before must not be taken for ours.
                let mut lock = Lock { file, path };
                lock.announce("", Vec::new())?;
                Ok(lock)
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let running =
                    read_running(&path).unwrap_or(Running { address: String::new(), pid: 0, roles: Vec::new() });
                let home = self.path.display().to_string();
                Err(match running {
                    Running { address, pid, .. } if address.is_empty() => HomeError::Busy { home, pid },
                    Running { address, pid, .. } => HomeError::InUse { home, address, pid },
                })
            }
            Err(error) => Err(at(&path)(error.into())),
        }
    }

    /// The node that runs on this home, if one does and has told its address.
    pub fn running(&self) -> Option<Running> {
        let path = self.path.join("node.lock");
        let file = File::open(&path).ok()?;
        // Whoever can take the lock sees that nobody holds it; it is let go at once when `file` is closed.
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => read_running(&path).filter(|it| !it.address.is_empty()),
            _ => None,
        }
    }

    /// The token of this home, made on first use and readable by its owner only.
    pub fn token(&self) -> Result<String, HomeError> {
        let path = self.path.join("token");
        match std::fs::read_to_string(&path) {
            Ok(token) if !token.trim().is_empty() => return Ok(token.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(at(&path)(error)),
        }
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let mut file = open(&path)?;
        file.write_all(token.as_bytes()).and_then(|()| file.sync_all()).map_err(at(&path))?;
        Ok(token)
    }
}

impl Lock {
    /// Tells other processes where this node listens and what it hosts; an empty address means that it does not.
    pub fn announce(&mut self, address: &str, roles: Vec<String>) -> Result<(), HomeError> {
        let running = Running { address: address.to_owned(), pid: std::process::id(), roles };
        let text = serde_json::to_string(&running).map_err(io::Error::other).map_err(at(&self.path))?;
        let written = self.file.set_len(0).and_then(|()| self.file.rewind());
        written.and_then(|()| self.file.write_all(text.as_bytes())).map_err(at(&self.path))
    }
}

fn read_running(path: &Path) -> Option<Running> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Opens a file that only its owner may read.
fn open(path: &Path) -> Result<File, HomeError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(at(path))
}

fn make_private(path: &Path) -> Result<(), HomeError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> HomeError {
    let path = path.display().to_string();
    move |error| HomeError::Io { path: path.clone(), error }
}
