//! How far the vault is known: it is compared with what was learnt and indexed of it, at start and whenever it changes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Mutex as Turn, Notify, watch},
    time::timeout,
};

use super::{
    FileSystem,
    folders::{Folders, folders},
    lessons::OWNERS,
    moved::Whereabouts,
    notes::{Batch, Known, is_note, stamp},
};
use crate::{
    backends::{
        state::{Put, Select, Space, State},
        vault::Listed,
        watch::{Wake, Watch, WatchMode},
    },
    domain::custody::Chain,
    life::Shutdown,
    rpc::{Error, Result},
    services::blocking::blocking,
};

/// Notes that are read before what they tell is written.
const BATCH: usize = 256;

/// The mark in the state that says that it knows what the owner's notes taught.
const LEARNT: &str = "learnt";
/// How long a node waits for another one to be done with reading the vault: a large one takes minutes.
const LEARNING_MAX: Duration = Duration::from_secs(600);

/// The rest after a scan: so many times what it took, and at least this.
const SCAN_REST: u32 = 10;
const SCAN_REST_MIN: Duration = Duration::from_millis(200);

/// A burst of filings is over when none came for so long; it is looked at after so long in any case.
const BURST_PAUSE: Duration = Duration::from_millis(200);
const BURST_MAX: Duration = Duration::from_secs(10);

/// How far the vault is known.
pub(super) struct Knowledge {
    /// The last label; nothing while the vault was not yet read once.
    pub(super) labels: watch::Sender<Option<u64>>,
    wake: Notify,
    /// One scan at a time.
    scanning: Turn<()>,
    /// The last number that this process appended, to guess the next.
    pub(super) last: Turn<u64>,
    /// The owner's own folders, by code.
    folders: Mutex<Arc<Folders>>,
}

impl Default for Knowledge {
    fn default() -> Self {
        Self {
            labels: watch::channel(None).0,
            wake: Notify::new(),
            scanning: Turn::default(),
            last: Turn::default(),
            folders: Mutex::default(),
        }
    }
}

impl Knowledge {
    /// Filings come in bursts, and a scan beside one takes from it what it needs itself: waits until one is over.
    async fn burst(&self) -> Wake {
        let over = async { while timeout(BURST_PAUSE, self.wake.notified()).await.is_ok() {} };
        // For ever it must not wait: what was filed is to be found.
        let _ = timeout(BURST_MAX, over).await;
        Wake::Changed
    }

    pub(super) fn labels(&self) -> Option<u64> {
        *self.labels.borrow()
    }

    pub(super) fn folders(&self) -> Arc<Folders> {
        self.folders.lock().clone()
    }
}

impl FileSystem {
    pub(super) fn nudge_knowledge(&self) {
        self.knowledge.wake.notify_one();
    }

    /// Compares the vault with what is known of it, at start and whenever it changes, until shutdown.
    pub async fn watch_vault(&self, stop: Shutdown) -> Result<()> {
        if self.parts.read_only {
            self.know_as_it_is().await?;
            stop.cancelled().await;
            return Ok(());
        }
        let rescan = Duration::from_secs(self.parts.settings.vault_rescan_seconds.max(1));
        let mut watch = Watch::new(self.parts.vault.folder(), WatchMode::Native, Duration::from_millis(500), rescan);
        let mut told = false;
        loop {
            let started = Instant::now();
            let changed = self.scan(&stop).await;
            let fault = changed.as_ref().err().map(ToString::to_string);
            self.parts.health.report("vault", true, fault.clone());
            match changed {
                Ok(0) if told => {}
                Ok(changed) => {
                    told = true;
                    tracing::info!(changed, seconds = started.elapsed().as_secs_f64(), "knowledge caught up")
                }
                Err(error) => tracing::warn!("the vault cannot be read: {error}"),
            }
            // A scan looks at every note: what changes meanwhile is gathered, so that a big sweep is not one scan an item.
            let rest = (started.elapsed() * SCAN_REST).clamp(SCAN_REST_MIN, rescan);
            let next = async {
                tokio::time::sleep(rest).await;
                tokio::select! {
                    wake = watch.next() => wake,
                    () = self.knowledge.wake.notified() => self.knowledge.burst().await,
                }
            };
            if stop.run_until_cancelled(next).await.is_none() {
                return Ok(());
            }
        }
    }

    /// Where its owner's folders are and what was taught so far, without learning anything from the vault.
    async fn know_as_it_is(&self) -> Result<()> {
        *self.knowledge.folders.lock() = Arc::new(folders(&self.listed().await?));
        self.knowledge.labels.send_replace(Some(self.parts.labels.last().await?));
        self.nudge();
        Ok(())
    }

    /// One comparison with what the index has and what was learnt. Returns how many notes were new, changed, moved or gone.
    ///
    /// Each node has an index of its own. What was learnt is shared, so nodes learn one after the other.
    pub(super) async fn scan(&self, stop: &Shutdown) -> Result<usize> {
        let _turn = self.knowledge.scanning.lock().await;
        let busy = || Error::unavailable("another node is reading the vault; try again in a moment");
        let held = self.state().hold_within("knowledge", LEARNING_MAX).await?.ok_or_else(busy)?;
        let changed = self.compare(stop).await;
        held.let_go().await;
        let changed = changed?;
        if !stop.is_cancelled() && self.knowledge.labels().is_none() {
            let last = self.parts.labels.last().await?;
            self.knowledge.labels.send_replace(Some(last));
            self.nudge();
        }
        Ok(changed)
    }

    async fn compare(&self, stop: &Shutdown) -> Result<usize> {
        self.follow_trees().await?;
        let listed = self.listed().await?;
        *self.knowledge.folders.lock() = Arc::new(folders(&listed));
        let now: BTreeMap<&str, &Listed> =
            listed.files.iter().filter(|file| is_note(&file.path)).map(|file| (file.path.as_str(), file)).collect();
        let indexed = self.drop_from_index(|path| !now.contains_key(path)).await?;
        let known = self.known().await?;
        let mut changed = 0;
        let mut batch = Batch::default();
        for (path, known) in known.iter().filter(|(path, _)| !now.contains_key(path.as_str())) {
            changed += 1;
            self.forget(path, known, &mut batch).await?;
        }
        for (path, file) in now {
            let (stamp, known) = (stamp(file), known.get(path));
            let learn = known.map(|it| &it.stamp) != Some(&stamp);
            if !learn && indexed.get(path) == Some(&stamp) {
                continue;
            }
            changed += 1;
            self.look_at(path, file, known, learn, &mut batch).await?;
            if batch.docs.len() >= BATCH {
                self.write(std::mem::take(&mut batch)).await?;
            }
            if stop.is_cancelled() {
                self.write(batch).await?;
                return Ok(changed);
            }
        }
        self.write(batch).await?;
        // From now on the state knows what was taught, until it is lost.
        self.state().write(vec![Put::new(Space::Marks, LEARNT, "", &true)]).await?;
        Ok(changed)
    }

    /// What is known of each note, by its path. Where the state lost that, what the labels say that its owner's notes taught:
    /// it is not taught again, and taken back where a note is gone.
    async fn known(&self) -> Result<BTreeMap<String, Known>> {
        let mut known = BTreeMap::new();
        if self.state().get::<bool>(Space::Marks, LEARNT).await?.is_none() {
            for (key, lesson) in self.taught().await? {
                if let Some(path) = key.strip_prefix(OWNERS) {
                    known.insert(path.to_owned(), Known::only_taught(&lesson));
                }
            }
        }
        known.extend(self.state().sound(Space::Notes, Select::default()).await?);
        Ok(known)
    }

    /// Removes notes from the index by their path. Returns the stamps of those that were there.
    async fn drop_from_index(&self, gone: impl Fn(&str) -> bool) -> Result<BTreeMap<String, String>> {
        let index = self.parts.index.clone();
        let stamps: BTreeMap<String, String> = blocking(move || index.stamps()).await?.map_err(Error::unavailable)?;
        let gone: Vec<String> = stamps.keys().filter(|path| gone(path)).cloned().collect();
        let index = self.parts.index.clone();
        let dropped = blocking(move || gone.iter().try_for_each(|path| index.remove(path).map(drop))).await?;
        dropped.map_err(Error::unavailable)?;
        Ok(stamps)
    }

    /// Lessons, then the index, then what is known: killed in between, the next scan does it again.
    async fn write(&self, batch: Batch) -> Result<()> {
        for lessons in batch.lessons.chunks(self.parts.settings.lessons_per_label.max(1)) {
            self.append_label(lessons.to_vec()).await?;
        }
        let (index, docs) = (self.parts.index.clone(), batch.docs);
        let indexed = blocking(move || index.upsert_all(&docs)).await?;
        self.parts.health.report("search", false, indexed.as_ref().err().map(ToString::to_string));
        indexed.map_err(Error::unavailable)?;
        Ok(self.state().write(batch.puts).await?)
    }

    /// A note that is not where the journal has it may have been moved a moment ago, before any scan saw it.
    pub(super) async fn look_again_if_moved(&self, emm_id: &str) -> Result<()> {
        let Some(chain) = self.chains.get(emm_id).await?.filter(Chain::in_vault) else { return Ok(()) };
        let Some((_, plan)) = &chain.plan else { return Ok(()) };
        if !self.parts.vault.exists(&plan.note).await? {
            self.scan(&Shutdown::new()).await?;
        }
        if let Some(original) = &plan.original
            && !self.is_original(&chain, original).await
        {
            self.follow_original(emm_id, &chain, &Whereabouts::of(&self.parts.vault)).await?;
        }
        Ok(())
    }

    pub(super) fn state(&self) -> &State {
        &self.parts.state
    }
}
