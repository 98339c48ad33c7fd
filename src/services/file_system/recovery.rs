//! What an earlier process left half done is finished, or taken back where its owner took the original away.

use std::time::Duration;

use super::{FileSystem, filing::parse_hash};
use crate::{
    contracts::file_system::{Decision, File, Item},
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
        for (emm_id, chain) in self.chains.all(Some(Standing::Undoing)).await? {
            let Some((_, plan)) = &chain.plan else { continue };
            let cleared = self.discard_temporaries(&emm_id, &chain, plan).await;
            if let Err(error) = cleared {
                tracing::warn!(%emm_id, "what an interrupted undo left cannot be cleared yet: {error}");
            }
            match self.reverse(&emm_id, &chain, plan, "recovery").await {
                Ok(_) => finished += 1,
                Err(error) => tracing::warn!(%emm_id, "an undo that was interrupted cannot go on yet: {error}"),
            }
        }
        for (emm_id, chain) in self.chains.all(Some(Standing::Filing)).await? {
            let Some((_, plan)) = &chain.plan else { continue };
            match self.finish_filing(&emm_id, &chain, plan).await {
                Ok(()) => finished += 1,
                // It stays as it is, and its bytes where they are: the next start or sweep tries again.
                Err(error) => tracing::warn!(%emm_id, "a filing that was interrupted cannot go on yet: {error}"),
            }
        }
        for standing in [Standing::Review, Standing::Undone, Standing::Skipped, Standing::Withdrawn] {
            let abandoned = self.chains.all(Some(standing)).await?.into_iter().filter(|(_, it)| it.abandoned.is_some());
            for (emm_id, _) in abandoned {
                // The journal itself: another node may have filed it since, at the same place.
                let chain = self.chains.reload(&emm_id).await?.filter(|chain| chain.standing == standing);
                if let Some(chain) = chain {
                    self.take_back(&emm_id, &chain).await?;
                }
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

    async fn finish_filing(&self, emm_id: &str, chain: &Chain, plan: &Plan) -> Result<()> {
        self.discard_temporaries(emm_id, chain, plan).await?;
        // Other bytes at its place are another item's.
        let there = self.hash_in_inbox(chain).await?.is_some_and(|hash| hash == chain.origin.hash);
        if there {
            let origin = chain.origin.clone();
            let item = Item {
                emm_id: emm_id.to_owned(),
                place: origin.place,
                hash: origin.hash,
                bytes: origin.bytes,
                folder: origin.folder.then(|| origin.reason.unwrap_or_else(|| "a folder".to_owned())),
                hints: Default::default(),
                standing: Some(chain.standing),
            };
            let decision = Decision::from(plan);
            let filed =
                self.file(File { item, decision, run: "recovery".into(), dry_run: false, taken: Vec::new() }).await;
            return filed.map(drop);
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
        let ours = async |path: &str, hash: &str, folder: bool| {
            self.original_hash(path, folder).await.is_ok_and(|found| found.to_hex().as_str() == hash)
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
            if self.hash_in_inbox(chain).await?.as_ref() == Some(&origin.hash) {
                self.remove(path, &origin.hash, emm_id, origin.folder).await?;
            } else {
                // Its owner may have put it there himself: it has the same bytes, and no other copy is known.
                tracing::info!(
                    emm_id,
                    path,
                    "the plan for it was given up, and it stays: it is not in the inbox any more"
                );
            }
        }
        if plan.why.by_person {
            self.forget_lesson(emm_id).await?;
        }
        fault!("abandoned: after it is taken back");
        self.chains.append(emm_id, Some(chain), "recovery", Effect::TakenBack).await.map(drop)
    }
}
