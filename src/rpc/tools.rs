//! The near side of a tool call: direct if the tool is here, one POST if it is not.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    Context, Result, Tool, Toolbox,
    peers::{Failure, Peers},
};

/// The wait before a call is made again: a peer that is being replaced needs a moment to leave the address.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// What callers hold. Where a tool runs was decided once, at start; this is the only place that knows.
#[derive(Clone)]
pub struct Tools {
    // Set once all roles of the node are built: agents are built from `Tools` and are themselves in the box.
    here: Arc<OnceLock<Arc<Toolbox>>>,
    // Known once it was opened, which takes longer than being served.
    store: Arc<OnceLock<String>>,
    peers: Peers,
}

impl Tools {
    /// Every call goes to `peers`, until `host` names the tools that are here.
    pub fn new(peers: Peers) -> Self {
        Self { here: Arc::default(), store: Arc::default(), peers }
    }

    /// From now on calls are for, and from, nodes of this store only. Only the first call of this counts.
    pub fn belong_to(&self, store: String) {
        let _ = self.store.set(store);
    }

    /// The identity of the store that this node belongs to, once it is known.
    pub fn store(&self) -> Option<&str> {
        self.store.get().map(String::as_str)
    }

    /// From now on calls of these tools are direct. Only the first call of this counts.
    pub fn host(&self, toolbox: Arc<Toolbox>) {
        let _ = self.here.set(toolbox);
    }

    /// The tools that are here, once they are.
    pub fn hosted(&self) -> Option<&Arc<Toolbox>> {
        self.here.get()
    }

    /// Calls a tool within its own deadline, or within what is left of the running call.
    pub async fn call<T: Tool>(&self, request: T) -> Result<T::Reply> {
        self.call_within(request, Duration::from_millis(T::DEADLINE_MS)).await
    }

    /// Calls a tool and waits at most `limit`.
    pub async fn call_within<T: Tool>(&self, request: T, limit: Duration) -> Result<T::Reply> {
        let context = Context::within(limit);
        match self.here.get().and_then(|here| here.typed::<T>()) {
            Some(answer) => context.scope(answer(request)).await,
            None => self.post(context, &request).await,
        }
    }

    /// At most one retry, and only where nothing answered: every tool that changes something is idempotent by a key.
    async fn post<T: Tool>(&self, context: Context, request: &T) -> Result<T::Reply> {
        match self.peers.post(&context, self.store(), request).await {
            Err(Failure::Silent(_)) if context.left() > RETRY_AFTER => {
                metrics::counter!("emm_tool_retries_total", "role" => T::ROLE.as_str(), "tool" => T::NAME).increment(1);
                tokio::time::sleep(RETRY_AFTER).await;
                self.peers.post(&context, self.store(), request).await
            }
            reply => reply,
        }
        .map_err(Failure::error)
    }
}
