//! The identity of a store: one object, made with the store, that tells it from every other one.

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};

pub(super) const PATH: &str = "identity";

#[derive(Serialize, Deserialize)]
struct Identity {
    format: u32,
    id: String,
}

impl Stored for Identity {
    const FORMAT: u32 = 1;
}

impl Store {
    /// Its identity; nothing if nobody has used it yet, or if this is not the store but the empty folder it belongs in.
    pub async fn identity(&self) -> Result<Option<String>, StoreError> {
        match self.get::<Identity>(PATH).await {
            Ok(identity) => Ok(Some(identity.id)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its identity, given to it now if it has none. All who do so at once get the same.
    pub async fn identify(&self) -> Result<String, StoreError> {
        if let Some(id) = self.identity().await? {
            return Ok(id);
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        match self.create(PATH, &Identity { format: Identity::FORMAT, id: id.clone() }).await {
            Ok(()) => Ok(id),
            Err(StoreError::Exists(_)) => Ok(self.get::<Identity>(PATH).await?.id),
            Err(error) => Err(error),
        }
    }
}
