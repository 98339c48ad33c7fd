//! What travels with a call: until when it is wanted, and whose it is.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

/// Longer than any work takes, and well within what a clock can add.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

tokio::task_local! {
    // The only ambient value: it belongs to the call, and a call is a task or a part of one.
    static CONTEXT: Context;
}

/// The deadline and the identity of one call; a nested call inherits both.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// The same for every call that one outer request or sweep leads to.
    pub request_id: String,
}

impl Context {
    /// The context of the running call, or a new one.
    pub fn current() -> Option<Context> {
        CONTEXT.try_with(Clone::clone).ok()
    }

    /// The context for a call that may take `limit`, inside the running one if there is one.
    pub fn within(limit: Duration) -> Context {
        let deadline = Instant::now() + limit;
        match Context::current() {
            Some(outer) => Context { deadline: deadline.min(outer.deadline), request_id: outer.request_id },
            None => Context { deadline, request_id: uuid::Uuid::new_v4().simple().to_string() },
        }
    }

    /// The context of work that outlives its caller: the same identity, and no deadline but those of its own calls.
    #[must_use]
    pub fn outliving(&self) -> Context {
        Context { deadline: Instant::now() + FOREVER, request_id: self.request_id.clone() }
    }

    /// Time that is left.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Runs `work` in this context.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CONTEXT.scope(self, work)
    }
}
