//! The chains of all items: the journal, and its projection in the state that makes reading cheap.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    backends::{
        Clock,
        state::{Put, Select, Space, State},
        store::{Journal, StoreError},
    },
    contracts::file_system::Entry,
    domain::custody::{Chain, Effect, FORMAT, Link, Standing},
    rpc::{Error, Result},
};

/// Journal and projection. The journal decides; the projection may lag and is healed at start.
#[derive(Clone)]
pub(super) struct Chains {
    journal: Journal,
    state: State,
    clock: Clock,
}

/// A link of a journal, and its number.
pub(super) type Numbered = (u32, Link);

impl Chains {
    pub(super) fn new(journal: Journal, state: State, clock: Clock) -> Self {
        Self { journal, state, clock }
    }

    /// The chain of an item, as far as it is known here.
    pub(super) async fn get(&self, emm_id: &str) -> Result<Option<Chain>> {
        Ok(self.state.get(Space::Chains, emm_id).await?)
    }

    /// The chains of many items, by `emm_id`.
    pub(super) async fn get_many(&self, emm_ids: Vec<String>) -> Result<BTreeMap<String, Chain>> {
        Ok(self.state.get_many(Space::Chains, emm_ids).await?)
    }

    /// Commits one effect behind `chain`; nothing if someone else committed another one first: then look again.
    pub(super) async fn append(
        &self,
        emm_id: &str,
        chain: Option<&Chain>,
        run: &str,
        effect: Effect,
    ) -> Result<Option<Chain>> {
        let Some((chain, link)) = self.commit(emm_id, chain, run, effect).await? else { return Ok(None) };
        self.project(emm_id, &chain, vec![link]).await?;
        Ok(Some(chain))
    }

    /// As [`Chains::append`], but in the journal only: whoever calls it projects what it gives, with what comes next.
    pub(super) async fn commit(
        &self,
        emm_id: &str,
        chain: Option<&Chain>,
        run: &str,
        effect: Effect,
    ) -> Result<Option<(Chain, Numbered)>> {
        let number = chain.map_or(0, |chain| chain.next);
        let link = Link { format: FORMAT, at: self.clock.stamp(), run: run.to_owned(), effect };
        match self.journal.append(emm_id, number, &link).await {
            Ok(()) => {}
            Err(StoreError::Exists(_)) => {
                self.reload(emm_id).await?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let chain = match chain {
            Some(chain) => {
                let mut chain = chain.clone();
                chain.extend(&link);
                chain
            }
            None => Chain::read([&link]).ok_or_else(|| Error::internal("a chain must begin with what was seen"))?,
        };
        Ok(Some((chain, (number, link))))
    }

    /// Reads a chain again from the journal.
    pub(super) async fn reload(&self, emm_id: &str) -> Result<Option<Chain>> {
        let links = self.journal.links(emm_id, 0).await?;
        let Some(chain) = Chain::read(&links) else { return Ok(None) };
        self.project(emm_id, &chain, (0..).zip(links).collect()).await?;
        Ok(Some(chain))
    }

    /// Brings the projection to `chain`, whose last links these are.
    pub(super) async fn project(&self, emm_id: &str, chain: &Chain, links: Vec<Numbered>) -> Result<()> {
        // What a decision rested on stands in the journal; here it would only be copied from page to page.
        let chain = chain.clone().without_candidates();
        // Who comes late, with what it read before another one committed, changes nothing.
        let mut puts = vec![Put::new(Space::Chains, emm_id, chain.standing.as_str(), &chain).growing_by("next")];
        if chain.origin.folder {
            puts.push(Put::new(Space::Trees, emm_id, "", &Tree::of(&chain)).growing_by("next"));
        }
        for (number, link) in links {
            let key = effect_key(emm_id, number, &link);
            let entry = Entry { emm_id: emm_id.to_owned(), number, link: link.without_candidates() };
            puts.push(Put::new(Space::Effects, key, entry.link.run.clone(), &entry));
        }
        // The journal has it: nothing waits for its copy.
        Ok(self.state.write_soon(puts).await?)
    }

    /// Where the folders that are one thing lie in the vault, or are about to.
    pub(super) async fn trees(&self) -> Result<BTreeSet<String>> {
        Ok(self.trees_by_item().await?.into_iter().map(|(_, path)| path).collect())
    }

    /// The same with the `emm_id` of each.
    pub(super) async fn trees_by_item(&self) -> Result<Vec<(String, String)>> {
        let trees: Vec<(String, Tree)> = self.state.sound(Space::Trees, Select::default()).await?;
        Ok(trees.into_iter().filter_map(|(emm_id, tree)| Some((emm_id, tree.path?))).collect())
    }

    /// Every item, sorted by `emm_id`; with a standing, only those that have it.
    pub(super) async fn all(&self, standing: Option<Standing>) -> Result<Vec<(String, Chain)>> {
        let select = Select { tag: standing.map(|it| it.as_str().to_owned()), ..Select::default() };
        Ok(self.state.scan(Space::Chains, select).await?)
    }

    /// The one item whose `emm_id` begins with `prefix`.
    pub(super) async fn resolve(&self, prefix: &str) -> Result<String> {
        let select = Select { prefix: prefix.to_owned(), limit: 2, ..Select::default() };
        let found: Vec<(String, Chain)> = self.state.scan(Space::Chains, select).await?;
        match found.as_slice() {
            [(emm_id, _)] => Ok(emm_id.clone()),
            [] => Err(Error::not_found(format!("no item begins with {prefix:?}; 'emm log' lists them"))),
            _ => Err(Error::invalid(format!("several items begin with {prefix:?}; give more digits"))),
        }
    }

    /// Effects, newest first.
    pub(super) async fn effects(&self, run: Option<String>, prefix: &str, limit: usize) -> Result<Vec<Entry>> {
        let select = Select { tag: run, prefix: prefix.to_owned(), newest_first: true, limit, ..Select::default() };
        let found: Vec<(String, Entry)> = self.state.scan(Space::Effects, select).await?;
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// The links of one item, oldest first.
    pub(super) async fn links(&self, emm_id: &str) -> Result<Vec<Entry>> {
        let links = self.journal.links(emm_id, 0).await?;
        Ok((0..).zip(links).map(|(number, link)| Entry { emm_id: emm_id.to_owned(), number, link }).collect())
    }

    /// Reads every chain of the journal that the projection does not have whole. Returns how many items the journal has.
    pub(super) async fn heal(&self) -> Result<usize> {
        let state = self.state.begin_healing().await?;
        let items = Chains { state: state.clone(), ..self.clone() }.make_whole().await?;
        state.healed().await?;
        Ok(items)
    }

    /// A chain as the journal has it, for who only looks: to project it beside its writer could put an older one last.
    pub(super) async fn peek(&self, emm_id: &str) -> Result<Option<Chain>> {
        Ok(Chain::read(&self.journal.links(emm_id, 0).await?))
    }

    async fn make_whole(&self) -> Result<usize> {
        let known: BTreeMap<String, Chain> =
            self.state.sound(Space::Chains, Select::default()).await?.into_iter().collect();
        let trees: BTreeMap<String, Tree> =
            self.state.sound(Space::Trees, Select::default()).await?.into_iter().collect();
        // The journal last: it has whatever was projected before, also what is being filed just now.
        let lengths = self.journal.lengths().await?;
        let whole = |emm_id: &String, length: u32| {
            known.get(emm_id).is_some_and(|chain| {
                chain.next == length && (!chain.origin.folder || trees.get(emm_id) == Some(&Tree::of(chain)))
            })
        };
        // The store was put back to an earlier moment: what it does not have did not happen.
        let ahead =
            |(emm_id, chain): &(&String, &Chain)| chain.next > lengths.get(*emm_id).copied().unwrap_or_default();
        for (emm_id, _) in known.iter().filter(ahead) {
            self.state.write(forgotten(emm_id)).await?;
        }
        for (emm_id, _) in lengths.iter().filter(|(emm_id, length)| !whole(emm_id, **length)) {
            self.reload(emm_id).await?;
        }
        Ok(lengths.len())
    }

    /// Reads everything again, also what looks whole, and drops what the journal does not have. Whoever asks meanwhile finds
    /// what was there. Returns how many items the journal has.
    pub(super) async fn remake(&self) -> Result<usize> {
        let state = self.state.begin_healing().await?;
        let chains = Chains { state: state.clone(), ..self.clone() };
        let (items, effects) = (state.keys(Space::Chains).await?, state.keys(Space::Effects).await?);
        chains.make_whole().await?;
        let mut stale: BTreeSet<String> = effects.into_iter().collect();
        // The journal last, as above.
        let lengths = self.journal.lengths().await?;
        for emm_id in lengths.keys() {
            let links = self.journal.links(emm_id, 0).await?;
            let Some(chain) = Chain::read(&links) else { continue };
            for (number, link) in (0..).zip(&links) {
                stale.remove(&effect_key(emm_id, number, link));
            }
            chains.project(emm_id, &chain, (0..).zip(links).collect()).await?;
        }
        for emm_id in items.iter().filter(|emm_id| !lengths.contains_key(*emm_id)) {
            state.write(forgotten(emm_id)).await?;
        }
        for keys in Vec::from_iter(stale).chunks(REMOVED_TOGETHER) {
            state.write(keys.iter().map(|key| Put::remove(Space::Effects, key)).collect()).await?;
        }
        state.healed().await?;
        Ok(lengths.len())
    }

    /// How many items have each standing.
    pub(super) async fn count(&self) -> Result<Vec<(String, usize)>> {
        Ok(self.state.count(Space::Chains).await?)
    }
}

/// Entries that are removed with one write.
const REMOVED_TOGETHER: usize = 512;

/// The stored form of `Space::Trees`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree {
    /// Where the folder lies in the vault, or is about to.
    path: Option<String>,
    /// How long the chain was that says so.
    next: u32,
}

impl Tree {
    fn of(chain: &Chain) -> Tree {
        let path = chain.plan.as_ref().and_then(|(_, plan)| plan.original.clone());
        Tree { path, next: chain.next }
    }
}

/// The key of a link in `Space::Effects`: effects are told by when they were.
fn effect_key(emm_id: &str, number: u32, link: &Link) -> String {
    format!("{}/{emm_id}/{number:06}", link.at)
}

/// Removes what is projected of an item.
fn forgotten(emm_id: &str) -> Vec<Put> {
    [Space::Chains, Space::Trees].map(|space| Put::remove(space, emm_id)).to_vec()
}

/// Commits an effect behind the newest chain, whatever came first: for effects that do not depend on it.
pub(super) async fn append_now(
    chains: &Arc<Chains>,
    emm_id: &str,
    run: &str,
    effect: impl Fn(&Chain) -> Option<Effect>,
) -> Result<Option<Chain>> {
    let mut chain = chains.get(emm_id).await?;
    for _ in 0..ATTEMPTS_MAX {
        let Some(now) = &chain else { return Ok(None) };
        let Some(effect) = effect(now) else { return Ok(chain) };
        match chains.append(emm_id, Some(now), run, effect).await? {
            Some(chain) => return Ok(Some(chain)),
            None => chain = chains.get(emm_id).await?,
        }
    }
    Err(Error::conflict(format!("item {emm_id} is being changed by others all the time; try again")))
}

/// How often a commit is tried again after somebody else came first.
pub(super) const ATTEMPTS_MAX: usize = 16;
