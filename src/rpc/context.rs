//! What travels with a call: until when it is wanted, and whose it is.

use std::{borrow::Cow, future::Future, sync::Arc, time::Duration};

use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::Trace;

/// Longer than any work takes, and well within what a clock can add.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

tokio::task_local! {
    // Ambient, for it belongs to the call, and a call is a task or a part of one.
    static CONTEXT: Context;
}

/// The deadline and the identity of one call; a nested call inherits both.
#[derive(Debug, Clone)]
pub struct Context {
    /// When the caller stops waiting.
    pub deadline: Instant,
    /// What a caller called its request, if it did: the same for every call that leads to. Else its trace identifies it.
    pub request_id: Option<Arc<str>>,
    /// The trace that it is part of, and this hop of it.
    pub trace: Trace,
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
            Some(outer) => Context { deadline: deadline.min(outer.deadline), ..outer },
            None => Context { deadline, request_id: None, trace: Trace::new() },
        }
    }

    /// The identity of the request, as it is sent and logged.
    pub fn request(&self) -> Cow<'_, str> {
        match &self.request_id {
            Some(id) => Cow::Borrowed(id),
            None => Cow::Owned(format!("{:032x}", self.trace.id)),
        }
    }

    /// The context of work that outlives its caller: the same identity, and no deadline but those of its own calls.
    #[must_use]
    pub fn outliving(&self) -> Context {
        Context { deadline: Instant::now() + FOREVER, ..self.clone() }
    }

    /// Runs a part of the running call on a task of its own, so that several parts use several processors. Dropped, it ends
    /// at its next wait; its panic is the caller's.
    pub async fn beside<F>(work: F) -> F::Output
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let work = work.in_current_span();
        let task = match Context::current() {
            Some(context) => tokio::spawn(context.scope(work)),
            None => tokio::spawn(work),
        };
        match AbortOnDropHandle::new(task).await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only its owner aborts it, and that is who waits here; or the runtime ends, and with it all who wait.
                Err(_) => std::future::pending().await,
            },
        }
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
