//! Items that stay out of the vault: waiting for a person, skipped, or in quarantine.

use super::{
    FileSystem,
    chains::ATTEMPTS_MAX,
    filing::{origin, parse_hash},
};
use crate::{
    backends::inbox::{InboxError, Trashed},
    contracts::file_system::{Held, Hold, Item},
    domain::custody::{Chain, Effect, Standing},
    fault,
    rpc::{Error, Result},
};

/// The dated folder of quarantined items: a date that never expires, for the trash inside an inbox is cleared by date.
pub(super) const NEVER: &str = "9999-12-31";

impl FileSystem {
    pub(super) async fn hold(&self, request: Hold) -> Result<Standing> {
        let Hold { item, why, run } = request;
        for _ in 0..ATTEMPTS_MAX {
            let chain = self.chains.get(&item.emm_id).await?;
            if let Some(chain) = &chain
                && (chain.in_vault() || chain.standing == Standing::Undoing)
            {
                return Ok(chain.standing);
            }
            if let Some(chain) = chain.as_ref().filter(|chain| chain.standing == Standing::Filing) {
                // A filing that failed, and was decided otherwise since.
                self.give_up(&item.emm_id, chain, "it was decided anew", &run).await?;
                continue;
            }
            let Some(effect) = held(&item, &why, chain.as_ref()) else {
                return self.finish_holding(&item, chain.map_or(Standing::Review, |chain| chain.standing)).await;
            };
            if let Some(chain) = self.chains.append(&item.emm_id, chain.as_ref(), &run, effect).await?
                && held(&item, &why, Some(&chain)).is_none()
            {
                fault!("holding: after the journal");
                return self.finish_holding(&item, chain.standing).await;
            }
        }
        Err(Error::conflict(format!("{} is being changed by others all the time; try again", item.place)))
    }

    /// What a standing asks for beyond the journal: a quarantined item leaves the inbox.
    async fn finish_holding(&self, item: &Item, standing: Standing) -> Result<Standing> {
        if standing != Standing::Quarantined {
            return Ok(standing);
        }
        let (quarantine, hash) = (&self.parts.quarantine, parse_hash(&item.hash)?);
        match self.parts.inbox.take_to_trash(&item.place, hash, (quarantine, NEVER), &item.emm_id).await {
            Ok(_) | Err(InboxError::NotFound { .. } | InboxError::Changed { .. }) => Ok(standing),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a quarantined item back into the inbox.
    pub(super) async fn release(&self, emm_id: &str) -> Result<Standing> {
        let chain = self.chains.get(emm_id).await?.ok_or_else(|| Error::not_found(format!("no item {emm_id}")))?;
        if chain.standing != Standing::Quarantined {
            return Err(Error::invalid(format!(
                "item {emm_id} is not in quarantine: it is {}",
                chain.standing.as_str()
            )));
        }
        let held = self.in_quarantine(emm_id).await?;
        let first = held.into_iter().next();
        let first = first.ok_or_else(|| Error::not_found(format!("the quarantine does not hold {emm_id} any more")))?;
        let place = self.parts.inbox.restore(&first, &self.parts.quarantine, &chain.origin.place).await?;
        fault!("release: before the journal");
        let released = self.chains.append(emm_id, Some(&chain), "release", Effect::Released { place }).await?;
        self.nudge();
        released
            .map(|chain| chain.standing)
            .ok_or_else(|| Error::conflict(format!("item {emm_id} changed; look again")))
    }

    pub(super) async fn in_quarantine(&self, emm_id: &str) -> Result<Vec<Trashed>> {
        Ok(self.parts.inbox.find_in_trash(&self.parts.quarantine, NEVER, emm_id).await?)
    }
}

/// The effect that is still missing in the chain; nothing if it says what is wanted already.
fn held(item: &Item, why: &Held, chain: Option<&Chain>) -> Option<Effect> {
    let Some(chain) = chain else { return Some(Effect::Seen { origin: origin(item), plan: None }) };
    let same_place = chain.origin.place == item.place;
    match (why, chain.standing) {
        (Held::Review, Standing::Review | Standing::Undone) if same_place => None,
        // Skipped since it was listed: only who saw that it was skipped may ask again.
        (Held::Review, Standing::Skipped) if item.standing != Some(Standing::Skipped) => None,
        // It came back, lies elsewhere now, or is asked about again although it was skipped.
        (Held::Review, _) => Some(Effect::Released { place: item.place.clone() }),
        (Held::Skipped, Standing::Skipped) => None,
        (Held::Skipped, _) => Some(Effect::Skipped),
        (Held::Quarantine { .. }, Standing::Quarantined) => None,
        (Held::Quarantine { reason }, _) => Some(Effect::Quarantined { origin: origin(item), reason: reason.clone() }),
    }
}
