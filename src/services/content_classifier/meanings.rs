//! What documents, places and examples mean: asked of a model within its owner's privacy, and told to the engine.
//!
//! Nothing here fails a call: what cannot be asked or is not answered leaves the engine with the words, and the reason is said. What
//! is taught counts by its words at once. Its vector follows before the next ranking where little was taught, and in the background
//! where much was, or where the server was away: so what all know in the end is a function of structure, labels and vectors.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use tokio::{
    sync::Mutex as Turn,
    time::{Duration, Instant, timeout},
};

use super::{ContentClassifier, ENGINE, Known};
use crate::{
    backends::{
        embeddings::{Embedder, Hurry, Text},
        llm::{AccountError, LlmError},
        state::{Put, Space, State},
        store::Lesson,
    },
    contracts::content_classifier::Classify,
    domain::{
        classify::{Document, Vector, document_text, place_text, targets},
        jd::Structure,
    },
    life::Health,
    rpc::Result,
};

/// Candidates of which one with `privacy: local` keeps a document from a remote server: as many as a language model is shown.
const SHORTLIST: usize = 5;
/// What was taught since the last look and is asked about before the next ranking; more is left to the background.
const LESSONS_AT_ONCE: usize = 32;
/// How many times longer a document waits for the vectors of a new structure than for its own.
const PLACES_PATIENCE: u64 = 4;
/// Characters of a document that every lesson keeps, whatever its script.
const CHARS_MAX: usize = 2_000;

/// What meanings need, where a model is configured.
pub struct Parts {
    /// The model.
    pub embedder: Embedder,
    /// Where vectors are kept.
    pub state: State,
    /// Where it says how the server is.
    pub health: Health,
}

/// Meanings, and what is still to be asked.
pub(super) struct Meanings {
    parts: Parts,
    /// What the places of the last structure mean.
    places: Mutex<Option<Places>>,
    /// Places are asked about once.
    asking: Turn<()>,
    /// What was just taught; one more than can be asked about at once means that it is too much.
    fresh: Mutex<Vec<Lesson>>,
    /// When what lacks a vector is asked about again.
    again: Mutex<Option<Instant>>,
}

/// What the places of a structure mean.
struct Places {
    structure: String,
    vectors: Vec<(String, Vector)>,
}

/// What a document means, and what is known beside it.
#[derive(Debug, Clone)]
pub(super) struct Meaning {
    pub(super) vector: Vector,
    /// What the engine knows of examples.
    pub(super) trace: u64,
}

/// Why something has no vector now.
type Reason = String;

impl Meanings {
    pub(super) fn new(parts: Parts) -> Meanings {
        parts.health.report("embeddings", parts.embedder.settings().required, None);
        let (places, fresh, again) = Default::default();
        Meanings { parts, places, asking: Turn::new(()), fresh, again }
    }

    /// The name under which the model's vectors are kept.
    pub(super) fn name(&self) -> String {
        self.parts.embedder.settings().name()
    }

    /// What the ranking says of the engine that did it.
    pub(super) fn engine(&self, meaning: &Result<Meaning, Reason>) -> String {
        match meaning {
            Ok(_) => format!("{ENGINE}, with meaning by {}", self.parts.embedder.settings().model),
            Err(reason) => format!("{ENGINE}, without meaning: {reason}"),
        }
    }

    /// Takes note of what was just taught.
    pub(super) fn taught(&self, lesson: &Lesson) {
        let mut fresh = self.fresh.lock();
        if lesson.code.is_some() && fresh.len() <= LESSONS_AT_ONCE {
            fresh.push(lesson.clone());
        }
    }

    /// Whether something was taught that is not asked about yet.
    pub(super) fn is_behind(&self) -> bool {
        !self.fresh.lock().is_empty()
    }

    /// Tells the engine what its places mean, if that is known of its structure.
    pub(super) fn tell(&self, known: &mut Known) {
        let places = self.places.lock();
        if let Some(places) = places.as_ref().filter(|places| places.structure == known.structure) {
            known.engine.set_place_vectors(places.vectors.iter().map(|(code, it)| (code.as_str(), it.clone())));
        }
    }

    fn text(&self, document: &Document<'_>) -> Text {
        let settings = self.parts.embedder.settings();
        let text = document_text(document, settings.text_chars_max.min(CHARS_MAX));
        Text { name: document.name.to_owned(), text: settings.document_text(&text) }
    }

    /// What texts mean, in their order: kept ones, and those that the model says now. Of a text that the model alone cannot
    /// read, nothing.
    async fn vectors(&self, texts: &[Text], hurry: Hurry) -> Result<Vec<Option<Vector>>, Reason> {
        let key = |text: &Text| blake3::hash(format!("{}\n{}", self.name(), text.text).as_bytes()).to_hex().to_string();
        let keys: Vec<String> = texts.iter().map(key).collect();
        let mut known = self.kept(keys.clone()).await;
        let mut missing: BTreeMap<&String, &Text> = keys.iter().zip(texts).collect();
        missing.retain(|key, text| !known.contains_key(*key) && !text.text.is_empty());
        let missing: Vec<(&String, &Text)> = missing.into_iter().collect();
        for some in missing.chunks(self.parts.embedder.settings().texts_per_call.max(1)) {
            let texts: Vec<Text> = some.iter().map(|(_, text)| (*text).clone()).collect();
            let found = self.asked(&texts, hurry).await?;
            let found = some.iter().zip(found).filter_map(|((key, _), vector)| Some(((*key).clone(), vector?)));
            known.extend(self.keep(found.collect()).await);
        }
        Ok(keys.iter().map(|key| known.get(key).cloned()).collect())
    }

    /// Asks about texts together; where the model does not take them together, about each alone.
    async fn asked(&self, texts: &[Text], hurry: Hurry) -> Result<Vec<Option<Vector>>, Reason> {
        let Parts { embedder, health, .. } = &self.parts;
        let mut answer =
            embedder.embed(texts, hurry).await.map(|found| found.into_iter().map(Some).collect::<Vec<_>>());
        let of_a_text = |error: &AccountError| {
            matches!(
                error,
                AccountError::Llm(LlmError::Refused { status: 400 | 413 | 422 | 500, .. } | LlmError::Form(_))
            )
        };
        if texts.len() > 1 && hurry == Hurry::None && answer.as_ref().is_err_and(of_a_text) {
            let mut alone = Vec::with_capacity(texts.len());
            for text in texts {
                match embedder.embed(std::slice::from_ref(text), hurry).await {
                    Ok(found) => alone.extend(found.into_iter().map(Some)),
                    Err(error) if of_a_text(&error) => alone.push(None),
                    Err(_) => break,
                }
            }
            // Where not one is taken it is not the texts.
            if alone.len() == texts.len() && alone.iter().any(Option::is_some) {
                answer = Ok(alone);
            }
        }
        let fault = match &answer {
            Err(AccountError::Llm(error)) if !matches!(error, LlmError::Busy(_)) => Some(error.to_string()),
            _ => None,
        };
        health.report("embeddings", embedder.settings().required, fault);
        answer.map_err(|error| error.to_string())
    }

    async fn kept(&self, keys: Vec<String>) -> BTreeMap<String, Vector> {
        let kept = self.parts.state.get_many(Space::Vectors, keys).await;
        kept.unwrap_or_else(|error| {
            tracing::warn!("kept vectors cannot be read: {error}");
            BTreeMap::new()
        })
    }

    /// Keeps vectors. Who asked first is believed, so that all who share the state know the same.
    async fn keep(&self, found: BTreeMap<String, Vector>) -> BTreeMap<String, Vector> {
        let puts = found.iter().map(|(key, vector)| Put::new(Space::Vectors, key, "", vector).once()).collect();
        if let Err(error) = self.parts.state.write(puts).await {
            tracing::warn!("vectors cannot be kept and may be asked for again: {error}");
            return found;
        }
        let kept = self.kept(found.keys().cloned().collect()).await;
        found.into_iter().chain(kept).collect()
    }
}

impl ContentClassifier {
    /// What a document means, or why that is not known; nothing where no model is configured.
    pub(super) async fn meaning(&self, request: &Classify) -> Result<Option<Result<Meaning, Reason>>> {
        let Some(meanings) = &self.0.meanings else { return Ok(None) };
        let settings = meanings.parts.embedder.settings();
        let patience = Duration::from_millis(settings.wait_ms_max.saturating_mul(PLACES_PATIENCE));
        let known = timeout(patience, self.know_places(meanings, &request.structure, Hurry::Waits)).await;
        if let Err(reason) = known.unwrap_or_else(|_| Ok(Err("the places are not all read yet".to_owned())))? {
            return Ok(Some(Err(reason)));
        }
        if settings.is_remote()
            && let Some(place) = self.private_place(request).await?
        {
            return Ok(Some(Err(format!("{place} may be meant, whose documents stay here (privacy: local)"))));
        }
        let Classify { name, title, text, kind, hints, .. } = request;
        let text = meanings.text(&Document { name, title, text, kind, hints });
        let found = meanings.vectors(&[text], Hurry::Waits).await;
        let vector = found.map(|found| found.into_iter().next().flatten());
        Ok(Some(match vector {
            Ok(Some(vector)) => Ok(Meaning { vector, trace: self.0.known.read().engine.vectors_trace() }),
            Ok(None) => Err("there is nothing to read".to_owned()),
            Err(reason) => Err(reason),
        }))
    }

    /// A place whose documents stay here, of those that the words of a document speak for.
    async fn private_place(&self, request: &Classify) -> Result<Option<String>> {
        let structure = self.0.parts.structures.get(&request.structure).await?;
        let shortlist = Classify { top: SHORTLIST, ..request.clone() };
        let candidates = self.ranked(&shortlist, None).await?.0.candidates;
        Ok(candidates.into_iter().map(|it| it.code).find(|code| structure.is_private(code)))
    }

    /// Asks what the places of a structure mean, unless that is known, and tells the engine.
    async fn know_places(&self, meanings: &Meanings, hash: &str, hurry: Hurry) -> Result<Result<(), Reason>> {
        let are_known = || meanings.places.lock().as_ref().is_some_and(|places| places.structure == hash);
        if are_known() {
            return Ok(Ok(()));
        }
        let _turn = meanings.asking.lock().await;
        if are_known() {
            return Ok(Ok(()));
        }
        let structure = self.0.parts.structures.get(hash).await?;
        let settings = meanings.parts.embedder.settings();
        // What is said of a private place stays here as well.
        let may_leave = |code: &str| !settings.is_remote() || !structure.is_private(code);
        let targets: Vec<_> = targets(&structure).into_iter().filter(|target| may_leave(&target.code)).collect();
        let text = |text: String| Text { name: "jd.yaml".to_owned(), text: settings.place_text(&text) };
        let texts: Vec<Text> = targets.iter().map(|target| text(place_text(target))).collect();
        let found = match meanings.vectors(&texts, hurry).await {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let vectors = targets.into_iter().zip(found).filter_map(|(target, vector)| Some((target.code, vector?)));
        *meanings.places.lock() = Some(Places { structure: hash.to_owned(), vectors: vectors.collect() });
        meanings.tell(&mut self.0.known.write());
        Ok(Ok(()))
    }

    /// Asks what was just taught means, if it is not much; the rest is left to [`ContentClassifier::fill`].
    pub(super) async fn understand(&self) -> Result<()> {
        let Some(meanings) = &self.0.meanings else { return Ok(()) };
        let fresh = std::mem::take(&mut *meanings.fresh.lock());
        if fresh.is_empty() || fresh.len() > LESSONS_AT_ONCE {
            return Ok(());
        }
        let seq = self.0.known.read().seq;
        if let Err(reason) = self.give(meanings, &fresh, seq, Hurry::Waits).await? {
            tracing::debug!("what was taught counts by its words for now: {reason}");
        }
        Ok(())
    }

    /// Asks about whatever has no vector yet. A server that fails is asked again after a while.
    pub(super) async fn fill(&self) -> Result<()> {
        let Some(meanings) = &self.0.meanings else { return Ok(()) };
        if meanings.again.lock().is_some_and(|again| again > Instant::now()) || meanings.parts.embedder.rests() {
            return Ok(());
        }
        let hash = self.0.known.read().structure.clone();
        let places = if hash.is_empty() { Ok(()) } else { self.know_places(meanings, &hash, Hurry::None).await? };
        let filled = match places {
            Ok(()) => self.fill_examples(meanings).await?,
            failed => failed,
        };
        if let Err(reason) = filled {
            let pause = Duration::from_millis(meanings.parts.embedder.settings().rest_ms);
            tracing::info!("some of what was taught counts by its words only, until the model answers: {reason}");
            *meanings.again.lock() = Some(Instant::now() + pause);
        }
        Ok(())
    }

    /// Goes through the log from its end, for what was taught last under a key is what counts.
    async fn fill_examples(&self, meanings: &Meanings) -> Result<Result<(), Reason>> {
        let (mut wanted, seq) = {
            let known = self.0.known.read();
            (if known.engine.lacks_vectors() { known.engine.lacking_vectors() } else { BTreeSet::new() }, known.seq)
        };
        let (mut lessons, most) = (Vec::new(), meanings.parts.embedder.settings().texts_per_call.max(1));
        for number in (1..=seq).rev() {
            if wanted.is_empty() {
                break;
            }
            let label = self.0.parts.labels.get(number).await?;
            let found = label.into_iter().flat_map(|label| label.lessons.into_iter().rev());
            lessons.extend(found.filter(|lesson| wanted.remove(&lesson.key)));
            while lessons.len() >= most || wanted.is_empty() && !lessons.is_empty() {
                let rest = lessons.split_off(most.min(lessons.len()));
                match self.give(meanings, &lessons, seq, Hurry::None).await? {
                    Ok(true) => lessons = rest,
                    // Something was taught meanwhile: the next look sees it.
                    Ok(false) => return Ok(Ok(())),
                    Err(reason) => return Ok(Err(reason)),
                }
            }
        }
        Ok(Ok(()))
    }

    /// Tells the engine what these lessons mean, if nothing was taught since `seq`; says whether it was told.
    async fn give(
        &self,
        meanings: &Meanings,
        lessons: &[Lesson],
        seq: u64,
        hurry: Hurry,
    ) -> Result<Result<bool, Reason>> {
        let stays = self.what_stays(meanings).await?;
        let (kept_here, others): (Vec<&Lesson>, Vec<&Lesson>) = lessons.iter().partition(|lesson| stays(lesson));
        let texts: Vec<Text> = others.iter().map(|lesson| meanings.text(&super::document(lesson))).collect();
        let found = match meanings.vectors(&texts, hurry).await {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut known = self.0.known.write();
        if known.seq != seq || known.between {
            return Ok(Ok(false));
        }
        for (lesson, vector) in others.into_iter().zip(found).chain(kept_here.into_iter().map(|it| (it, None))) {
            known.engine.set_vector(&lesson.key, vector);
        }
        drop(known);
        *self.0.unsaved.lock() += lessons.len();
        Ok(Ok(true))
    }

    /// Which lessons do not go to this server: those of private places, and of places that nobody knows, if it is remote.
    async fn what_stays(&self, meanings: &Meanings) -> Result<impl Fn(&Lesson) -> bool + use<>> {
        let remote = meanings.parts.embedder.settings().is_remote();
        let structure: Option<Structure> = match remote {
            true => self.0.parts.structures.last_in_force().await?,
            false => None,
        };
        let private =
            move |code: &str| structure.as_ref().is_none_or(|it| it.find(code).is_none() || it.is_private(code));
        Ok(move |lesson: &Lesson| remote && lesson.code.as_deref().is_none_or(&private))
    }
}
