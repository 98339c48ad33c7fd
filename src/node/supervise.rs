//! Loops are started again with backoff, for ever: one crash is never the whole system, and no outage is the last word.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::time::sleep;
use tracing::{error, info};

use crate::{
    life::{Health, Shutdown, Tasks},
    roles::Loop,
    rpc::{Result, Role},
};

/// The wait after the first crash; it doubles with each that follows soon.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// A loop that ran so long is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// A loop that crashed so often in a row is down, and its role with it, until it is well again.
const CRASHES_MAX: u32 = 10;

/// Runs the loops of each role until `stop`. The token that is returned is cancelled once every role that has loops is
/// down at the same time.
pub fn spawn(loops: Vec<(Role, Vec<Loop>)>, health: &Health, stop: &Shutdown, tasks: &Tasks) -> Shutdown {
    let failed = Shutdown::new();
    let roles = loops.iter().filter(|(_, loops)| !loops.is_empty()).map(|(role, _)| (*role, 0)).collect();
    let down = Arc::new(Down { loops: Mutex::new(roles), failed: failed.clone() });
    for (role, work) in loops.into_iter().flat_map(|(role, loops)| loops.into_iter().map(move |work| (role, work))) {
        let name = format!("{role}/{}", work.name);
        let (health, stop, down) = (health.clone(), stop.clone(), down.clone());
        tasks.spawn(Supervised { role, name, work, health, stop, down }.run());
    }
    failed
}

/// How many loops of each role are down.
struct Down {
    loops: Mutex<BTreeMap<Role, usize>>,
    failed: Shutdown,
}

impl Down {
    fn add(&self, role: Role) {
        let mut loops = self.loops.lock();
        *loops.entry(role).or_default() += 1;
        if loops.values().all(|down| *down > 0) {
            self.failed.cancel();
        }
    }

    fn take(&self, role: Role) {
        if let Some(down) = self.loops.lock().get_mut(&role) {
            *down = down.saturating_sub(1);
        }
    }
}

/// One loop and where it says how it is.
struct Supervised {
    role: Role,
    name: String,
    work: Loop,
    health: Health,
    stop: Shutdown,
    down: Arc<Down>,
}

impl Supervised {
    /// Starts the loop whenever it ended, until shutdown.
    async fn run(self) {
        let (mut backoff, mut crashes) = (BACKOFF_FIRST, 0_u32);
        while !self.stop.is_cancelled() {
            let (reason, was_well) = self.once(crashes).await;
            if self.stop.is_cancelled() {
                return;
            }
            if was_well {
                (backoff, crashes) = (BACKOFF_FIRST, 0);
            }
            crashes = crashes.saturating_add(1);
            self.crashed(crashes, reason);
            let _ = self.stop.run_until_cancelled(sleep(backoff)).await;
            backoff = (backoff * 2).min(BACKOFF_LAST);
        }
    }

    /// Runs the loop once. Says why it ended, and whether it ran long enough to be well.
    async fn once(&self, crashes: u32) -> (String, bool) {
        let work = async { (self.work.start)(self.stop.clone()).await };
        let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
        tokio::select! {
            outcome = work.as_mut() => return (why(outcome), false),
            () = sleep(WELL_AFTER) => self.well(crashes),
        }
        (why(work.await), true)
    }

    fn well(&self, crashes: u32) {
        if crashes == 0 {
            return;
        }
        info!(role = %self.role, work = self.work.name, "a loop is well again");
        self.health.report(&self.name, false, None);
        if crashes >= CRASHES_MAX {
            self.down.take(self.role);
        }
    }

    fn crashed(&self, crashes: u32, reason: String) {
        metrics::counter!("emm_loop_restarts_total", "role" => self.role.as_str(), "loop" => self.work.name)
            .increment(1);
        error!(role = %self.role, work = self.work.name, crashes, "a loop stopped: {reason}");
        self.health.report(&self.name, crashes >= CRASHES_MAX, Some(reason));
        if crashes == CRASHES_MAX {
            self.down.add(self.role);
        }
    }
}

fn why(outcome: std::thread::Result<Result<()>>) -> String {
    match outcome {
        Ok(Ok(())) => "it ended".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked".to_owned(),
    }
}
