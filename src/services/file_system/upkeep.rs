//! What is due from time to time: expired trash, and projections that are to be made again.

use std::{path::PathBuf, time::Duration};

use jiff::SignedDuration;

use super::FileSystem;
use crate::{
    backends::inbox::Expired,
    contracts::file_system::{Reindex, Reindexed},
    life::Shutdown,
    rpc::{Answer, Error, Result},
    services::blocking::blocking,
};

/// The pause between two tries to make the projection again.
const HEAL_PAUSE: Duration = Duration::from_millis(200);

impl FileSystem {
    /// Clears expired trash until shutdown.
    pub async fn upkeep(&self, stop: Shutdown) -> Result<()> {
        let pause = Duration::from_secs(self.parts.settings.expiry_seconds.max(1));
        loop {
            if !self.parts.read_only {
                // One node is enough for it.
                if let Some(held) = self.parts.state.hold("upkeep").await? {
                    let cleared = self.clear_trash().await;
                    held.let_go().await;
                    cleared?;
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Makes the projection again whenever a server lost it, until shutdown.
    pub async fn keep_whole(&self, stop: Shutdown) -> Result<()> {
        while stop.run_until_cancelled(self.parts.state.lost()).await.is_some() {
            let healed = stop.run_until_cancelled(self.chains.heal()).await;
            let fault = match healed {
                None => break,
                Some(Ok(items)) => {
                    tracing::warn!(
                        items,
                        "the state had lost something, or its server was away; it is made again from the journal"
                    );
                    // The notes that were known, and the questions that were asked, may be lost as well.
                    self.nudge_knowledge();
                    self.nudge();
                    None
                }
                Some(Err(error)) => Some(error.message),
            };
            let failed = fault.is_some();
            self.parts.health.report("state", true, fault);
            if failed && stop.run_until_cancelled(tokio::time::sleep(HEAL_PAUSE)).await.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Ends the parser processes, and with them what they still read; and has on disk what was only to be written soon.
    pub async fn close(&self) {
        self.parts.parsers.close().await;
        // What is not written now is made again at the next start.
        let _ = self.parts.state.write(Vec::new()).await;
    }

    /// Clears what is older than the retention, but only while every item is accounted for: as long as an original is
    /// missing or changed in the vault, the trash may hold its last copy.
    async fn clear_trash(&self) -> Result<()> {
        let (inbox, days) = (&self.parts.inbox, self.parts.settings.trash_retention_days);
        let age = SignedDuration::from_hours(24 * i64::from(days));
        let Ok(last) = self.parts.clock.now().checked_sub(age) else { return Ok(()) };
        let last = last.strftime("%Y-%m-%d").to_string();
        let mut due = Vec::new();
        for trash in [&self.parts.trash, &self.parts.vault_trash] {
            if !due.contains(&trash) && inbox.has_days_before(trash, &last).await {
                due.push(trash);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        let account = self.verify().await?;
        // Also what was not looked at, as while a projection is being made again.
        let violations = account.violations.len().max(account.seen.saturating_sub(account.accounted));
        let fault = (violations > 0)
            .then(|| format!("the trash is kept: {violations} items are not accounted for; run 'emm verify'"));
        self.parts.health.report("custody", false, fault.clone());
        if let Some(fault) = fault {
            tracing::warn!("{fault}");
            return Ok(());
        }
        for trash in due {
            match inbox.expire(trash, &self.parts.clock.today(), days).await {
                Ok(Expired { days, kept }) => {
                    if !days.is_empty() {
                        tracing::info!(?days, "expired trash was cleared");
                    }
                    self.tell_of_late_writes(&kept);
                }
                Err(error) => tracing::warn!("the trash cannot be cleared: {error}"),
            }
        }
        Ok(())
    }
}

impl FileSystem {
    /// Somebody had a file open when it was filed and went on writing: the last version is in the trash, and nowhere else.
    fn tell_of_late_writes(&self, kept: &[PathBuf]) {
        let Some(first) = kept.first() else { return };
        let (count, first) = (kept.len(), first.display());
        let fault = format!(
            "{count} originals in the trash were written to after they had been filed, such as {first}: they are kept; move \
             them into the inbox to have the newer version filed"
        );
        tracing::warn!("{fault}");
        self.parts.health.report("custody", false, Some(fault));
    }
}

impl Answer<Reindex> for FileSystem {
    async fn answer(&self, _: Reindex) -> Result<Reindexed> {
        self.may_write("reindex")?;
        let items = self.chains.remake().await?;
        let notes = self.rebuild_index().await?;
        Ok(Reindexed { items, notes })
    }
}

impl FileSystem {
    /// Fills a new index beside the old one, and swaps them. Returns how many notes it has.
    pub(super) async fn rebuild_index(&self) -> Result<usize> {
        let index = self.parts.index.clone();
        let begun = blocking(move || index.begin_rebuild()).await?;
        let mut rebuild = begun.map_err(Error::unavailable)?;
        for file in self.listed().await?.files {
            let Some((doc, _)) = self.note(&file).await else { continue };
            let added = blocking(move || rebuild.add(&doc).map(|()| rebuild)).await;
            rebuild = added.map_err(Error::internal)?.map_err(Error::unavailable)?;
        }
        let notes = rebuild.added();
        blocking(move || rebuild.finish()).await?.map_err(Error::unavailable)?;
        Ok(notes as usize)
    }
}
