//! Published structures: `structure/{hash}`, so that every role that is told a hash means the same structure.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};
use crate::domain::jd::Structure;

/// A structure as it is stored.
#[derive(Serialize, Deserialize)]
struct Published {
    format: u32,
    structure: Structure,
}

impl Stored for Published {
    const FORMAT: u32 = 1;
}

/// All structures that were ever in force.
#[derive(Clone, Debug)]
pub struct Structures(Store);

impl Structures {
    /// The structures of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Publishes a structure under its hash, which it returns. Publishing again changes nothing.
    pub async fn publish(&self, structure: &Structure) -> Result<String, StoreError> {
        let hash = structure.hash();
        let stored = Published { format: Published::FORMAT, structure: structure.clone() };
        match self.0.create(&format!("structure/{hash}"), &stored).await {
            Ok(()) | Err(StoreError::Exists(_)) => Ok(hash),
            Err(error) => Err(error),
        }
    }

    /// The structure of this hash.
    pub async fn get(&self, hash: &str) -> Result<Structure, StoreError> {
        let stored: Published = self.0.get(&format!("structure/{hash}")).await?;
        Ok(stored.structure)
    }
}
