//! What a note tells: words to find, a filing that its owner moved, and what its owner's own notes teach.
//!
//! Only people teach. A note without `emm_id` is its owner's and is a lesson by the folder it lies in; a note that emm
//! filed is none until somebody confirms it, corrects it, or moves it.

use serde::{Deserialize, Serialize};

use super::{
    FileSystem,
    chains::append_now,
    lessons::{OWNERS, taken_back},
    reading::file_name,
};
use crate::{
    backends::{
        search::Doc,
        state::{Put, Select, Space},
        store::Lesson,
        vault::Listed,
    },
    domain::{
        custody::{Chain, Effect, Plan, Standing},
        inbox, note,
    },
    rpc::Result,
};

/// Notes whose front matter and text are looked at; larger ones are found by their path only.
pub(super) const NOTE_BYTES_MAX: u64 = 8 << 20;

/// What is known of one note: the stored form of `Space::Notes`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Size and time of change, to see that it changed.
    pub(super) stamp: String,
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

impl Known {
    /// A note of which nothing is known but what it taught last.
    pub(super) fn only_taught(lesson: &Lesson) -> Known {
        let taught = lesson.code.clone().map(|code| (lesson.key.clone(), code));
        Known { stamp: String::new(), emm_id: None, taught, lesson: lesson_hash(lesson) }
    }
}

/// What a scan found to do.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) docs: Vec<Doc>,
    pub(super) lessons: Vec<Lesson>,
    pub(super) puts: Vec<Put>,
}

impl FileSystem {
    /// A note that is not where it was.
    pub(super) async fn forget(&self, path: &str, known: &Known, batch: &mut Batch) -> Result<()> {
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

    /// A note that is new or was changed; or, unless there is something to `learn`, one that only this node does not have in
    /// its index.
    pub(super) async fn look_at(
        &self,
        path: &str,
        file: &Listed,
        known: Option<&Known>,
        learn: bool,
        batch: &mut Batch,
    ) -> Result<()> {
        let Some((doc, front)) = self.note(file).await else { return Ok(()) };
        if !learn {
            batch.docs.push(doc);
            return Ok(());
        }
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
        let why = chain.as_ref().and_then(|chain| chain.plan.as_ref()).map(|(_, plan)| plan.why.clone());
        let taught = match (&emm_id, chain) {
            _ if note::opt_out(&front) => None,
            (Some(emm_id), Some(chain)) => self.moved(emm_id, &chain, path, code.as_deref()).await?,
            _ => code.map(|code| (format!("{OWNERS}{path}"), code)),
        };
        let before = known.and_then(|known| known.taught.clone());
        let lesson = match &taught {
            Some((key, code)) => {
                let lesson = self.lesson(key, Some(code), path, &title, &front, &doc.text);
                Some(match &why {
                    Some(why) => self.with_guesses(lesson, why).await?,
                    None => lesson,
                })
            }
            None => None,
        };
        let hash = lesson.as_ref().and_then(lesson_hash);
        // The lesson of an item goes with the item, wherever its note lies now.
        let over = |key: &str| match &taught {
            Some((now, _)) => now != key && key.starts_with(OWNERS),
            None => true,
        };
        if let Some((key, _)) = before.filter(|(key, _)| over(key)) {
            batch.lessons.push(taken_back(&key));
        }
        if !given && (hash.is_none() || hash != known.and_then(|known| known.lesson.clone())) {
            batch.lessons.extend(lesson);
        }
        batch.docs.push(doc);
        let tag = emm_id.clone().unwrap_or_default();
        let known = Known { stamp: stamp(file), emm_id, taught, lesson: hash };
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

    /// The filed item whose note lies at this path, by what the scans know.
    async fn filed_at(&self, path: &str) -> Result<Option<(String, Chain)>> {
        let known: Option<Known> = self.state().get(Space::Notes, path).await?;
        let Some(emm_id) = known.and_then(|known| known.emm_id) else { return Ok(None) };
        Ok(self.chains.get(&emm_id).await?.map(|chain| (emm_id, chain)))
    }
}

pub(super) fn is_note(path: &str) -> bool {
    note::split_extension(file_name(path)).1.eq_ignore_ascii_case("md")
}

pub(super) fn stamp(file: &Listed) -> String {
    format!("{}-{}", file.size_bytes, file.modified_ns)
}

/// The first heading of a note's text.
fn first_heading(body: &str) -> Option<&str> {
    body.lines().take(50).find_map(|line| line.strip_prefix("# ")).map(str::trim)
}

/// What tells one lesson from another.
fn lesson_hash(lesson: &Lesson) -> Option<String> {
    let bytes = serde_json::to_vec(lesson).ok()?;
    Some(blake3::hash(&bytes).to_string())
}
