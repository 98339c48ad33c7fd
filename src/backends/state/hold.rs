//! Work that several nodes could do and one is enough for: whoever holds it is left to do it.
//!
//! Nothing may rest on it: a node that was held up for longer than its lease goes on as if it had it.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::{Lease, State, StateError};

/// How long a node that vanished keeps its work from others: so long as a slow renewal may take, and no longer.
const LEASE_MS: u64 = 5_000;
/// The pause between two tries to get what another node holds.
const PAUSE: Duration = Duration::from_millis(100);

/// Work that is ours until this is let go. Where it is dropped, or its node vanishes, others get it within a lease.
pub struct Held(Option<(State, Lease, AbortOnDropHandle<()>)>);

impl State {
    /// Takes work for this node; nothing if another one is at it. A file has one node, which is always alone.
    pub async fn hold(&self, work: &str) -> Result<Option<Held>, StateError> {
        if matches!(self, State::Sqlite(_)) {
            return Ok(Some(Held(None)));
        }
        let owner = uuid::Uuid::new_v4().simple().to_string();
        let lease = self.lease(work, &owner, LEASE_MS).await?;
        Ok(lease.map(|lease| {
            let renewal = AbortOnDropHandle::new(tokio::spawn(renew(self.clone(), lease.clone())));
            Held(Some((self.clone(), lease, renewal)))
        }))
    }

    /// As `hold`, but waits for another node to be done with it, at most for `limit`; nothing after that.
    pub async fn hold_within(&self, work: &str, limit: Duration) -> Result<Option<Held>, StateError> {
        let end = Instant::now() + limit;
        loop {
            let held = self.hold(work).await?;
            if held.is_some() || Instant::now() >= end {
                return Ok(held);
            }
            sleep(PAUSE).await;
        }
    }
}

impl Held {
    /// Others may have it at once.
    pub async fn let_go(self) {
        let Some((state, lease, renewal)) = self.0 else { return };
        drop(renewal);
        if let Err(error) = state.release(&lease).await {
            tracing::debug!(work = lease.name, "it ends by itself: {error}");
        }
    }
}

/// Renews a lease until it is lost.
async fn renew(state: State, lease: Lease) {
    loop {
        sleep(Duration::from_millis(LEASE_MS / 3)).await;
        match state.renew(&lease, LEASE_MS).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => tracing::debug!(work = lease.name, "not renewed: {error}"),
        }
    }
}
