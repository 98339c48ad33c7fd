//! What is due from time to time: expired trash, and projections that are to be made again.

use std::time::Duration;

use super::FileSystem;
use crate::{
    contracts::file_system::{Reindex, Reindexed},
    life::Shutdown,
    rpc::{Answer, Error, Result},
};

impl FileSystem {
    /// Clears expired trash until shutdown.
    pub async fn upkeep(&self, stop: Shutdown) -> Result<()> {
        let pause = Duration::from_secs(self.parts.settings.expiry_seconds.max(1));
        loop {
            let (inbox, trash) = (self.parts.inbox.clone(), self.parts.trash.clone());
            let (today, days) = (self.parts.clock.today(), self.parts.settings.trash_retention_days);
            let expired = tokio::task::spawn_blocking(move || inbox.expire(&trash, &today, days)).await;
            match expired.map_err(Error::internal)? {
                Ok(days) if days.is_empty() => {}
                Ok(days) => tracing::info!(?days, "expired trash was cleared"),
                Err(error) => tracing::warn!("the trash cannot be cleared: {error}"),
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                self.parts.parsers.close().await;
                return Ok(());
            }
        }
    }
}

impl Answer<Reindex> for FileSystem {
    async fn answer(&self, _: Reindex) -> Result<Reindexed> {
        self.chains.forget().await?;
        let items = self.chains.heal().await?;
        let notes = self.rebuild_index().await?;
        Ok(Reindexed { items, notes })
    }
}

impl FileSystem {
    /// Fills a new index beside the old one, and swaps them. Returns how many notes it has.
    pub(super) async fn rebuild_index(&self) -> Result<usize> {
        let index = self.parts.index.clone();
        let begun = tokio::task::spawn_blocking(move || index.begin_rebuild()).await.map_err(Error::internal)?;
        let mut rebuild = begun.map_err(Error::unavailable)?;
        for file in self.listed().await?.files {
            let Some((doc, _)) = self.note(&file).await else { continue };
            let added = tokio::task::spawn_blocking(move || rebuild.add(&doc).map(|()| rebuild)).await;
            rebuild = added.map_err(Error::internal)?.map_err(Error::unavailable)?;
        }
        let notes = rebuild.added();
        tokio::task::spawn_blocking(move || rebuild.finish())
            .await
            .map_err(Error::internal)?
            .map_err(Error::unavailable)?;
        Ok(notes as usize)
    }
}
