//! The cache: pure results under immutable keys. Whatever is in it may vanish, and nothing in it ever goes stale.
//!
//! Near is the memory of the process; far, where several nodes share one, is a server behind it. A value is computed once
//! in a process, however many ask at the same time, and mostly once among all nodes.

mod far;
mod packed;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use moka::future::Cache as Moka;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::far::Far;
pub use self::far::Settings as FarSettings;
use super::redis::Redis;
use crate::life::Health;

/// How large the cache may grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which cache: `memory` or `redis`.
    pub backend: Backend,
    /// The cache of a laptop.
    pub memory: Memory,
    /// The cache of several nodes.
    pub redis: FarSettings,
}

/// Which cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// In the memory of the process.
    Memory,
    /// On a server, with some memory of the process before it.
    Redis,
}

/// The cache of a laptop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The size of all values together, in bytes.
    pub bytes_max: u64,
}

/// A cache; cheap to clone.
#[derive(Clone)]
pub struct Cache {
    near: Moka<String, Arc<Vec<u8>>>,
    far: Option<Arc<Far>>,
    counts: Arc<Counters>,
}

/// How a computation ends whose result is not to be kept.
#[derive(Debug, Clone)]
pub enum Unkept<T, E> {
    /// It has a result, but that belongs under another key, or to this moment only.
    Value(T),
    /// It failed.
    Error(E),
}

impl<T, E: From<serde_json::Error>> From<serde_json::Error> for Unkept<T, E> {
    fn from(error: serde_json::Error) -> Self {
        Unkept::Error(error.into())
    }
}

impl<T, E> Unkept<T, E> {
    /// The result of a computation, whether it was kept or not.
    pub fn settle(result: Result<T, Self>) -> Result<T, E> {
        match result {
            Ok(value) | Err(Unkept::Value(value)) => Ok(value),
            Err(Unkept::Error(error)) => Err(error),
        }
    }
}

/// How often a value was asked for, by where it was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// In the memory of the process, or just being computed there.
    pub near: u64,
    /// On the server.
    pub far: u64,
    /// Nowhere: it was computed.
    pub computed: u64,
}

#[derive(Default)]
struct Counters {
    near: AtomicU64,
    far: AtomicU64,
    computed: AtomicU64,
}

/// Where a value came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Near,
    Far,
    Computed,
}

impl Cache {
    /// The cache of a laptop.
    pub fn in_memory(settings: &Memory) -> Cache {
        Cache { near: near(settings.bytes_max), far: None, counts: Arc::default() }
    }

    /// The cache that several nodes share. How the server is, is told to `health`.
    pub fn on_server(settings: &FarSettings, server: Redis, health: Health) -> Cache {
        let far = Far::new(settings.clone(), server, health);
        Cache { near: near(settings.near_bytes_max), far: Some(far), counts: Arc::default() }
    }

    /// The value under `key`, computed once however many ask at the same time. An error is not kept.
    pub async fn get_or<T, E, F>(&self, key: String, compute: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<serde_json::Error> + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>>,
    {
        if let Some(bytes) = self.near.get(&key).await {
            self.count(Place::Near);
            return Ok(serde_json::from_slice(&bytes)?);
        }
        let mut place = Place::Near;
        let missing = async {
            let compute = async { Ok::<_, E>(serde_json::to_vec(&compute.await?)?) };
            let (bytes, found) = match &self.far {
                Some(far) => far.get_or(&key, compute).await?,
                None => (compute.await?, Place::Computed),
            };
            place = found;
            Ok::<_, E>(Arc::new(bytes))
        };
        let bytes =
            self.near.try_get_with_by_ref(key.as_str(), missing).await.map_err(|error: Arc<E>| (*error).clone())?;
        self.count(place);
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// How often a value was asked for so far.
    pub fn counts(&self) -> Counts {
        let Counters { near, far, computed } = &*self.counts;
        let [near, far, computed] = [near, far, computed].map(|it| it.load(Ordering::Relaxed));
        Counts { near, far, computed }
    }

    fn count(&self, place: Place) {
        let (counter, name) = match place {
            Place::Near => (&self.counts.near, "near"),
            Place::Far => (&self.counts.far, "far"),
            Place::Computed => (&self.counts.computed, "none"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("emm_cache_lookups_total", "found" => name).increment(1);
    }
}

fn near(bytes_max: u64) -> Moka<String, Arc<Vec<u8>>> {
    Moka::builder()
        .max_capacity(bytes_max)
        .weigher(|key: &String, value: &Arc<Vec<u8>>| (key.len() + value.len()).try_into().unwrap_or(u32::MAX))
        .build()
}
