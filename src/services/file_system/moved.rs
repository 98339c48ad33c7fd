//! Originals that their owner moved inside the vault: found by what they are, followed, and never moved back.

use super::{FileSystem, chains::append_now};
use crate::{
    backends::vault::Listing,
    domain::custody::{Chain, Effect},
    rpc::Result,
};

impl FileSystem {
    /// Looks for an original that is not where the journal has it, and says in the journal where it is; gives the chain then.
    ///
    /// Only what has the size of the original is hashed: else the whole vault would be read.
    pub(super) async fn follow_original(
        &self,
        emm_id: &str,
        chain: &Chain,
        listing: &Listing,
    ) -> Result<Option<Chain>> {
        let original = chain.plan.as_ref().and_then(|(_, plan)| plan.original.clone());
        let Some(from) = original.filter(|_| chain.in_vault()) else { return Ok(None) };
        if self.is_original(chain, &from).await {
            return Ok(None);
        }
        let candidates = match chain.origin.folder {
            true => self.parts.vault.folders_of(chain.origin.bytes).await?,
            false => of_size(chain.origin.bytes, listing),
        };
        for path in candidates {
            if !self.is_original(chain, &path).await {
                continue;
            }
            tracing::info!(emm_id, from, original = path, "its owner moved the original");
            return append_now(&self.chains, emm_id, "by hand", |chain| {
                let plan = chain.plan.as_ref().map(|(_, plan)| plan);
                let still = plan.is_some_and(|plan| plan.original.as_ref() == Some(&from));
                let effect = Effect::OriginalMoved { from: from.clone(), original: path.clone() };
                (chain.in_vault() && still).then_some(effect)
            })
            .await;
        }
        Ok(None)
    }

    /// Whether what lies at this path has the bytes of the original.
    pub(super) async fn is_original(&self, chain: &Chain, path: &str) -> bool {
        let hash = self.original_hash(path, chain.origin.folder).await;
        hash.is_ok_and(|hash| hash.to_hex().as_str() == chain.origin.hash)
    }

    /// Follows the folders that are one thing: what lies in them is none of its owner's notes, wherever they are.
    pub(super) async fn follow_trees(&self) -> Result<()> {
        let mut listing = None;
        for (emm_id, path) in self.chains.trees_by_item().await? {
            if self.parts.vault.exists(&path).await? {
                continue;
            }
            let Some(chain) = self.chains.get(&emm_id).await? else { continue };
            let listing = match &mut listing {
                Some(listing) => listing,
                none => none.insert(self.parts.vault.list().await?),
            };
            self.follow_original(&emm_id, &chain, listing).await?;
        }
        Ok(())
    }
}

/// The files of a size, in the order of their paths.
fn of_size(bytes: u64, listing: &Listing) -> Vec<String> {
    listing.files.iter().filter(|file| file.size_bytes == bytes).map(|file| file.path.clone()).collect()
}
