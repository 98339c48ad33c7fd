//! Published structures: `structure/{hash}`, so that every role that is told a hash means the same structure.

use super::{Store, StoreError};
use crate::domain::jd::Structure;

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
        match self.0.create(&format!("structure/{hash}"), structure).await {
            Ok(()) | Err(StoreError::Exists(_)) => Ok(hash),
            Err(error) => Err(error),
        }
    }

    /// The structure of this hash.
    pub async fn get(&self, hash: &str) -> Result<Structure, StoreError> {
        self.0.get(&format!("structure/{hash}")).await
    }
}
