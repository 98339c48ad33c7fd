//! The account of custody: every item that the journal has, and where its bytes are.

use super::{FileSystem, holding::NEVER, moved::Whereabouts};
use crate::{
    backends::inbox::InboxError,
    contracts::file_system::{Account, Problem},
    domain::custody::{Chain, Plan, Standing},
    life::Shutdown,
    rpc::{Error, Result},
};

/// What was found of one item.
enum Finding {
    Whole,
    Edited(String),
    Violation(String),
}

impl FileSystem {
    pub(super) async fn verify(&self) -> Result<Account> {
        // The journal itself is asked, not its projection: what the projection missed is what a check is for.
        let seen = self.chains.heal().await?;
        // What its owner moved a moment ago is no loss.
        self.scan(&Shutdown::new()).await?;
        let whereabouts = Whereabouts::of(&self.parts.vault);
        let mut account = Account { seen, ..Account::default() };
        for (emm_id, chain) in self.chains.all(None).await? {
            let finding = self.account_for(&emm_id, &chain, &whereabouts, &mut account).await?;
            match finding {
                Finding::Whole => account.accounted += 1,
                Finding::Edited(note) => {
                    account.accounted += 1;
                    account.edited.push(note);
                }
                Finding::Violation(reason) => {
                    account
                        .violations
                        .push(Problem { place: chain.origin.place.clone(), reason: format!("{emm_id}: {reason}") });
                }
            }
        }
        Ok(account)
    }

    async fn account_for(
        &self,
        emm_id: &str,
        chain: &Chain,
        whereabouts: &Whereabouts<'_>,
        account: &mut Account,
    ) -> Result<Finding> {
        match (chain.standing, &chain.plan) {
            (Standing::Filed | Standing::Confirmed, Some((_, plan))) => {
                account.filed += 1;
                self.in_vault(emm_id, chain, plan, whereabouts).await
            }
            (Standing::Quarantined, _) => {
                account.quarantined += 1;
                self.held(emm_id, chain).await
            }
            (Standing::Withdrawn, _) => {
                account.withdrawn += 1;
                Ok(Finding::Whole)
            }
            // On its way: the intent names every place where its bytes can be.
            (Standing::Filing | Standing::Undoing, Some((_, plan))) => {
                account.waiting += 1;
                match self.in_inbox(chain).await? {
                    Finding::Whole => Ok(Finding::Whole),
                    _ => self.in_vault(emm_id, chain, plan, whereabouts).await,
                }
            }
            // Gone, or other bytes in its place: its owner's doing, for emm only moves it with a link.
            _ if !matches!(self.in_inbox(chain).await?, Finding::Whole) => {
                account.withdrawn += 1;
                Ok(Finding::Whole)
            }
            _ => {
                account.waiting += 1;
                Ok(Finding::Whole)
            }
        }
    }

    /// A filed item: its original as it was, or its note as it was or as its owner edited it.
    async fn in_vault(
        &self,
        emm_id: &str,
        chain: &Chain,
        plan: &Plan,
        whereabouts: &Whereabouts<'_>,
    ) -> Result<Finding> {
        let note = self.parts.vault.hash(&plan.note).await.ok().map(|(hash, _)| hash.to_hex().to_string());
        let edited = note.as_deref() != Some(plan.note_hash.as_str());
        let Some(original) = &plan.original else {
            return Ok(match note {
                Some(_) if edited => Finding::Edited(plan.note.clone()),
                Some(_) => Finding::Whole,
                None => Finding::Violation(self.missing(emm_id, &plan.note, plan).await?),
            });
        };
        let whole = || if edited { Finding::Edited(plan.note.clone()) } else { Finding::Whole };
        match self.original_hash(original, chain.origin.folder).await {
            Ok(hash) if hash.to_hex().as_str() == chain.origin.hash => Ok(whole()),
            // Somewhere else in the vault, as it was: its owner moved it, and may have put something else in its place.
            _ if self.follow_original(emm_id, chain, whereabouts).await?.is_some() => Ok(whole()),
            Ok(_) => Ok(Finding::Violation(format!("the original {original} was changed"))),
            Err(_) => Ok(Finding::Violation(self.missing(emm_id, original, plan).await?)),
        }
    }

    async fn missing(&self, emm_id: &str, path: &str, plan: &Plan) -> Result<String> {
        let kept = self.parts.inbox.find_in_trash(&self.parts.trash, &plan.trash, emm_id).await?;
        Ok(match kept.first() {
            Some(trashed) => format!("{path} is missing; its bytes are still in the trash as {}", trashed.path),
            None => format!("{path} is missing"),
        })
    }

    async fn held(&self, emm_id: &str, chain: &Chain) -> Result<Finding> {
        for held in self.in_quarantine(emm_id).await? {
            let hash = self.parts.inbox.hash_trashed(&held, &self.parts.quarantine).await;
            if hash.is_some_and(|hash| hash.to_hex().as_str() == chain.origin.hash) {
                return Ok(Finding::Whole);
            }
        }
        // Killed between the journal and the move: it still lies in the inbox.
        match self.hash_in_inbox(chain).await? {
            Some(hash) if hash == chain.origin.hash => Ok(Finding::Whole),
            _ => Ok(Finding::Violation(format!("it is not in quarantine ({NEVER}) and not in the inbox"))),
        }
    }

    /// An item that lies in the inbox.
    async fn in_inbox(&self, chain: &Chain) -> Result<Finding> {
        Ok(match self.hash_in_inbox(chain).await? {
            Some(hash) if hash == chain.origin.hash => Finding::Whole,
            _ => Finding::Violation(format!("{} is not in the inbox", chain.origin.place)),
        })
    }

    pub(super) async fn hash_in_inbox(&self, chain: &Chain) -> Result<Option<String>> {
        match self.parts.inbox.hash_now(&chain.origin.place, chain.origin.folder).await {
            Ok(hashed) => Ok(Some(hashed.hash.to_hex().to_string())),
            // Only what is surely gone is gone: an inbox that is not mounted says nothing of what lies in it.
            Err(InboxError::NotFound { .. } | InboxError::Escapes { .. }) => Ok(None),
            Err(error) => Err(Error::from(error)),
        }
    }
}
