//! What people teach: appended to the labels before anything else says so, and taken back with what it was taught by.

use std::collections::BTreeMap;

use super::{FileSystem, notes::NOTE_BYTES_MAX, reading::file_name};
use crate::{
    backends::store::Lesson,
    domain::{
        custody::{Chain, Why},
        note,
        opinion::{Record, Vote},
    },
    rpc::Result,
};

/// Lessons of the owner's own notes are kept under their path.
pub(super) const OWNERS: &str = "note:";

impl FileSystem {
    pub(super) async fn append_label(&self, lessons: Vec<Lesson>) -> Result<u64> {
        // One after the other: those who try for the same number only cost each other the time.
        let mut last = self.knowledge.last.lock().await;
        if *last == 0 {
            // Once a process: trying every number from the first would cost a file each.
            *last = self.parts.labels.last().await?;
        }
        let seq = self.parts.labels.append(lessons, *last + 1).await?;
        *last = seq;
        drop(last);
        // Only a vault that was read once has a number to wait for.
        self.knowledge.labels.send_if_modified(|labels| match labels {
            Some(known) if *known < seq => {
                *known = seq;
                true
            }
            _ => false,
        });
        Ok(seq)
    }

    /// The last lesson under each key that was not taken back.
    pub(super) async fn taught(&self) -> Result<BTreeMap<String, Lesson>> {
        let taught = self.parts.labels.taught().await?;
        Ok(taught.into_iter().map(|lesson| (lesson.key.clone(), lesson)).collect())
    }

    /// A person decided that this item belongs to `code`: its note is a lesson. Given before the journal says so: killed in
    /// between, it is given once more, which changes nothing, and never lost.
    pub(super) async fn teach(&self, emm_id: &str, chain: &Chain, code: &str) -> Result<u64> {
        let Some((_, plan)) = &chain.plan else { return Ok(self.knowledge.labels().unwrap_or_default()) };
        let bytes = self.parts.vault.read(&plan.note, NOTE_BYTES_MAX).await?;
        let text = String::from_utf8_lossy(&bytes);
        let front = note::read_front_matter(&text);
        let body = text.get(front.body_offset_bytes..).unwrap_or_default();
        let name = file_name(&chain.origin.place);
        let lesson = self.lesson(emm_id, Some(code), name, &plan.why.title, &front, body);
        self.append_label(vec![self.with_guesses(lesson, &plan.why).await?]).await
    }

    /// What was taught with this item is taken back. An undo as such teaches nothing, for a whole run may be undone only to see it
    /// done; what is undone is asked about, and the answer says what the guess was worth.
    pub(super) async fn unteach(&self, emm_id: &str) -> Result<()> {
        let taught = |chain: Chain| chain.taught || chain.plan.is_some_and(|(_, plan)| plan.why.by_person);
        if self.chains.get(emm_id).await?.is_some_and(taught) { self.forget_lesson(emm_id).await } else { Ok(()) }
    }

    /// The lesson of an item, with what emm and a language model had taken for its place. A place that was not there then is no
    /// mistake of emm's: its owner has ordered things anew.
    pub(super) async fn with_guesses(&self, lesson: Lesson, why: &Why) -> Result<Lesson> {
        let vote = why.opinion.as_ref().and_then(|opinion| match &opinion.vote {
            Vote::Place(code) => Some(Record { model: opinion.model.clone(), code: code.clone() }),
            Vote::Nowhere | Vote::Abstained(_) => None,
        });
        let guess = match (&why.guess, &lesson.code) {
            (Some(guess), Some(code)) => {
                let there = self.structure(&why.structure).await?.find(code).is_some();
                there.then(|| guess.clone())
            }
            _ => None,
        };
        Ok(Lesson { vote, guess, ..lesson })
    }

    /// Takes back what was taught under this key.
    pub(super) async fn forget_lesson(&self, emm_id: &str) -> Result<()> {
        self.append_label(vec![taken_back(emm_id)]).await.map(drop)
    }

    /// The lesson that a note gives.
    pub(super) fn lesson(
        &self,
        key: &str,
        code: Option<&str>,
        name: &str,
        title: &str,
        front: &note::FrontMatter,
        body: &str,
    ) -> Lesson {
        let limit = body.floor_char_boundary(self.parts.settings.lesson_text_bytes_max);
        Lesson {
            key: key.to_owned(),
            code: code.map(str::to_owned),
            name: file_name(name).to_owned(),
            title: title.to_owned(),
            kind: String::new(),
            text: body.get(..limit).unwrap_or_default().to_owned(),
            hints: front.list("tags").into_iter().filter(|tag| !tag.starts_with("jd/")).map(str::to_owned).collect(),
            vote: None,
            guess: None,
        }
    }
}

/// The lesson that takes back what was taught under this key.
pub(super) fn taken_back(key: &str) -> Lesson {
    let (name, title, kind, text) = Default::default();
    Lesson { key: key.to_owned(), code: None, name, title, kind, text, hints: Vec::new(), vote: None, guess: None }
}
