//! Allocated ids: `ids/{id}`, created by put-if-absent with its title and the item it was made for.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError};

/// An id that emm allocated beside those of jd.yaml.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allocated {
    /// The id.
    pub code: String,
    /// Its title.
    pub title: String,
    /// The item it was made for.
    pub emm_id: String,
}

/// All allocated ids.
#[derive(Clone, Debug)]
pub struct Ids(Store);

impl Ids {
    /// The ids of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Allocates an id; `Exists` if it is taken.
    pub async fn create(&self, id: &Allocated) -> Result<(), StoreError> {
        self.0.create(&format!("ids/{}", id.code), id).await
    }

    /// Every allocated id, sorted by code.
    pub async fn all(&self) -> Result<Vec<Allocated>, StoreError> {
        let mut all = Vec::new();
        for name in self.0.names("ids").await? {
            all.push(self.0.get(&format!("ids/{name}")).await?);
        }
        Ok(all)
    }
}
