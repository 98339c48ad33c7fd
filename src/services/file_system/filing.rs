//! Filing one item. The order of effects is the custody: original, note, journal, and only then the inbox.

use tracing::Instrument;

use super::{
    FileSystem,
    chains::{ATTEMPTS_MAX, Numbered},
    plan::{Names, Prepared},
};
use crate::{
    backends::{
        blocking::on_one_thread,
        inbox::InboxError,
        vault::{Created, VaultError},
    },
    contracts::file_system::{Decision, File, Filed, Item},
    domain::custody::{Chain, Effect, Origin, Plan, Standing},
    fault,
    rpc::{Code, Error, Result},
};

/// A plan that the journal has.
struct Intent {
    prepared: Prepared,
    chain: Chain,
    /// The link that was made for it just now and is not projected yet.
    link: Option<Numbered>,
}

impl FileSystem {
    /// Files an item, or says where it would.
    pub(super) async fn file(&self, request: File) -> Result<Filed> {
        let File { item, decision, run, dry_run, taken } = request;
        if !dry_run {
            let emm_id = item.emm_id.clone();
            return self.in_turn(&emm_id, Box::pin(self.file_in_turn(item, decision, run))).await?;
        }
        let before = self.chains.get(&item.emm_id).await?.filter(Chain::in_vault);
        if let Some((_, plan)) = before.and_then(|chain| chain.plan) {
            return Ok(self.filed(&item, &plan, true));
        }
        let prepared = self.prepare(&item, &decision, Names { avoid: &taken, ..Names::default() }).await?;
        Ok(self.filed(&item, &prepared.plan, false))
    }

    /// Files an item whose turn it is. One effect blocks after the other, so they share a thread.
    pub(super) async fn file_in_turn(&self, item: Item, decision: Decision, run: String) -> Result<Filed> {
        let service = self.clone();
        let work = async move { service.file_step_by_step(&item, &decision, &run).await };
        on_one_thread(work.in_current_span()).await.map_err(Error::internal)?
    }

    async fn file_step_by_step(&self, item: &Item, decision: &Decision, run: &str) -> Result<Filed> {
        for attempt in 0..ATTEMPTS_MAX {
            // What had no chain when it was listed is taken for new: its first link tells if somebody came first.
            let new = attempt == 0 && item.standing.is_none();
            let chain = if new { None } else { self.chains.get(&item.emm_id).await? };
            let done = match chain {
                Some(chain) if chain.in_vault() => self.dropped_again(item, decision, run).await?,
                Some(chain) if chain.standing == Standing::Undoing => {
                    return Err(Error::conflict(format!("{} is just being undone; try again", item.place)));
                }
                chain => match self.file_new(item, decision, run, chain).await {
                    // The same request again, perhaps: what it was to take is not in the inbox any more.
                    Err(error)
                        if new && error.code == Code::NotFound && self.chains.get(&item.emm_id).await?.is_some() =>
                    {
                        None
                    }
                    done => done?,
                },
            };
            if let Some(filed) = done {
                return Ok(filed);
            }
        }
        Err(Error::conflict(format!("{} is being filed by others all the time; try again", item.place)))
    }

    /// One attempt; nothing if somebody else came first and the chain must be looked at again.
    async fn file_new(
        &self,
        item: &Item,
        decision: &Decision,
        run: &str,
        chain: Option<Chain>,
    ) -> Result<Option<Filed>> {
        let Some(Intent { prepared, chain, link }) = self.intent(item, decision, run, chain).await? else {
            return Ok(None);
        };
        let mut links = Vec::from_iter(link);
        let (filed, chain) = match self.fulfil(item, &prepared, &chain, run).await {
            Ok(Some((filed, chain, link))) => {
                links.push(link);
                (filed, chain)
            }
            failed => {
                // From the journal, for somebody else may have gone on.
                let now = self.chains.reload(&item.emm_id).await?;
                if let Some(now) = now.filter(|now| now.next > chain.next) {
                    self.leave_no_trace(&item.emm_id, &now, &prepared.plan).await?;
                }
                return self.after_failure(item, &chain, run, failed.map(drop)).await.map(|()| None);
            }
        };
        self.chains.project(&item.emm_id, &chain, links).await?;
        fault!("filing: before the trash");
        self.take_from_inbox(item, &prepared.plan.trash).await?;
        fault!("filing: after the trash");
        self.nudge_knowledge();
        Ok(Some(filed))
    }

    /// The effects of an intent up to the link that says that they are done; nothing if somebody took a name meanwhile,
    /// for which the next attempt settles another one, or came first in the journal.
    async fn fulfil(
        &self,
        item: &Item,
        prepared: &Prepared,
        chain: &Chain,
        run: &str,
    ) -> Result<Option<(Filed, Chain, Numbered)>> {
        match self.carry_out(item, prepared).await {
            Ok(()) => {}
            Err(Carry::Taken) => return Ok(None),
            Err(Carry::Failed(error)) => return Err(error),
        }
        let Some((number, _)) = chain.plan else { return Err(Error::internal("a plan was lost")) };
        let mut filed = self.filed(item, &prepared.plan, false);
        if prepared.plan.why.by_person {
            fault!("filing: before the lesson");
            filed.labels = self.teach(&item.emm_id, chain, &prepared.plan.code).await?;
        }
        fault!("filing: before the journal");
        let outcome = self.chains.commit(&item.emm_id, Some(chain), run, Effect::Filed { plan: number }).await?;
        Ok(outcome.map(|(chain, link)| (filed, chain, link)))
    }

    /// An item that is not what was planned for is given up at once: nothing may stay half done until a restart.
    async fn after_failure(&self, item: &Item, chain: &Chain, run: &str, failure: Result<()>) -> Result<()> {
        if let Err(error) = &failure
            && matches!(error.code, Code::NotFound | Code::Conflict)
        {
            self.give_up(&item.emm_id, chain, &error.message, run).await?;
        }
        failure
    }

    /// Commits the plan before its first effect, or takes up the one that is committed already.
    async fn intent(
        &self,
        item: &Item,
        decision: &Decision,
        run: &str,
        chain: Option<Chain>,
    ) -> Result<Option<Intent>> {
        let mut names = Names::default();
        if let Some(chain) = &chain
            && let (Standing::Filing, Some((_, plan))) = (chain.standing, &chain.plan)
        {
            // Its candidates stand in the journal only.
            let whole = self.chains.reload(&item.emm_id).await?.and_then(|chain| chain.plan);
            let plan = whole.as_ref().map_or(plan, |(_, plan)| plan);
            if plan.code != decision.code || plan.why.by_person != decision.by_person {
                // Decided anew since: the old plan must not have its way.
                self.give_up(&item.emm_id, chain, "it was decided anew", run).await?;
                return Ok(None);
            }
            match self.resume(item, plan).await? {
                Resumed::Whole(prepared) => {
                    return Ok(Some(Intent { prepared: *prepared, chain: chain.clone(), link: None }));
                }
                Resumed::Names(note, original) => (names.note, names.original) = (note, original),
            }
        }
        let prepared = self.prepare(item, decision, names).await?;
        fault!("filing: before the intent");
        let (origin, plan) = (origin(item), Box::new(prepared.plan.clone()));
        let effect = match &chain {
            None => Effect::Seen { origin, plan: Some(plan) },
            Some(_) => Effect::Filing { origin, plan },
        };
        let before = chain;
        let Some((chain, link)) = self.chains.commit(&item.emm_id, before.as_ref(), run, effect).await? else {
            return Ok(None);
        };
        fault!("filing: after the intent");
        if before.is_none() {
            return Ok(Some(Intent { prepared, chain, link: Some(link) }));
        }
        // What is known by an earlier standing would be taken for its owner's note while it is on its way.
        self.chains.project(&item.emm_id, &chain, vec![link]).await?;
        Ok(Some(Intent { prepared, chain, link: None }))
    }

    /// What of a committed plan can still be carried out: all of it, or the names that are free or hold our own bytes.
    async fn resume(&self, item: &Item, plan: &Plan) -> Result<Resumed> {
        let note = usable(self.original_hash(&plan.note, false).await, &plan.note_hash)?;
        let original = match &plan.original {
            Some(path) => usable(self.original_hash(path, item.folder.is_some()).await, &item.hash)?,
            None => Usable::Free,
        };
        if note == Usable::Ours && original != Usable::Taken {
            // Its bytes are in the vault already, so none are needed.
            return Ok(Resumed::Whole(Box::new(Prepared { plan: plan.clone(), note: None })));
        }
        let settled = |usable, path: &Option<String>| if usable == Usable::Taken { None } else { path.clone() };
        let names = (settled(note, &Some(plan.note.clone())), settled(original, &plan.original));
        let again = Names { note: names.0.clone(), original: names.1.clone(), avoid: &[] };
        let prepared = self.prepare(item, &Decision::from(plan), again).await?;
        if note != Usable::Taken && original != Usable::Taken && prepared.plan.note_hash == plan.note_hash {
            return Ok(Resumed::Whole(Box::new(Prepared { plan: plan.clone(), note: prepared.note })));
        }
        // The folder may be another one now; only what is written already keeps its name.
        let ours = |usable, name| if usable == Usable::Ours { name } else { None };
        Ok(Resumed::Names(ours(note, names.0), ours(original, names.1)))
    }

    /// The first two effects: the original, then the note, each durable before the next.
    async fn carry_out(&self, item: &Item, prepared: &Prepared) -> Result<(), Carry> {
        if let Some(path) = &prepared.plan.original {
            fault!("filing: before the original");
            settle(self.put_original(item, path).await?)?;
        }
        fault!("filing: before the note");
        match &prepared.note {
            Some(note) => settle(self.parts.vault.create(&prepared.plan.note, note.clone(), &item.emm_id).await),
            None => Ok(()),
        }
    }

    /// The last effect: the original leaves the inbox for the dated trash, and is hashed once more there.
    pub(super) async fn take_from_inbox(&self, item: &Item, date: &str) -> Result<()> {
        let (inbox, trash, hash) = (&self.parts.inbox, &self.parts.trash, parse_hash(&item.hash)?);
        let taken = inbox.take_to_trash(&item.place, hash, (trash, date), &item.emm_id).await;
        inbox.remove_empty_above(&item.place).await;
        match taken {
            Ok(_) => Ok(()),
            // Its owner took it back after it was filed, or put other bytes in its place: both are theirs to do.
            Err(InboxError::NotFound { .. } | InboxError::Changed { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The same bytes as something that is filed: a leftover of a crash, or another drop, which is recorded. Where the
    /// vault does not hold the bytes any more, they are filed anew; nothing then if somebody else came first.
    async fn dropped_again(&self, item: &Item, decision: &Decision, run: &str) -> Result<Option<Filed>> {
        // The journal itself is asked: what another node undid must not be taken for filed.
        let Some(chain) = self.chains.reload(&item.emm_id).await?.filter(Chain::in_vault) else { return Ok(None) };
        let Some((_, plan)) = &chain.plan else { return Err(Error::internal("a filed item has no plan")) };
        let (inbox, trash) = (&self.parts.inbox, &self.parts.trash);
        let untaken = inbox.find_in_trash(trash, &plan.trash, &item.emm_id).await?.is_empty();
        if !inbox.exists(&item.place).await? {
            // The same request again, whose reply was lost: it is done.
            return Ok(Some(self.filed(item, plan, false)));
        }
        if !self.holds(&chain, plan).await? {
            return self.file_new(item, decision, run, Some(chain.clone())).await;
        }
        let leftover = untaken && chain.origin.place == item.place;
        let date = self.parts.clock.today();
        if !leftover {
            let effect = Effect::Duplicate { origin: origin(item), trash: date.clone() };
            if self.chains.append(&item.emm_id, Some(&chain), run, effect).await?.is_none() {
                return Ok(None);
            }
        }
        self.take_from_inbox(item, &date).await?;
        Ok(Some(self.filed(item, plan, !leftover)))
    }

    /// Whether the vault holds the bytes of a filed item: its original, or the note that is the original as it was filed.
    async fn holds(&self, chain: &Chain, plan: &Plan) -> Result<bool> {
        let (path, hash) = match &plan.original {
            Some(original) => (original, &chain.origin.hash),
            None => (&plan.note, &plan.note_hash),
        };
        let folder = chain.origin.folder && plan.original.is_some();
        Ok(self.original_hash(path, folder).await.is_ok_and(|found| found.to_hex().as_str() == hash))
    }

    pub(super) fn filed(&self, item: &Item, plan: &Plan, duplicate: bool) -> Filed {
        Filed {
            emm_id: item.emm_id.clone(),
            code: plan.code.clone(),
            note: plan.note.clone(),
            original: plan.original.clone(),
            duplicate,
            labels: self.knowledge.labels().unwrap_or_default(),
        }
    }
}

/// What became of a committed plan.
enum Resumed {
    /// It is carried out as it stands.
    Whole(Box<Prepared>),
    /// It is replaced; these names of note and original are kept.
    Names(Option<String>, Option<String>),
}

/// What is at a planned path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Usable {
    /// Nothing.
    Free,
    /// What the plan would write.
    Ours,
    /// Something else.
    Taken,
}

/// Why a plan was not carried out.
enum Carry {
    /// A name is taken by something else.
    Taken,
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Carry {
    fn from(error: Error) -> Self {
        Carry::Failed(error)
    }
}

fn usable(found: Result<blake3::Hash, VaultError>, hash: &str) -> Result<Usable> {
    match found {
        Ok(found) if found.to_hex().as_str() == hash => Ok(Usable::Ours),
        // Something of another kind is there as well.
        Ok(_) | Err(VaultError::Exists { .. }) => Ok(Usable::Taken),
        Err(VaultError::NotFound { .. }) => Ok(Usable::Free),
        Err(error) => Err(error.into()),
    }
}

/// Written now, or before: both are done. Something else in its place is not.
fn settle(created: Result<Created, VaultError>) -> Result<(), Carry> {
    match created {
        Ok(Created::New { .. } | Created::Exists { same: true }) => Ok(()),
        Ok(Created::Exists { same: false }) => Err(Carry::Taken),
        Err(error) => Err(Carry::Failed(error.into())),
    }
}

pub(super) fn origin(item: &Item) -> Origin {
    let Item { place, hash, bytes, folder, .. } = item.clone();
    Origin { place, hash, bytes, folder: folder.is_some(), reason: folder }
}

/// The item that an origin was written of.
pub(super) fn item_of(emm_id: &str, origin: &Origin) -> Item {
    let Origin { place, hash, bytes, folder, reason } = origin.clone();
    Item {
        emm_id: emm_id.to_owned(),
        place,
        hash,
        bytes,
        folder: folder.then(|| reason.unwrap_or_else(|| "a folder".to_owned())),
        hints: Default::default(),
        standing: None,
    }
}

pub(super) fn parse_hash(hash: &str) -> Result<blake3::Hash> {
    blake3::Hash::from_hex(hash).map_err(|_| Error::invalid(format!("{hash:?} is no BLAKE3 hash")))
}
