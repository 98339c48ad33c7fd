//! What the vault tells: notes to find, filings that their owner moved, and what the owner's own notes teach.
//!
//! Only people teach. A note without `emm_id` is its owner's and is a lesson by the folder it lies in; a note that emm
//! filed is none until somebody confirms it, corrects it, or moves it.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::{Mutex as Turn, Notify, watch},
    time::timeout,
};

use super::{
    FileSystem,
    chains::append_now,
    folders::{Folders, folders},
    lessons::taken_back,
    reading::file_name,
};
use crate::{
    backends::{
        search::Doc,
        state::{Put, Select, Space},
        store::Lesson,
        vault::Listed,
        watch::{Wake, Watch, WatchMode},
    },
    domain::{
        custody::{Chain, Effect, Plan, Standing},
        inbox, note,
    },
    life::Shutdown,
    rpc::{Error, Result},
};

/// Notes whose front matter and text are looked at; larger ones are found by their path only.
pub(super) const NOTE_BYTES_MAX: u64 = 8 << 20;
/// Notes that are read before what they tell is written.
const BATCH: usize = 256;

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
    pub(super) last: Mutex<u64>,
    /// The owner's own folders, by code.
    folders: Mutex<Arc<Folders>>,
}

impl Default for Knowledge {
    fn default() -> Self {
        Self {
            labels: watch::channel(None).0,
            wake: Notify::new(),
            scanning: Turn::default(),
            last: Mutex::default(),
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

/// What is known of one note: the stored form of `Space::Notes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Size and time of change, to see that it changed.
    stamp: String,
    /// The item, where emm filed it.
    #[serde(default)]
    emm_id: Option<String>,
    /// The lesson it gave: its key and place.
    #[serde(default)]
    taught: Option<(String, String)>,
    /// The hash of that lesson, so that the same one is not given again.
    #[serde(default)]
    lesson: Option<String>,
}

/// What a scan found to do.
#[derive(Default)]
struct Batch {
    docs: Vec<Doc>,
    lessons: Vec<Lesson>,
    puts: Vec<Put>,
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
        let mut watch = Watch::new(&self.parts.vault_path, WatchMode::Native, Duration::from_millis(500), rescan);
        if self.parts.reindex {
            self.rebuild_index().await?;
        }
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

    /// One comparison. Returns how many notes were new, changed, moved or gone.
    pub(super) async fn scan(&self, stop: &Shutdown) -> Result<usize> {
        let _turn = self.knowledge.scanning.lock().await;
        self.follow_trees().await?;
        let listed = self.listed().await?;
        *self.knowledge.folders.lock() = Arc::new(folders(&listed));
        let known: BTreeMap<String, Known> =
            self.state().sound(Space::Notes, Select::default()).await?.into_iter().collect();
        let now: BTreeMap<&str, &Listed> =
            listed.files.iter().filter(|file| is_note(&file.path)).map(|file| (file.path.as_str(), file)).collect();
        let mut changed = 0;
        let mut batch = Batch::default();
        for (path, known) in known.iter().filter(|(path, _)| !now.contains_key(path.as_str())) {
            changed += 1;
            self.forget(path, known, &mut batch).await?;
        }
        let news = now.iter().filter(|(path, file)| known.get(**path).map(|it| &it.stamp) != Some(&stamp(file)));
        for (path, file) in news {
            changed += 1;
            self.look_at(path, file, known.get(*path), &mut batch).await?;
            if batch.docs.len() >= BATCH {
                self.write(std::mem::take(&mut batch)).await?;
            }
            if stop.is_cancelled() {
                self.write(batch).await?;
                return Ok(changed);
            }
        }
        self.write(batch).await?;
        if self.knowledge.labels().is_none() {
            let last = self.parts.labels.last().await?;
            self.knowledge.labels.send_replace(Some(last));
            self.nudge();
        }
        Ok(changed)
    }

    /// A note that is not where it was.
    async fn forget(&self, path: &str, known: &Known, batch: &mut Batch) -> Result<()> {
        let (index, key) = (self.parts.index.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || index.remove(&key))
            .await
            .map_err(Error::internal)?
            .map_err(Error::unavailable)?;
        batch.puts.push(Put::remove(Space::Notes, path));
        // A note that was copied and then deleted was moved: the copy is looked at again.
        if let Some((emm_id, chain)) = self.filed_at(path).await? {
            let select = Select { tag: Some(emm_id), ..Select::default() };
            let copies: Vec<(String, Known)> = self.state().scan(Space::Notes, select).await?;
            let forgotten = copies.into_iter().filter(|(copy, _)| copy != path && chain.in_vault());
            batch.puts.extend(forgotten.map(|(copy, _)| Put::remove(Space::Notes, copy)));
            self.nudge_knowledge();
        }
        if let Some((key, _)) = known.taught.as_ref().filter(|(key, _)| key.starts_with(OWNERS)) {
            batch.lessons.push(taken_back(key));
        }
        Ok(())
    }

    /// A note that is new or was changed.
    async fn look_at(&self, path: &str, file: &Listed, known: Option<&Known>, batch: &mut Batch) -> Result<()> {
        let Some((doc, front)) = self.note(file).await else { return Ok(()) };
        let (title, emm_id) = (doc.title.clone(), doc.emm_id.clone());
        let chain = match &emm_id {
            Some(emm_id) => match self.chains.get(emm_id).await? {
                Some(chain) => Some(chain),
                // Another node may have filed it; without a chain anywhere it is a note like any other.
                None => match self.chains.peek(emm_id).await? {
                    Some(chain) if chain.in_vault() => self.chains.reload(emm_id).await?,
                    on_its_way => on_its_way,
                },
            },
            None => None,
        };
        if chain.as_ref().is_some_and(|it| matches!(it.standing, Standing::Filing | Standing::Undoing)) {
            // On its way: the next scan sees what came of it.
            return Ok(());
        }
        let chain = chain.filter(Chain::in_vault);
        let hints = inbox::hints(path.rsplit_once('/').map_or("", |(folder, _)| folder));
        let code = hints.forced_id.or(hints.category);
        // Where a person answered, confirmed or moved it, the lesson is given with that; only an edit gives it anew.
        let given = chain.is_some() && known.is_none();
        let taught = match (&emm_id, chain) {
            _ if note::opt_out(&front) => None,
            (Some(emm_id), Some(chain)) => self.moved(emm_id, &chain, path, code.as_deref()).await?,
            _ => code.map(|code| (format!("{OWNERS}{path}"), code)),
        };
        let before = known.and_then(|known| known.taught.clone());
        let lesson = taught.as_ref().map(|(key, code)| self.lesson(key, Some(code), path, &title, &front, &doc.text));
        let lesson_hash =
            lesson.as_ref().and_then(|it| serde_json::to_vec(it).ok()).map(|it| blake3::hash(&it).to_string());
        match &taught {
            Some(_) if given => {}
            Some(_) if lesson_hash.is_some() && lesson_hash == known.and_then(|known| known.lesson.clone()) => {}
            Some(_) => batch.lessons.extend(lesson),
            None => batch.lessons.extend(before.iter().map(|(key, _)| taken_back(key))),
        }
        batch.docs.push(doc);
        let tag = emm_id.clone().unwrap_or_default();
        let known = Known { stamp: stamp(file), emm_id, taught, lesson: lesson_hash };
        batch.puts.push(Put::new(Space::Notes, path, tag, &known));
        Ok(())
    }

    /// A note as it is indexed, and its properties. One that is too large is found by its path only; none if it is gone.
    pub(super) async fn note(&self, file: &Listed) -> Option<(Doc, note::FrontMatter)> {
        let path = &file.path;
        if !is_note(path) {
            return None;
        }
        let bytes = if file.size_bytes <= NOTE_BYTES_MAX {
            self.parts.vault.read(path, NOTE_BYTES_MAX).await.ok()?
        } else {
            Vec::new()
        };
        let text = String::from_utf8_lossy(&bytes);
        let front = note::read_front_matter(&text);
        let body = text.get(front.body_offset_bytes..).unwrap_or_default();
        let title = note::title_for(front.text("title"), first_heading(body), file_name(path));
        let emm_id = front.text("emm_id").map(str::to_owned);
        let doc =
            Doc { key: path.clone(), emm_id, path: path.clone(), title, text: body.to_owned(), stamp: stamp(file) };
        Some((doc, front))
    }

    /// A note that emm filed: where its owner moved it is learnt, never reversed.
    async fn moved(
        &self,
        emm_id: &str,
        chain: &Chain,
        path: &str,
        code: Option<&str>,
    ) -> Result<Option<(String, String)>> {
        let Some((_, plan)) = &chain.plan else { return Ok(None) };
        if plan.note == path {
            return Ok(chain.taught.then(|| (emm_id.to_owned(), plan.code.clone())));
        }
        if self.parts.vault.exists(&plan.note).await? {
            // A copy that its owner made.
            return Ok(None);
        }
        let (from, note, code) = (plan.note.clone(), path.to_owned(), code.map(str::to_owned));
        if code.is_none() && chain.taught {
            self.forget_lesson(emm_id).await?;
        }
        if let Some(code) = &code {
            let here = Plan { note: note.clone(), ..plan.clone() };
            let chain = Chain { plan: chain.plan.as_ref().map(|(number, _)| (*number, here)), ..chain.clone() };
            self.teach(emm_id, &chain, code).await?;
        }
        append_now(&self.chains, emm_id, "by hand", |chain| {
            let still = chain.plan.as_ref().is_some_and(|(_, plan)| plan.note == from);
            let (code, from, note) = (code.clone(), from.clone(), note.clone());
            (chain.in_vault() && still).then_some(Effect::Moved { code, from, note, by_hand: true })
        })
        .await?;
        tracing::info!(emm_id, from, note, "its owner moved it");
        Ok(code.map(|code| (emm_id.to_owned(), code)))
    }

    /// Lessons, then the index, then what is known: killed in between, the next scan does it again.
    async fn write(&self, batch: Batch) -> Result<()> {
        for lessons in batch.lessons.chunks(self.parts.settings.lessons_per_label.max(1)) {
            self.append_label(lessons.to_vec()).await?;
        }
        let (index, docs) = (self.parts.index.clone(), batch.docs);
        let indexed = tokio::task::spawn_blocking(move || index.upsert_all(&docs)).await.map_err(Error::internal)?;
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
            && !self.parts.vault.exists(original).await?
        {
            let listing = self.parts.vault.list().await?;
            self.follow_original(emm_id, &chain, &listing).await?;
        }
        Ok(())
    }

    /// The filed item whose note lies at this path, by what the scans know.
    async fn filed_at(&self, path: &str) -> Result<Option<(String, Chain)>> {
        let known: Option<Known> = self.state().get(Space::Notes, path).await?;
        let Some(emm_id) = known.and_then(|known| known.emm_id) else { return Ok(None) };
        Ok(self.chains.get(&emm_id).await?.map(|chain| (emm_id, chain)))
    }

    fn state(&self) -> &crate::backends::state::State {
        &self.parts.state
    }
}

/// Lessons of the owner's own notes are kept under their path.
const OWNERS: &str = "note:";

fn is_note(path: &str) -> bool {
    note::split_extension(file_name(path)).1.eq_ignore_ascii_case("md")
}

fn stamp(file: &Listed) -> String {
    format!("{}-{}", file.size_bytes, file.modified_ns)
}

/// The first heading of a note's text.
fn first_heading(body: &str) -> Option<&str> {
    body.lines().take(50).find_map(|line| line.strip_prefix("# ")).map(str::trim)
}
