//! `file-system`: the only writer of vault and store, and the keeper of custody.

mod answers;
mod chains;
mod difference;
mod filing;
mod folders;
mod holding;
mod knowledge;
mod lessons;
mod listing;
mod moved;
mod notes;
mod one_thing;
mod plan;
mod reading;
mod recovery;
mod turns;
mod undo;
mod upkeep;
mod verify;

use std::{sync::Arc, time::Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use self::{chains::Chains, knowledge::Knowledge, listing::Seen, turns::Turns};
use crate::{
    backends::{
        Clock,
        cache::Cache,
        inbox::Inbox,
        parsers::Parsers,
        search::Index,
        state::State,
        store::{Journal, Labels, Structures},
        trash::Trash,
        vault::Vault,
    },
    domain::{jd::Structure, note::VaultStyle},
    life::Health,
    rpc::Error,
};

/// How custody is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How long originals stay in the trash after they were filed, in days.
    pub trash_retention_days: u32,
    /// Larger Markdown files are kept as originals with a note of their own, in bytes.
    pub markdown_bytes_max: u64,
    /// The text that a note has of its original, in bytes; the rest is in the original.
    pub note_text_bytes_max: usize,
    /// Hashes of inbox files that are remembered, so that a look does not read them again.
    pub hashes_max: usize,
    /// A note that its owner edited so recently is left in peace, in seconds.
    pub touched_seconds: u64,
    /// How often the vault is compared with what is known of it, in seconds, beside the events of its disk.
    pub vault_rescan_seconds: u64,
    /// How often expired trash is looked for, in seconds.
    pub expiry_seconds: u64,
    /// Lessons of an existing vault that go into one label.
    pub lessons_per_label: usize,
    /// The beginning of a text that is taught with a lesson, in bytes.
    pub lesson_text_bytes_max: usize,
}

/// What the service is built over.
pub struct Parts {
    /// Its own settings.
    pub settings: Settings,
    /// The owner's vault.
    pub vault: Vault,
    /// The inbox.
    pub inbox: Inbox,
    /// Where what leaves the inbox goes.
    pub trash: Trash,
    /// Where what cannot be read goes.
    pub quarantine: Trash,
    /// Where what an undo takes out of the vault goes.
    pub vault_trash: Trash,
    /// The journal.
    pub journal: Journal,
    /// What people taught.
    pub labels: Labels,
    /// Published structures.
    pub structures: Structures,
    /// Projections.
    pub state: State,
    /// Results of reading.
    pub cache: Cache,
    /// The processes that read.
    pub parsers: Parsers,
    /// Full text.
    pub index: Index,
    /// The clock.
    pub clock: Clock,
    /// Where it says how its backends are.
    pub health: Health,
    /// Whether vault and store are only looked at: nothing is recovered, kept up, learnt or filed.
    pub read_only: bool,
}

/// Structures that are remembered; mostly one is in force.
const STRUCTURES_MAX: u64 = 16;

/// The service; cheap to clone.
#[derive(Clone)]
pub struct FileSystem(Arc<Inner>);

/// What clones of the service share.
pub struct Inner {
    parts: Parts,
    chains: Arc<Chains>,
    seen: Seen,
    /// Structures by their hash, which never change.
    structures: moka::sync::Cache<String, Arc<Structure>>,
    knowledge: Knowledge,
    turns: Turns,
    /// How the vault writes links, and when that was read.
    style: Mutex<Option<(Instant, VaultStyle)>>,
    /// Grows when the inbox may have changed.
    generation: watch::Sender<u64>,
}

impl std::ops::Deref for FileSystem {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl FileSystem {
    /// The service, with its projection healed and what an earlier process left half done finished.
    pub async fn open(parts: Parts) -> crate::rpc::Result<FileSystem> {
        let chains = Arc::new(Chains::new(parts.journal.clone(), parts.state.clone(), parts.clock.clone()));
        let seen = Seen::new(parts.settings.hashes_max);
        let structures = moka::sync::Cache::new(STRUCTURES_MAX);
        let knowledge = Knowledge::default();
        let (generation, _) = watch::channel(0);
        let service = FileSystem(Arc::new(Inner {
            parts,
            chains,
            seen,
            structures,
            knowledge,
            turns: Turns::default(),
            style: Mutex::default(),
            generation,
        }));
        let items = service.chains.heal().await?;
        let finished = if service.parts.read_only { 0 } else { service.recover_in_turn().await? };
        tracing::info!(items, finished, "custody is whole");
        Ok(service)
    }

    async fn structure(&self, hash: &str) -> crate::rpc::Result<Arc<Structure>> {
        if let Some(known) = self.structures.get(hash) {
            return Ok(known);
        }
        let structure = Arc::new(self.parts.structures.get(hash).await?);
        self.structures.insert(hash.to_owned(), structure.clone());
        Ok(structure)
    }

    /// Refuses what would write, where this service may only look.
    fn may_write(&self, tool: &str) -> crate::rpc::Result<()> {
        match self.parts.read_only {
            true => Err(Error::invalid(format!("{tool} writes, and this is a dry run: only its dry_run is answered"))),
            false => Ok(()),
        }
    }

    /// Says that the inbox may have changed.
    fn nudge(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }
}
