//! Loops are started again with backoff: one crash is never the whole system.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::{
    life::Shutdown,
    roles::{Loop, Parts},
    rpc::Role,
};

/// The wait after the first crash; it doubles with each that follows soon.
const BACKOFF_FIRST: Duration = Duration::from_millis(200);
const BACKOFF_LAST: Duration = Duration::from_secs(30);
/// A loop that ran so long is well again.
const WELL_AFTER: Duration = Duration::from_secs(60);
/// A loop that crashed so often in a row cannot run.
const CRASHES_MAX: u32 = 10;

/// Runs the loops of each role. The token is cancelled when no role with a loop can run any more.
pub(super) fn spawn(loops: Vec<(Role, Vec<Loop>)>, parts: &Parts, tasks: &TaskTracker) -> Shutdown {
    let failed = Shutdown::new();
    let alive = Arc::new(AtomicUsize::new(loops.len()));
    for (role, loops) in loops {
        let given_up = Arc::new(AtomicUsize::new(0));
        for work in loops {
            let (parts, alive, failed, given_up) = (parts.clone(), alive.clone(), failed.clone(), given_up.clone());
            tasks.spawn(async move {
                supervise(role, &work, &parts).await;
                let first_of_role = given_up.fetch_add(1, Ordering::SeqCst) == 0;
                if !parts.stop.is_cancelled() && first_of_role && alive.fetch_sub(1, Ordering::SeqCst) == 1 {
                    failed.cancel();
                }
            });
        }
    }
    failed
}

/// Returns at shutdown, or when the loop crashed too often.
async fn supervise(role: Role, work: &Loop, parts: &Parts) {
    let (mut backoff, mut crashes) = (BACKOFF_FIRST, 0);
    let name = format!("{role}/{}", work.name);
    while !parts.stop.is_cancelled() {
        let started = Instant::now();
        let outcome = AssertUnwindSafe((work.start)(parts.stop.clone())).catch_unwind().await;
        if parts.stop.is_cancelled() {
            return;
        }
        let reason = match outcome {
            Ok(Ok(())) => "it ended".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "it panicked".to_owned(),
        };
        if started.elapsed() > WELL_AFTER {
            (backoff, crashes) = (BACKOFF_FIRST, 0);
        }
        crashes += 1;
        metrics::counter!("emm_loop_restarts_total", "role" => role.as_str(), "loop" => work.name).increment(1);
        let gives_up = crashes >= CRASHES_MAX;
        parts.health.report(&name, gives_up, Some(reason.clone()));
        error!(%role, work = work.name, crashes, "a loop stopped: {reason}");
        if gives_up {
            return;
        }
        let _ = parts.stop.run_until_cancelled(tokio::time::sleep(backoff)).await;
        backoff = (backoff * 2).min(BACKOFF_LAST);
        parts.health.report(&name, false, None);
    }
}
