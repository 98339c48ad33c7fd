//! Checkpoints: where each thread stands.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::State;
use crate::{
    backends::state::{self, Put, Select, Space, StateError},
    rpc::Result,
};

/// Where a thread stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The graph it belongs to.
    pub graph: String,
    /// How many steps it made.
    pub step: u64,
    /// Its channels.
    pub state: State,
    /// The nodes that run next.
    pub next: Vec<String>,
    /// Whether it waits, and for what.
    pub status: Status,
    /// What the interrupted node shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<Value>,
}

/// Whether a thread waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has a next step; after a restart it goes on from here.
    Running,
    /// It stopped before a node that has a pause.
    Paused,
    /// A node waits for an answer.
    Interrupted,
    /// Nothing is next.
    Done,
    /// A node failed; it may be run again from here.
    Failed,
}

impl Status {
    /// The name that threads are selected by.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Interrupted => "interrupted",
            Status::Done => "done",
            Status::Failed => "failed",
        }
    }
}

/// The last checkpoint of every thread.
///
/// What is kept is what somebody waits for (LangGraph's durability `exit`): a thread that is interrupted or failed, and
/// the end of one that was. A thread on its way is only in memory, for it can begin again from its input at no cost.
#[derive(Clone)]
pub struct Checkpoints {
    state: Option<state::State>,
    live: Arc<Mutex<Live>>,
}

#[derive(Default)]
struct Live {
    /// Threads on their way.
    threads: BTreeMap<String, Checkpoint>,
    /// Threads that the state is known to have.
    kept: BTreeSet<String>,
}

impl Checkpoints {
    /// The checkpoints in this state.
    pub fn new(state: state::State) -> Self {
        Self { state: Some(state), live: Arc::default() }
    }

    /// Checkpoints that end with the process: for dry runs.
    pub fn in_memory() -> Self {
        Self { state: None, live: Arc::default() }
    }

    /// The last checkpoint of a thread. One that is not understood is none: its thread begins again.
    pub async fn get(&self, thread: &str) -> Result<Option<Checkpoint>> {
        let live = self.live.lock().threads.get(thread).cloned();
        let (None, Some(state)) = (&live, &self.state) else { return Ok(live) };
        let kept = match state.get(Space::Checkpoints, thread).await {
            Err(StateError::Damaged { key, reason }) => {
                tracing::warn!(key, "a checkpoint is not understood: {reason}");
                None
            }
            found => found?,
        };
        if kept.is_some() {
            self.live.lock().kept.insert(thread.to_owned());
        }
        Ok(kept)
    }

    /// As [`Checkpoints::get`], for who goes on with the thread and keeps what becomes of it: nothing is copied.
    pub async fn take(&self, thread: &str) -> Result<Option<Checkpoint>> {
        let live = self.live.lock().threads.remove(thread);
        if live.is_some() { Ok(live) } else { self.get(thread).await }
    }

    /// Keeps a checkpoint.
    pub async fn put(&self, thread: &str, checkpoint: &Checkpoint) -> Result<()> {
        let write = {
            let mut live = self.live.lock();
            let on_its_way = matches!(checkpoint.status, Status::Running | Status::Paused);
            if on_its_way || (self.state.is_none() && checkpoint.status == Status::Interrupted) {
                live.threads.insert(thread.to_owned(), checkpoint.clone());
                return Ok(());
            }
            live.threads.remove(thread);
            let wanted = checkpoint.status == Status::Interrupted || live.kept.contains(thread);
            if wanted {
                live.kept.insert(thread.to_owned());
            }
            wanted
        };
        let (true, Some(state)) = (write, &self.state) else { return Ok(()) };
        let put = Put::new(Space::Checkpoints, thread, checkpoint.status.as_str(), checkpoint);
        Ok(state.write(vec![put]).await?)
    }

    /// Forgets a thread.
    pub async fn remove(&self, thread: &str) -> Result<()> {
        let kept = {
            let mut live = self.live.lock();
            live.threads.remove(thread);
            live.kept.remove(thread)
        };
        let (true, Some(state)) = (kept, &self.state) else { return Ok(()) };
        Ok(state.write(vec![Put::remove(Space::Checkpoints, thread)]).await?)
    }

    /// Every thread of this status, sorted by thread, but those that are not understood.
    pub async fn with(&self, status: Status) -> Result<Vec<(String, Checkpoint)>> {
        let select = Select { tag: Some(status.as_str().to_owned()), ..Select::default() };
        let mut found = self.scan(select).await?;
        found.retain(|(_, at)| at.status == status);
        Ok(found)
    }

    /// Every thread, sorted.
    pub async fn all(&self) -> Result<Vec<(String, Checkpoint)>> {
        self.scan(Select::default()).await
    }

    /// What is kept, and over it what is on its way.
    async fn scan(&self, select: Select) -> Result<Vec<(String, Checkpoint)>> {
        let kept: Vec<(String, Checkpoint)> = match &self.state {
            Some(state) => state.sound(Space::Checkpoints, select).await?,
            None => Vec::new(),
        };
        let mut live = self.live.lock();
        live.kept.extend(kept.iter().map(|(thread, _)| thread.clone()));
        let mut found: BTreeMap<String, Checkpoint> = kept.into_iter().collect();
        found.extend(live.threads.clone());
        Ok(found.into_iter().collect())
    }
}
