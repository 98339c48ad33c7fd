//! `content-classifier`: ranks the places of the structure for a document, from what the structure says and people taught.

mod meanings;
mod opinions;
mod snapshot;

use std::{path::PathBuf, sync::Arc, time::Duration};

use parking_lot::{Mutex, RwLock, RwLockWriteGuard};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as Turn;

use crate::{
    backends::{
        cache::{Cache, Unkept},
        store::{Label, Labels, Ledger, Lesson, Structures},
    },
    contracts::content_classifier::{Classified, Classify, EarnedByCategory, ListEarned, Titled},
    domain::{
        classify::{Candidate, Document, Earned, Engine, Features, Guesses, category, targets},
        jd::Structure,
    },
    life::Shutdown,
    rpc::{Answer, Error, Result},
    services::blocking::blocking,
};

pub use meanings::Parts as MeaningParts;
use meanings::{Meaning, Meanings};
use opinions::Opinions;
pub use opinions::Parts as OpinionParts;
use snapshot::Learnt;

/// The engine's name and version, which stands in the journal with every decision.
pub const ENGINE: &str = "built-in 3";

/// What emm learns and how it keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// How often new labels are looked for, in milliseconds.
    pub poll_ms: u64,
    /// New lessons after which what was learnt is written down again.
    pub lessons_per_snapshot: usize,
}

/// What the service is built over.
pub struct Parts {
    /// Its own settings.
    pub settings: Settings,
    /// What people taught.
    pub labels: Labels,
    /// Published structures.
    pub structures: Structures,
    /// The identity of the store that both are in.
    pub store: String,
    /// What was ranked before.
    pub cache: Cache,
    /// Where what was learnt is kept between starts.
    pub snapshot: PathBuf,
    /// What was sent to language models.
    pub ledger: Ledger,
    /// What second opinions need, where a model is configured.
    pub opinions: Option<OpinionParts>,
    /// What it takes to know what texts mean, where a model is configured.
    pub meanings: Option<MeaningParts>,
}

/// The service; cheap to clone.
#[derive(Clone)]
pub struct ContentClassifier(Arc<Inner>);

struct Inner {
    parts: Parts,
    opinions: Option<Arc<Opinions>>,
    meanings: Option<Meanings>,
    known: RwLock<Known>,
    /// One reader of the log at a time.
    reading: Turn<()>,
    unsaved: Mutex<usize>,
}

/// What is known.
struct Known {
    engine: Engine,
    /// What emm had guessed of what people decided.
    guesses: Guesses,
    /// The structure that the engine ranks.
    structure: String,
    /// The last label that was learnt.
    seq: u64,
    /// Whether the next one is learnt in part: what is ranked now belongs to neither.
    between: bool,
}

impl ContentClassifier {
    /// The service, with what it had learnt when it was stopped.
    pub async fn open(mut parts: Parts) -> Result<ContentClassifier> {
        let (path, id) = (parts.snapshot.clone(), parts.store.clone());
        let nothing = || Learnt { engine: Engine::new(Vec::new()), guesses: Guesses::default(), seq: 0 };
        let Learnt { mut engine, guesses, seq } = match blocking(move || snapshot::restore(&path, &id)).await? {
            Some(learnt) if learnt.seq <= parts.labels.last().await? => learnt,
            Some(Learnt { seq, .. }) => {
                tracing::info!(seq, "the store was put back to an earlier moment: its labels are learnt again");
                nothing()
            }
            None => nothing(),
        };
        let meanings = parts.meanings.take().map(Meanings::new);
        engine.vectors_of(&meanings.as_ref().map(Meanings::name).unwrap_or_default());
        let known = RwLock::new(Known { engine, guesses, structure: String::new(), seq, between: false });
        let opinions = match parts.opinions.take() {
            Some(opinions) => Some(Arc::new(Opinions::open(opinions, &parts.labels, seq).await?)),
            None => None,
        };
        let (reading, unsaved) = (Turn::new(()), Mutex::new(0));
        Ok(ContentClassifier(Arc::new(Inner { parts, opinions, meanings, known, reading, unsaved })))
    }

    /// Learns what the log has beyond what is known.
    async fn catch_up(&self) -> Result<()> {
        let _turn = self.0.reading.lock().await;
        loop {
            let next = self.0.known.read().seq + 1;
            let Some(label) = self.0.parts.labels.get(next).await? else { break };
            let service = self.clone();
            blocking(move || service.learn(next, &label)).await?;
        }
        self.understand().await?;
        self.save_if_due().await
    }

    fn learn(&self, seq: u64, label: &Label) {
        let lessons = &label.lessons;
        if let Some(opinions) = &self.0.opinions {
            opinions.learn(label);
        }
        // The lock is given up between lessons, so that a long lesson book does not keep callers waiting.
        for lesson in lessons {
            let mut known = self.0.known.write();
            known.between = true;
            known.engine.unlearn(&lesson.key);
            if let Some(code) = &lesson.code {
                known.engine.learn(code, &lesson.key, &document(lesson));
            }
            known.guesses.learn(&lesson.key, lesson.code.as_deref(), lesson.guess.as_ref());
            drop(known);
            self.0.meanings.iter().for_each(|meanings| meanings.taught(lesson));
        }
        let mut known = self.0.known.write();
        (known.seq, known.between) = (seq, false);
        drop(known);
        *self.0.unsaved.lock() += lessons.len();
    }

    async fn save_if_due(&self) -> Result<()> {
        if *self.0.unsaved.lock() < self.0.parts.settings.lessons_per_snapshot.max(1) {
            return Ok(());
        }
        self.save().await
    }

    async fn save(&self) -> Result<()> {
        let service = self.clone();
        let saved = move || {
            let (guesses, bytes, seq) = {
                let known = service.0.known.read();
                (known.guesses.clone(), known.engine.snapshot(), known.seq)
            };
            *service.0.unsaved.lock() = 0;
            snapshot::store(&service.0.parts.snapshot, &service.0.parts.store, &guesses, &bytes, seq)
        };
        let saved = blocking(saved).await?;
        // It only costs time at the next start.
        saved.unwrap_or_else(|error| tracing::warn!("what was learnt cannot be kept for the next start: {error}"));
        Ok(())
    }

    /// Looks for new labels until shutdown, and then keeps what was learnt.
    pub async fn follow(&self, stop: Shutdown) -> Result<()> {
        let pause = Duration::from_millis(self.0.parts.settings.poll_ms.max(50));
        loop {
            self.catch_up().await?;
            if stop.run_until_cancelled(self.fill()).await.transpose()?.is_none() {
                break;
            }
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                break;
            }
        }
        if *self.0.unsaved.lock() > 0 {
            self.save().await?;
        }
        Ok(())
    }
}

impl Answer<Classify> for ContentClassifier {
    async fn answer(&self, request: Classify) -> Result<Classified> {
        let is_behind = self.0.meanings.as_ref().is_some_and(Meanings::is_behind);
        if self.0.known.read().seq < request.at_least || is_behind {
            self.catch_up().await?;
        }
        let seq = self.0.known.read().seq;
        if seq < request.at_least {
            let message = format!("label {} is not in the store yet; the last is {seq}", request.at_least);
            return Err(Error::unavailable(message));
        }
        let meaning = self.meaning(&request).await?;
        let sense = meaning.as_ref().and_then(|it| it.as_ref().ok());
        let compute = async {
            let (ranked, whole) = self.ranked(&request, sense).await.map_err(Unkept::Error)?;
            // Somebody taught meanwhile: it belongs under another key.
            if whole && ranked.labels == seq { Ok(ranked) } else { Err(Unkept::Value(ranked)) }
        };
        let key = key(&self.0.parts.store, seq, &request) + &self.sense_key(sense);
        let mut ranked: Classified = Unkept::settle(self.0.parts.cache.get_or(key, compute).await)?;
        if let (Some(meanings), Some(meaning)) = (&self.0.meanings, &meaning) {
            ranked.engine = meanings.engine(meaning);
        }
        Ok(ranked)
    }
}

impl Answer<ListEarned> for ContentClassifier {
    async fn answer(&self, request: ListEarned) -> Result<EarnedByCategory> {
        self.catch_up().await?;
        let structure = self.0.parts.structures.last_in_force().await?;
        let earned = self.0.known.read().guesses.earned(request.bar);
        let title = |code: &str| Some(structure.as_ref()?.find(code)?.title().to_owned());
        let titled = |earned: Earned| Titled { title: title(&earned.category).unwrap_or_default(), earned };
        Ok(EarnedByCategory { categories: earned.into_iter().map(titled).collect() })
    }
}

/// All that a ranking rests on: the content, the structure, the engine, what this store's labels taught it, and the bar that
/// the thresholds beside it are for.
fn key(store: &str, seq: u64, request: &Classify) -> String {
    let mut hasher = blake3::Hasher::new();
    let fields = [&request.name, &request.title, &request.text, &request.kind];
    let category = request.category.iter();
    for field in fields.into_iter().chain(&request.hints).chain(category) {
        hasher.update(&(field.len() as u64).to_le_bytes()).update(field.as_bytes());
    }
    let shape = (request.hints.len(), request.category.is_some(), request.top, request.bar);
    format!("classify/{ENGINE}/{store}/{seq}/{}/{shape:?}/{}", request.structure, hasher.finalize().to_hex())
}

impl ContentClassifier {
    /// What a ranking rests on beside words: the document's vector, and those of places and examples.
    fn sense_key(&self, meaning: Option<&Meaning>) -> String {
        let (Some(meanings), Some(Meaning { vector, trace })) = (&self.0.meanings, meaning) else {
            return String::new();
        };
        format!("/{:x}/{trace:x}", vector.trace(&meanings.name()))
    }

    /// Ranks, and says whether what is known was whole while it did.
    async fn ranked(&self, request: &Classify, meaning: Option<&Meaning>) -> Result<(Classified, bool)> {
        // Ranking takes well under a millisecond: less than handing it to another thread and back.
        if let Some(ranked) = self.rank(request, meaning, None) {
            return Ok(ranked);
        }
        let structure = self.0.parts.structures.get(&request.structure).await?;
        let (service, request, meaning) = (self.clone(), request.clone(), meaning.cloned());
        let ranked = blocking(move || service.rank(&request, meaning.as_ref(), Some(structure))).await?;
        ranked.ok_or_else(|| Error::internal("the classifier was not turned to the structure"))
    }

    /// Ranks in the structure of the request. If another one is in force the engine is turned to `structure` first, and
    /// ranks before anybody else can turn it away; nothing if there is none to turn to.
    fn rank(
        &self,
        request: &Classify,
        meaning: Option<&Meaning>,
        structure: Option<Structure>,
    ) -> Option<(Classified, bool)> {
        let known = self.0.known.read();
        if known.structure == request.structure {
            return Some(ranked(&known, request, meaning));
        }
        drop(known);
        let targets = targets(&structure?);
        let mut known = self.0.known.write();
        if known.structure != request.structure {
            known.engine.retarget(targets);
            known.structure.clone_from(&request.structure);
            self.0.meanings.iter().for_each(|meanings| meanings.tell(&mut known));
        }
        let known = RwLockWriteGuard::downgrade(known);
        Some(ranked(&known, request, meaning))
    }
}

/// The ranking, and whether it is of what is known as a whole.
fn ranked(known: &Known, request: &Classify, meaning: Option<&Meaning>) -> (Classified, bool) {
    let document = Document {
        name: &request.name,
        title: &request.title,
        text: &request.text,
        kind: &request.kind,
        hints: &request.hints,
    };
    let vector = meaning.map(|meaning| &meaning.vector);
    let classify = |top| known.engine.classify_meant(&Features::of(&document), vector, top);
    let candidates = match &request.category {
        None => classify(request.top),
        Some(category) => within(classify(usize::MAX), category, request.top),
    };
    let threshold = |code: &str| Some((category(code).to_owned(), known.guesses.threshold(code, request.bar?)));
    let thresholds = candidates.iter().filter_map(|candidate| threshold(&candidate.code)).collect();
    let whole = !known.between && meaning.is_none_or(|meaning| meaning.trace == known.engine.vectors_trace());
    (Classified { candidates, labels: known.seq, engine: ENGINE.to_owned(), thresholds }, whole)
}

/// The candidates of one category: its owner has said that it is none of the others.
fn within(candidates: Vec<Candidate>, category: &str, top: usize) -> Vec<Candidate> {
    let inside = |code: &str| code == category || code.split_once('.').is_some_and(|(own, _)| own == category);
    let mut candidates: Vec<_> = candidates.into_iter().filter(|it| inside(&it.code)).collect();
    let whole: f64 = candidates.iter().map(|it| it.probability).sum();
    if whole > 0.0 {
        for candidate in &mut candidates {
            candidate.probability = (candidate.probability / whole * 1e4).round() / 1e4;
        }
    }
    candidates.truncate(top);
    candidates
}

fn document(lesson: &Lesson) -> Document<'_> {
    Document { name: &lesson.name, title: &lesson.title, text: &lesson.text, kind: &lesson.kind, hints: &lesson.hints }
}
