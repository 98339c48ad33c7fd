//! The one seam between roles: the request type *is* the tool.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use super::{Result, Role};

/// A request that knows who answers it and with what. Its doc comment is its description in every reading.
pub trait Tool: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Who answers.
    const ROLE: Role;
    /// The name within the role, snake_case.
    const NAME: &'static str;
    /// What it does to the world.
    const EFFECT: Effect = Effect::Reads;
    /// How long a caller waits, in milliseconds, unless it says otherwise.
    const DEADLINE_MS: u64 = 30_000;
    /// The answer.
    type Reply: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
}

/// What a tool does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    Reads,
    /// It changes something and is idempotent by a key in its request; a caller that leaves cancels it.
    Changes,
    /// As `Changes`, but once begun it runs to its end on a task of the node: leaving only stops the waiting.
    Finishes,
}

/// A service that answers `T`.
pub trait Answer<T: Tool>: Send + Sync + 'static {
    /// Answers one request. Dropping the future cancels the work, unless the tool `Finishes`.
    fn answer(&self, request: T) -> impl Future<Output = Result<T::Reply>> + Send;
}
