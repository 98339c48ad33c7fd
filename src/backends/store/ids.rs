//! Allocated ids: `ids/{id}`, created by put-if-absent with its title and the item it was made for.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};

/// An id that emm allocated beside those of jd.yaml.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allocated {
    /// The version of this form.
    pub format: u32,
    /// The id.
    pub code: String,
    /// Its title.
    pub title: String,
    /// The item it was made for.
    pub emm_id: String,
}

impl Stored for Allocated {
    const FORMAT: u32 = 1;
}

/// All allocated ids.
#[derive(Clone, Debug)]
pub struct Ids(Store);

impl Allocated {
    /// An id in the form of this build.
    pub fn new(code: String, title: String, emm_id: String) -> Self {
        Self { format: Self::FORMAT, code, title, emm_id }
    }
}

impl Ids {
    /// The ids of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Allocates an id; `Exists` if it is taken.
    pub async fn create(&self, id: &Allocated) -> Result<(), StoreError> {
        self.0.create(&format!("ids/{}", id.code), id).await
    }

    /// The code of every allocated id, sorted.
    pub async fn codes(&self) -> Result<Vec<String>, StoreError> {
        self.0.names("ids").await
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
