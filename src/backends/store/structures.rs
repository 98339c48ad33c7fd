//! Published structures: `structure/{hash}`, so that every role that is told a hash means the same structure; and the
//! log of those that were put in force, `structure-log/{number}`, so that a start knows the last one.

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

/// One entry of the log: from here on this structure was in force.
#[derive(Serialize, Deserialize)]
struct InForce {
    format: u32,
    hash: String,
}

impl Stored for InForce {
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

    /// Publishes a structure and notes that it is in force from now on; returns its hash.
    pub async fn put_in_force(&self, structure: &Structure) -> Result<String, StoreError> {
        let hash = self.publish(structure).await?;
        loop {
            let (number, last) = self.newest().await?;
            if last.as_ref() == Some(&hash) {
                return Ok(hash);
            }
            let entry = InForce { format: InForce::FORMAT, hash: hash.clone() };
            match self.0.create(&entry_path(number + 1), &entry).await {
                Ok(()) => return Ok(hash),
                // Another replica came first: its entry may say the same.
                Err(StoreError::Exists(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The structure that was put in force last, if any ever was.
    pub async fn last_in_force(&self) -> Result<Option<Structure>, StoreError> {
        match self.newest().await?.1 {
            Some(hash) => self.get(&hash).await.map(Some),
            None => Ok(None),
        }
    }

    /// The newest entry of the log: its number, 0 if there is none, and the hash in it.
    async fn newest(&self) -> Result<(u64, Option<String>), StoreError> {
        let names = self.0.names("structure-log").await?;
        let Some(number) = names.iter().filter_map(|name| name.parse().ok()).max() else { return Ok((0, None)) };
        let entry: InForce = self.0.get(&entry_path(number)).await?;
        Ok((number, Some(entry.hash)))
    }

    /// The structure of this hash.
    pub async fn get(&self, hash: &str) -> Result<Structure, StoreError> {
        let stored: Published = self.0.get(&format!("structure/{hash}")).await?;
        Ok(stored.structure)
    }
}

/// Ten digits keep the entries in order when names are sorted.
fn entry_path(number: u64) -> String {
    format!("structure-log/{number:010}")
}
