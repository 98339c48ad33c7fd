//! The journal: for each item a chain of links, `journal/{shard}/{emm_id}-{number}`.
//!
//! Creating link `n` by put-if-absent is the commit; who comes second has lost and looks again. The 256 shards keep a
//! folder small without costing a new folder for each item.

use std::collections::BTreeMap;

use super::{Store, StoreError, Stored};
use crate::domain::custody::{FORMAT, Link};

impl Stored for Link {
    const FORMAT: u32 = FORMAT;
}

/// The chains of all items.
#[derive(Clone, Debug)]
pub struct Journal(Store);

impl Journal {
    /// The journal of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Commits one effect. `Exists` means that someone else committed link `number` first.
    pub async fn append(&self, emm_id: &str, number: u32, link: &Link) -> Result<(), StoreError> {
        self.0.create(&path(emm_id, number), link).await
    }

    /// The links of an item from `first` on, up to the first that is not there.
    pub async fn links(&self, emm_id: &str, first: u32) -> Result<Vec<Link>, StoreError> {
        let mut links = Vec::new();
        loop {
            match self.0.get::<Link>(&path(emm_id, first + links.len() as u32)).await {
                Ok(link) => links.push(link),
                Err(StoreError::NotFound(_)) => return Ok(links),
                Err(error) => return Err(error),
            }
        }
    }

    /// How many links each item has. A gap in a chain is damage.
    pub async fn lengths(&self) -> Result<BTreeMap<String, u32>, StoreError> {
        let mut lengths = BTreeMap::<String, u32>::new();
        let mut gaps = BTreeMap::new();
        for name in self.0.names("journal").await? {
            let damaged =
                |reason: &str| StoreError::Damaged { path: format!("journal/{name}"), reason: reason.to_owned() };
            let (_, file) = name.split_once('/').ok_or_else(|| damaged("it lies in no shard"))?;
            let Some((emm_id, number)) = file.split_once('-') else { return Err(damaged("its name is no link's")) };
            let number: u32 = number.parse().map_err(|_| damaged("its name has no number"))?;
            let length = lengths.entry(emm_id.to_owned()).or_default();
            if number != *length {
                gaps.insert(emm_id.to_owned(), damaged(&format!("link {length} before it is missing")));
            }
            *length = number + 1;
        }
        for (emm_id, damaged) in gaps {
            // A listing of what grows meanwhile may have the later of two links and not the one before it.
            let links = self.links(&emm_id, 0).await?.len() as u32;
            let length = lengths.entry(emm_id).or_default();
            if links < *length {
                return Err(damaged);
            }
            *length = links;
        }
        Ok(lengths)
    }
}

/// Six digits keep the links of a chain in order when names are sorted.
fn path(emm_id: &str, number: u32) -> String {
    let shard: String = emm_id.chars().take(2).collect();
    format!("journal/{shard}/{emm_id}-{number:06}")
}
