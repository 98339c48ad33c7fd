//! Checkpoints: where each thread stands, kept after every step.

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
#[derive(Clone)]
pub struct Checkpoints(state::State);

impl Checkpoints {
    /// The checkpoints in this state.
    pub fn new(state: state::State) -> Self {
        Self(state)
    }

    /// The last checkpoint of a thread. One that is not understood is none: its thread begins again.
    pub async fn get(&self, thread: &str) -> Result<Option<Checkpoint>> {
        match self.0.get(Space::Checkpoints, thread).await {
            Err(StateError::Damaged { key, reason }) => {
                tracing::warn!(key, "a checkpoint is not understood: {reason}");
                Ok(None)
            }
            found => Ok(found?),
        }
    }

    /// Keeps a checkpoint.
    pub async fn put(&self, thread: &str, checkpoint: &Checkpoint) -> Result<()> {
        let put = Put::new(Space::Checkpoints, thread, checkpoint.status.as_str(), checkpoint);
        Ok(self.0.write(vec![put]).await?)
    }

    /// Forgets a thread.
    pub async fn remove(&self, thread: &str) -> Result<()> {
        Ok(self.0.write(vec![Put::remove(Space::Checkpoints, thread)]).await?)
    }

    /// Every thread of this status, sorted by thread, but those that are not understood.
    pub async fn with(&self, status: Status) -> Result<Vec<(String, Checkpoint)>> {
        let select = Select { tag: Some(status.as_str().to_owned()), ..Select::default() };
        Ok(self.0.sound(Space::Checkpoints, select).await?)
    }
}
