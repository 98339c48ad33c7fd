//! What an earlier process left half done is finished, or taken back where its owner took the original away.

use std::time::Duration;

use super::{
    FileSystem,
    filing::{item_of, parse_hash},
};
use crate::{
    contracts::file_system::{Decision, Item},
    domain::custody::{Chain, Effect, Plan, Standing},
    fault,
    rpc::Result,
};

/// How long a node waits for another one to be done with its recovery: longer than the lease of one that vanished.
const TURN: Duration = Duration::from_secs(8);

impl FileSystem {
    /// Recovers after other nodes that do the same, for then there is nothing left to do. Two at once do no harm.
    pub(super) async fn recover_in_turn(&self) -> Result<usize> {
        let held = self.parts.state.hold_within("recovery", TURN).await?;
        let finished = self.recover().await;
        if let Some(held) = held {
            held.let_go().await;
        }
        finished
    }

    /// Finishes every intent that the journal has and no effect after it. Returns how many there were.
    async fn recover(&self) -> Result<usize> {
        let mut finished = 0;
        for (standing, what) in [(Standing::Undoing, "an undo"), (Standing::Filing, "a filing")] {
            for (emm_id, _) in self.chains.all(Some(standing)).await? {
                match self.in_turn(&emm_id, Box::pin(self.recover_one(&emm_id, standing))).await? {
                    Ok(()) => finished += 1,
                    // It stays as it is, and its bytes where they are: the next start or sweep tries again.
                    Err(error) => tracing::warn!(%emm_id, "{what} that was interrupted cannot go on yet: {error}"),
                }
            }
        }
        for standing in [Standing::Review, Standing::Undone, Standing::Skipped, Standing::Withdrawn] {
            let abandoned = self.chains.all(Some(standing)).await?.into_iter().filter(|(_, it)| it.abandoned.is_some());
            for (emm_id, _) in abandoned {
                self.in_turn(&emm_id, Box::pin(self.recover_one(&emm_id, standing))).await??;
            }
        }
        Ok(finished)
    }

    /// Clears the temporaries that a killed process left beside what the plan names, and no others.
    async fn discard_temporaries(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        let ours = vec![parse_hash(&plan.note_hash)?, parse_hash(&chain.origin.hash)?];
        for path in plan.original.iter().chain([&plan.note]) {
            self.parts.vault.discard_temporaries(path, emm_id, ours.clone()).await?;
        }
        Ok(())
    }

    /// Goes on with one item, if it is still of this standing: the journal itself says so, for another node may be at it.
    async fn recover_one(&self, emm_id: &str, standing: Standing) -> Result<()> {
        let chain = self.chains.reload(emm_id).await?.filter(|chain| chain.standing == standing);
        let Some(chain) = chain else { return Ok(()) };
        match (standing, &chain.plan) {
            (Standing::Undoing, Some((_, plan))) => {
                if let Err(error) = self.discard_temporaries(emm_id, &chain, plan).await {
                    tracing::warn!(emm_id, "what an interrupted undo left cannot be cleared yet: {error}");
                }
                self.reverse(emm_id, &chain, plan, "recovery").await.map(drop)
            }
            (Standing::Filing, Some((_, plan))) => self.finish_filing(emm_id, &chain, plan).await,
            _ => self.take_back(emm_id, &chain).await,
        }
    }

    async fn finish_filing(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        self.discard_temporaries(emm_id, chain, plan).await?;
        // Other bytes at its place are another item's.
        let there = self.hash_in_inbox(chain).await?.is_some_and(|hash| hash == chain.origin.hash);
        if there {
            let item = Item { standing: Some(chain.standing), ..item_of(emm_id, &chain.origin) };
            let decision = Decision::from(plan);
            return self.file_in_turn(item, decision, "recovery".into()).await.map(drop);
        }
        self.finish_without_inbox(emm_id, chain, plan).await
    }

    /// The original left the inbox after the intent: what is whole in the vault stays, what is not is taken back.
    async fn finish_without_inbox(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        let has = async |path: &str, hash: &str, folder: bool| {
            self.original_hash(path, folder).await.is_ok_and(|found| found.to_hex().as_str() == hash)
        };
        let note = has(&plan.note, &plan.note_hash, false).await;
        let original = match &plan.original {
            Some(path) => has(path, &chain.origin.hash, chain.origin.folder).await,
            None => true,
        };
        if let (true, true, Some((number, _))) = (note, original, &chain.plan) {
            return self
                .chains
                .append(emm_id, Some(chain), "recovery", Effect::Filed { plan: *number })
                .await
                .map(drop);
        }
        self.give_up(emm_id, chain, "its owner took it back before it was filed", "recovery").await?;
        let chain = self.chains.get(emm_id).await?.filter(|chain| chain.standing.in_inbox());
        match chain {
            Some(chain) => self.chains.append(emm_id, Some(&chain), "recovery", Effect::Withdrawn).await.map(drop),
            None => Ok(()),
        }
    }

    /// Gives a plan up: first the journal, for who comes second there must not touch the vault; then what it had done.
    pub(super) async fn give_up(&self, emm_id: &str, chain: &Chain, reason: &str, run: &str) -> Result<()> {
        let effect = Effect::Abandoned { reason: reason.to_owned() };
        match self.chains.append(emm_id, Some(chain), run, effect).await? {
            Some(chain) => self.take_back(emm_id, &chain).await,
            None => Ok(()),
        }
    }

    /// Removes what an abandoned plan had written, if it is still as it was written; and its lesson. Once: what comes to lie
    /// at the same place later is its owner's.
    async fn take_back(&self, emm_id: &str, chain: &Chain) -> Result<()> {
        let Some(plan) = &chain.abandoned else { return Ok(()) };
        fault!("abandoned: before it is taken back");
        self.leave_no_trace(emm_id, chain, plan).await?;
        if plan.why.by_person {
            self.forget_lesson(emm_id).await?;
        }
        fault!("abandoned: after it is taken back");
        self.chains.append(emm_id, Some(chain), "recovery", Effect::TakenBack).await.map(drop)
    }

    /// Removes what a plan had written that is not in force: what is as it was written, and is not of the plan that is.
    pub(super) async fn leave_no_trace(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        let in_force = chain.plan.as_ref().map(|(_, plan)| plan);
        let ours = async |path: &str, hash: &str, folder: bool| {
            let kept = in_force.is_some_and(|plan| plan.note == path || plan.original.as_deref() == Some(path));
            !kept && self.original_hash(path, folder).await.is_ok_and(|found| found.to_hex().as_str() == hash)
        };
        let origin = &chain.origin;
        if plan.note_hash != origin.hash && ours(&plan.note, &plan.note_hash, false).await {
            self.remove(&plan.note, &plan.note_hash, emm_id, false).await?;
        }
        // A note that nothing was added to is the original as well.
        let original = plan.original.as_ref().or((plan.note_hash == origin.hash).then_some(&plan.note));
        if let Some(path) = original
            && ours(path, &origin.hash, origin.folder).await
        {
            let kept = match in_force.and_then(|plan| plan.original.as_ref()) {
                Some(original) => self.is_original(chain, original).await,
                None => self.hash_in_inbox(chain).await?.as_ref() == Some(&origin.hash),
            };
            if kept {
                self.remove(path, &origin.hash, emm_id, origin.folder).await?;
            } else {
                // Its owner may have put it there himself: it has the same bytes, and no other copy is known.
                tracing::info!(
                    emm_id,
                    path,
                    "the plan for it was given up, and it stays: no other copy of it is known"
                );
            }
        }
        Ok(())
    }
}
