//! The cache on a server. It saves work and is never needed: whatever is wrong with it, the value is computed.
//!
//! After a fault nobody asks the server any more, until a look of our own finds that it answers again. So a server that is
//! dead or hangs costs those who happen to ask at that moment one short wait, and all others nothing.

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::{
    Place,
    packed::{pack, unpack},
};
use crate::{
    backends::redis::{Fault, Redis, Request},
    life::Health,
};

/// How the server is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The size of the values that are kept in the memory of the process as well, in bytes.
    pub near_bytes_max: u64,
    /// How long a value is kept after it was computed, in seconds.
    pub ttl_seconds: u64,
    /// Larger values are not given to the server, in bytes before they are compressed.
    pub value_bytes_max: u64,
    /// How long an answer may take before the value is computed, in milliseconds.
    pub answer_ms_max: u64,
    /// How long to wait for another node that computes the same, in milliseconds.
    pub wait_ms_max: u64,
    /// How long the server is left alone after a fault, in milliseconds.
    pub rest_ms: u64,
}

/// The name of the cache among the conditions of the node.
const CACHE: &str = "cache";

/// The first and the longest pause between two looks for what another node computes.
const LOOK_MS: u64 = 5;
const LOOK_MS_MAX: u64 = 100;

/// The server behind the memory.
pub(super) struct Far {
    settings: Settings,
    redis: Redis,
    health: Health,
    rest: Mutex<Rest>,
}

/// Whether the server is left alone.
#[derive(Default)]
struct Rest {
    resting: bool,
    /// Whether it refused the last value that it was given.
    full: bool,
    /// Looks whether it answers again.
    look: Option<AbortOnDropHandle<()>>,
}

impl Far {
    pub(super) fn new(settings: Settings, redis: Redis, health: Health) -> Arc<Far> {
        health.report(CACHE, false, None);
        Arc::new(Far { settings, redis, health, rest: Mutex::default() })
    }

    /// The value under `key`, and where it was found.
    pub(super) async fn get_or<E>(
        self: &Arc<Self>,
        key: &str,
        compute: impl Future<Output = Result<Vec<u8>, E>>,
    ) -> Result<(Vec<u8>, Place), E> {
        let (kept, lease) = (self.redis.key(&["cache", key]), self.redis.key(&["cache-lease", key]));
        if let Some(value) = self.find(&kept).await {
            return Ok((value, Place::Far));
        }
        let ours = self.take(&lease).await;
        if !ours && let Some(value) = self.wait_for(&kept, &lease).await {
            return Ok((value, Place::Far));
        }
        let computed = compute.await;
        match &computed {
            Ok(value) => self.keep(&kept, &lease, value).await,
            // Somebody else may try at once.
            Err(_) if ours => drop(self.ask::<()>(Request::Command(redis::cmd("DEL").arg(&lease))).await),
            Err(_) => {}
        }
        Ok((computed?, Place::Computed))
    }

    async fn find(self: &Arc<Self>, kept: &str) -> Option<Vec<u8>> {
        let found: Option<Vec<u8>> = self.ask(Request::Command(redis::cmd("GET").arg(kept))).await.flatten();
        unpack(&found?, self.settings.value_bytes_max)
    }

    /// Whether it is for us to compute; so it is if the server cannot say.
    async fn take(self: &Arc<Self>, lease: &str) -> bool {
        let mut command = redis::cmd("SET");
        command.arg(lease).arg(1).arg("NX").arg("PX").arg(self.settings.wait_ms_max.max(1));
        let taken: Option<Option<String>> = self.ask(Request::Command(&command)).await;
        taken.is_none_or(|taken| taken.is_some())
    }

    /// What another node computes; nothing if that takes too long or comes to nothing.
    async fn wait_for(self: &Arc<Self>, kept: &str, lease: &str) -> Option<Vec<u8>> {
        let end = Instant::now() + Duration::from_millis(self.settings.wait_ms_max);
        let mut pause_ms = LOOK_MS;
        while Instant::now() < end {
            sleep(Duration::from_millis(pause_ms)).await;
            pause_ms = (pause_ms * 2).min(LOOK_MS_MAX);
            let mut both = redis::cmd("MGET");
            both.arg(kept).arg(lease);
            let (found, held): (Option<Vec<u8>>, Option<Vec<u8>>) = self.ask(Request::Command(&both)).await?;
            match (found, held) {
                (Some(found), _) => return unpack(&found, self.settings.value_bytes_max),
                (None, None) => return None,
                (None, Some(_)) => {}
            }
        }
        None
    }

    async fn keep(self: &Arc<Self>, kept: &str, lease: &str, value: &[u8]) {
        let mut pipe = redis::pipe();
        if value.len() as u64 <= self.settings.value_bytes_max {
            pipe.cmd("SET").arg(kept).arg(pack(value)).arg("EX").arg(self.settings.ttl_seconds.max(1)).ignore();
        }
        pipe.cmd("DEL").arg(lease).ignore();
        let _: Option<()> = self.ask(Request::Pipeline(&pipe)).await;
    }

    /// The answer of the server; nothing where there is none to be had now.
    async fn ask<T: redis::FromRedisValue>(self: &Arc<Self>, request: Request<'_>) -> Option<T> {
        if self.rest.lock().resting {
            return None;
        }
        let writes = !matches!(&request, Request::Command(command) if is_read(command));
        let limit = Duration::from_millis(self.settings.answer_ms_max);
        match self.redis.ask_within(limit, request).await {
            Ok(answer) => {
                if writes && std::mem::take(&mut self.rest.lock().full) {
                    self.health.report(CACHE, false, None);
                }
                Some(answer)
            }
            Err(fault) if fault.is_silence() => {
                self.leave_alone(&fault);
                None
            }
            // It is full, or of another mind: reads go on, and so does what it takes.
            Err(fault) => {
                let known = std::mem::replace(&mut self.rest.lock().full, true);
                if !known {
                    tracing::warn!("the cache does not take what is computed: {fault}");
                    self.health.report(CACHE, false, Some(fault.to_string()));
                }
                None
            }
        }
    }

    /// Asks nothing more until a look finds that the server answers again.
    fn leave_alone(self: &Arc<Self>, fault: &Fault) {
        let mut rest = self.rest.lock();
        if std::mem::replace(&mut rest.resting, true) {
            return;
        }
        tracing::warn!("the cache is left alone until it answers again: {fault}");
        self.health.report(CACHE, false, Some(fault.to_string()));
        let (pause, far) = (Duration::from_millis(self.settings.rest_ms.max(1)), Arc::downgrade(self));
        let look = async move {
            loop {
                sleep(pause).await;
                let Some(far) = far.upgrade() else { return };
                if far.redis.ping().await.is_ok() {
                    let mut rest = far.rest.lock();
                    (rest.resting, rest.full) = (false, false);
                    far.health.report(CACHE, false, None);
                    tracing::info!("the cache answers again");
                    return;
                }
            }
        };
        rest.look = Some(AbortOnDropHandle::new(tokio::spawn(look)));
    }
}

fn is_read(command: &redis::Cmd) -> bool {
    matches!(command.args_iter().next(), Some(redis::Arg::Simple(name)) if name == b"GET" || name == b"MGET")
}
