//! The cache: pure results under immutable keys. Whatever is in it may vanish, and nothing in it ever goes stale.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use moka::future::Cache as Moka;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How large the cache may grow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Which cache: `memory`.
    pub backend: Backend,
    /// The cache of a laptop.
    pub memory: Memory,
}

/// Which cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// In the memory of the process.
    Memory,
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
pub enum Cache {
    /// In the memory of the process.
    Memory(Moka<String, Arc<Vec<u8>>>),
}

impl Cache {
    /// The configured cache.
    pub fn new(settings: &Settings) -> Cache {
        match settings.backend {
            Backend::Memory => Cache::Memory(
                Moka::builder()
                    .max_capacity(settings.memory.bytes_max)
                    .weigher(|key: &String, value: &Arc<Vec<u8>>| {
                        (key.len() + value.len()).try_into().unwrap_or(u32::MAX)
                    })
                    .build(),
            ),
        }
    }

    /// The value under `key`, computed once however many ask at the same time. An error is not kept.
    pub async fn get_or<T, E, F>(&self, key: String, compute: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<serde_json::Error> + Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, E>>,
    {
        let Cache::Memory(moka) = self;
        let hit = AtomicBool::new(true);
        let compute = async {
            hit.store(false, Ordering::Relaxed);
            Ok::<_, E>(Arc::new(serde_json::to_vec(&compute.await?)?))
        };
        let bytes = moka.try_get_with(key, compute).await.map_err(|error: Arc<E>| (*error).clone())?;
        metrics::counter!("emm_cache_lookups_total", "hit" => if hit.load(Ordering::Relaxed) { "true" } else { "false" }).increment(1);
        Ok(serde_json::from_slice(&bytes)?)
    }
}
