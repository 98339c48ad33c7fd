//! Readiness, health and shutdown: named latches, named conditions, one token that ends every loop, and its tasks.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde::Serialize;
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tokio_util::{sync::DropGuard, task::TaskTracker};

/// Cancelled when the node stops accepting work.
pub type Shutdown = tokio_util::sync::CancellationToken;

/// How long tasks that were forced to end may take to notice: until their next wait.
const FORCED: Duration = Duration::from_secs(5);

/// The tasks of a node: what it waits for when it leaves, and ends by force where that takes too long.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    force: Shutdown,
}

impl Tasks {
    /// Runs `work` on a task of its own. Its handle gives nothing if it was ended by force.
    pub fn spawn<F>(&self, work: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let force = self.force.clone();
        self.tracker.spawn(async move { force.run_until_cancelled(work).await })
    }

    /// Ends all tasks by force when it is dropped, unless it was disarmed.
    pub fn guard(&self) -> DropGuard {
        self.force.clone().drop_guard()
    }

    /// Waits at most `limit` until all tasks ended, and ends what is left by force. Says whether all ended by themselves.
    pub async fn end(&self, limit: Duration) -> bool {
        self.tracker.close();
        if timeout(limit, self.tracker.wait()).await.is_ok() {
            return true;
        }
        self.force.cancel();
        // Only a task that blocks its thread does not notice, and then waiting is of no use.
        let _ = timeout(FORCED, self.tracker.wait()).await;
        false
    }
}

/// Ready when nothing is pending. `/readyz` prints what is.
#[derive(Clone, Default)]
pub struct Ready(Arc<watch::Sender<BTreeMap<String, usize>>>);

/// Holds readiness back until it is dropped.
pub struct Latch(Ready, String);

impl Ready {
    /// Holds readiness back under this name. The same name may be held several times.
    #[must_use]
    pub fn hold(&self, what: impl Into<String>) -> Latch {
        let what = what.into();
        self.0.send_modify(|pending| *pending.entry(what.clone()).or_default() += 1);
        Latch(self.clone(), what)
    }

    /// What is still pending, sorted.
    pub fn pending(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    /// Waits until nothing is pending.
    pub async fn wait(&self) {
        let mut pending = self.0.subscribe();
        // The sender lives in `self`, so the wait cannot fail.
        let _ = pending.wait_for(BTreeMap::is_empty).await;
    }
}

impl Drop for Latch {
    fn drop(&mut self) {
        self.0.0.send_modify(|pending| {
            if let Some(count) = pending.get_mut(&self.1) {
                *count -= 1;
                if *count == 0 {
                    pending.remove(&self.1);
                }
            }
        });
    }
}

/// How each backend and each role of this node is. Speaks of the node's own, never of its peers.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Condition>>>);

/// How one backend or role is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Condition {
    /// Whether the node is of no use without it.
    pub required: bool,
    /// What is wrong, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What all conditions amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Nothing is wrong.
    Healthy,
    /// Something optional is wrong.
    Degraded,
    /// Something required is wrong.
    Unhealthy,
}

impl Health {
    /// Says how something is.
    pub fn report(&self, name: &str, required: bool, fault: Option<String>) {
        self.0.lock().insert(name.to_owned(), Condition { required, fault });
    }

    /// How everything is.
    pub fn conditions(&self) -> BTreeMap<String, Condition> {
        self.0.lock().clone()
    }

    /// What all conditions amount to.
    pub fn overall(&self) -> Overall {
        let faults = |required: bool| self.0.lock().values().any(|it| it.required == required && it.fault.is_some());
        match (faults(true), faults(false)) {
            (true, _) => Overall::Unhealthy,
            (false, true) => Overall::Degraded,
            (false, false) => Overall::Healthy,
        }
    }
}
