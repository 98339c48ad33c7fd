//! Originals that their owner moved inside the vault: found by what they are, followed, and never moved back.

use tokio::sync::OnceCell;

use super::{FileSystem, chains::append_now};
use crate::{
    backends::vault::{Vault, Weights},
    domain::custody::{Chain, Effect},
    rpc::Result,
};

/// Where an original may be: the files of a vault by their bytes, and its folders, each looked at once and when they are
/// wanted.
pub(super) struct Whereabouts<'a> {
    vault: &'a Vault,
    files: OnceCell<Weights>,
    folders: OnceCell<Weights>,
}

impl Whereabouts<'_> {
    pub(super) fn of(vault: &Vault) -> Whereabouts<'_> {
        Whereabouts { vault, files: OnceCell::new(), folders: OnceCell::new() }
    }

    /// What has the size of the original, in the order of the paths.
    async fn of_size(&self, bytes: u64, folder: bool) -> Result<&[String]> {
        let weights = match folder {
            true => self.folders.get_or_try_init(|| self.vault.weights()).await?,
            false => self.files.get_or_try_init(|| self.sizes()).await?,
        };
        Ok(weights.get(&bytes).map(Vec::as_slice).unwrap_or_default())
    }

    async fn sizes(&self) -> Result<Weights> {
        let mut sizes = Weights::default();
        for file in self.vault.list().await?.files {
            sizes.entry(file.size_bytes).or_default().push(file.path);
        }
        Ok(sizes)
    }
}

impl FileSystem {
    /// Looks for an original that is not where the journal has it, and says in the journal where it is; gives the chain then.
    ///
    /// Only what has the size of the original is hashed: else the whole vault would be read.
    pub(super) async fn follow_original(
        &self,
        emm_id: &str,
        chain: &Chain,
        whereabouts: &Whereabouts<'_>,
    ) -> Result<Option<Chain>> {
        let original = chain.plan.as_ref().and_then(|(_, plan)| plan.original.clone());
        let Some(from) = original.filter(|_| chain.in_vault()) else { return Ok(None) };
        if self.is_original(chain, &from).await {
            return Ok(None);
        }
        for path in whereabouts.of_size(chain.origin.bytes, chain.origin.folder).await? {
            if !self.is_original(chain, path).await {
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
        let whereabouts = Whereabouts::of(&self.parts.vault);
        for (emm_id, path) in self.chains.trees_by_item().await? {
            if self.parts.vault.exists(&path).await? {
                continue;
            }
            let Some(chain) = self.chains.get(&emm_id).await? else { continue };
            self.follow_original(&emm_id, &chain, &whereabouts).await?;
        }
        Ok(())
    }
}
