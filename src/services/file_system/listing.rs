//! The inbox as references: hashed once, joined with what the journal knows of the same bytes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, SystemTime},
};

use moka::sync::Cache;

use super::{FileSystem, chains::append_now};
use crate::{
    backends::{
        blocking::on_one_thread,
        inbox::{self, InboxError, Kind, Wake},
    },
    contracts::file_system::{Item, ListInbox, Listing, Problem, lies_in},
    domain::custody::{Effect, Standing, emm_id},
    life::Shutdown,
    rpc::{Error, Result},
};

/// The longest that a caller may ask to wait, in milliseconds.
const WAIT_MS_MAX: u64 = 20_000;

/// Longer than anything takes to settle.
const AHEAD: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Hashes of what lies in the inbox, under place, size and time of change.
pub(super) struct Seen(Cache<Look, Hash>);

/// Place, size and both times: the time of change alone can be put back by whoever writes the file.
type Look = (String, u64, i64, i64);

/// A content's hash and its size in bytes.
type Hash = (blake3::Hash, u64);

impl Seen {
    pub(super) fn new(hashes_max: usize) -> Self {
        Self(Cache::new(hashes_max as u64))
    }
}

impl FileSystem {
    pub(super) async fn list(&self, request: ListInbox) -> Result<Listing> {
        self.wait(&request).await;
        let generation = *self.generation.borrow();
        let looked = self.look(&request).await?;
        let mut listing = Listing { generation, settling: looked.unstable.len(), ..Listing::default() };
        listing.problems =
            looked.problems.into_iter().map(|it| Problem { place: it.path, reason: it.reason }).collect();
        for (entry, hashed) in self.hashed(looked.items).await? {
            match hashed {
                Ok((hash, bytes)) => listing.items.push(item(&entry, hash, bytes)),
                // It changed or left between the look and the hash: the next look sees it as it is then.
                Err(InboxError::Changed { .. } | InboxError::NotFound { .. }) => listing.settling += 1,
                Err(error) => listing.problems.push(Problem { place: entry.path, reason: error.to_string() }),
            }
        }
        if !request.settled && !self.parts.read_only {
            self.withdraw_what_left(&listing, &looked.unstable).await?;
        }
        let ids = listing.items.iter().map(|item| item.emm_id.clone()).collect();
        let chains = self.chains.get_many(ids).await?;
        for item in &mut listing.items {
            // Dropped again after an undo: its owner has said once that emm was wrong about it.
            item.standing = chains.get(&item.emm_id).map(|chain| match chain.standing {
                Standing::Withdrawn if chain.undone => Standing::Undone,
                standing => standing,
            });
        }
        listing.labels = self.knowledge.labels();
        Ok(listing)
    }

    /// Waits for another generation than the one that the caller knows.
    async fn wait(&self, request: &ListInbox) {
        let Some(after) = request.after else { return };
        let mut generation = self.generation.subscribe();
        let limit = Duration::from_millis(request.wait_ms.min(WAIT_MS_MAX));
        // Running out of time is an answer as well: the inbox as it is now.
        let _ = tokio::time::timeout(limit, generation.wait_for(|now| *now != after)).await;
    }

    async fn look(&self, request: &ListInbox) -> Result<inbox::Listing> {
        let (inbox, now) = (&self.parts.inbox, SystemTime::now());
        let looked = async {
            let looked = inbox.list(now).await?;
            if !request.settled || looked.unstable.is_empty() {
                return Ok(looked);
            }
            // What a caller put there itself is complete: look as if from a time when it has lain still.
            Ok(settle(looked, inbox.list(now + AHEAD).await?, &request.places))
        };
        let looked: Result<_, InboxError> = looked.await;
        let fault = looked.as_ref().err().map(ToString::to_string);
        self.parts.health.report("inbox", true, fault);
        Ok(looked?)
    }

    /// The hash and size of each entry; those that were hashed before are not read again.
    async fn hashed(&self, entries: Vec<inbox::Entry>) -> Result<Vec<(inbox::Entry, Result<Hash, InboxError>)>> {
        let service = self.clone();
        let all = async move {
            let mut hashed = Vec::with_capacity(entries.len());
            for entry in entries {
                let key = (entry.path.clone(), entry.size_bytes, entry.modified_ns, entry.newest_ns);
                let hash = match service.seen.0.get(&key) {
                    Some(known) => Ok(known),
                    None => service.parts.inbox.hash(&entry).await.map(|it| (it.hash, it.size_bytes)),
                };
                if let Ok(hash) = &hash {
                    service.seen.0.insert(key, *hash);
                }
                hashed.push((entry, hash));
            }
            hashed
        };
        on_one_thread(all).await.map_err(Error::internal)
    }

    /// What waited in the inbox and lies there no more was taken back by its owner.
    async fn withdraw_what_left(&self, listing: &Listing, unstable: &[inbox::Unstable]) -> Result<()> {
        let here: BTreeSet<&str> = listing.items.iter().map(|item| item.emm_id.as_str()).collect();
        let places: BTreeMap<&str, ()> = unstable.iter().map(|it| (it.path.as_str(), ())).collect();
        for standing in [Standing::Review, Standing::Skipped, Standing::Undone] {
            for (emm_id, chain) in self.chains.all(Some(standing)).await? {
                let place = chain.origin.place.clone();
                if here.contains(emm_id.as_str()) || places.contains_key(place.as_str()) {
                    continue;
                }
                if !self.parts.inbox.exists(&place).await? {
                    append_now(&self.chains, &emm_id, "inbox", |chain| {
                        chain.standing.in_inbox().then_some(Effect::Withdrawn)
                    })
                    .await?;
                }
            }
        }
        Ok(())
    }

    /// Watches the inbox until shutdown, and says when it may have changed.
    pub async fn watch_inbox(&self, stop: Shutdown) -> Result<()> {
        let mut watch = self.parts.inbox.watch();
        while let Some(wake) = stop.run_until_cancelled(watch.next()).await {
            match wake {
                Wake::Vanished => tracing::warn!("the inbox is gone; waiting for it to return"),
                Wake::Returned => tracing::debug!("the inbox is there"),
                Wake::Changed | Wake::Period => {}
            }
            self.nudge();
        }
        Ok(())
    }
}

fn item(entry: &inbox::Entry, hash: blake3::Hash, bytes: u64) -> Item {
    let hash = hash.to_hex().to_string();
    let folder = match &entry.kind {
        Kind::File => None,
        Kind::Folder { reason, .. } => Some(reason.clone()),
    };
    let (place, hints) = (entry.path.clone(), entry.hints.clone());
    Item { emm_id: emm_id(&hash), place, hash, bytes, folder, hints, standing: None }
}

/// What is found now, and of what is found later whatever lies in these places; without places, all of it.
fn settle(mut now: inbox::Listing, later: inbox::Listing, places: &[String]) -> inbox::Listing {
    let waits: BTreeSet<&str> = now.unstable.iter().map(|it| it.path.as_str()).collect();
    let complete = |path: &str| places.is_empty() || places.iter().any(|place| lies_in(path, place));
    let settled = later.items.into_iter().filter(|it| waits.contains(it.path.as_str()) && complete(&it.path));
    let settled: Vec<inbox::Entry> = settled.collect();
    now.unstable.retain(|it| settled.binary_search_by(|one| one.path.cmp(&it.path)).is_err());
    now.items.extend(settled);
    now.items.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    now
}
