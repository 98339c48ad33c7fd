//! Labels: what people taught, one log `labels/{seq}` by put-if-absent on the next number.
//!
//! A label carries the beginning of the text it was taught with, so that every reader of the log learns the same,
//! whatever became of the note since. An existing vault is imported as segments of many lessons, sorted by path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};
use crate::domain::{classify::Guess, opinion::Record};

/// One thing that is taught or taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// What it is about: `emm_id`, or `note:` and the path of an owner's note.
    pub key: String,
    /// The place it belongs in; nothing takes back what was taught under this key.
    pub code: Option<String>,
    /// The file name.
    #[serde(default)]
    pub name: String,
    /// The title.
    #[serde(default)]
    pub title: String,
    /// The kind of document.
    #[serde(default)]
    pub kind: String,
    /// The beginning of the text.
    #[serde(default)]
    pub text: String,
    /// Words beside the text.
    #[serde(default)]
    pub hints: Vec<String>,
    /// What a language model had voted for, if one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vote: Option<Record>,
    /// What emm had taken for the best place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guess: Option<Guess>,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The version of this form.
    pub format: u32,
    /// What is taught with it, in this order.
    pub lessons: Vec<Lesson>,
}

impl Stored for Label {
    const FORMAT: u32 = 1;
}

/// The log.
#[derive(Clone, Debug)]
pub struct Labels(Store);

impl Labels {
    /// The labels of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Appends lessons as one entry, at or after `guess`; returns its number. Numbers start at 1.
    pub async fn append(&self, lessons: Vec<Lesson>, guess: u64) -> Result<u64, StoreError> {
        let label = Label { format: Label::FORMAT, lessons };
        let mut seq = guess.max(1);
        loop {
            match self.0.create(&path(seq), &label).await {
                Ok(()) => return Ok(seq),
                Err(StoreError::Exists(_)) => seq += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The entry of this number, if it is there yet.
    pub async fn get(&self, seq: u64) -> Result<Option<Label>, StoreError> {
        match self.0.get::<Label>(&path(seq)).await {
            Ok(label) => Ok(Some(label)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What was taught and not taken back, each as it was taught last, in that order.
    pub async fn taught(&self) -> Result<Vec<Lesson>, StoreError> {
        let (mut taught, mut number) = (BTreeMap::new(), 0_usize);
        for seq in 1..=self.last().await? {
            for lesson in self.get(seq).await?.into_iter().flat_map(|label| label.lessons) {
                number += 1;
                match lesson.code {
                    Some(_) => drop(taught.insert(lesson.key.clone(), (number, lesson))),
                    None => drop(taught.remove(&lesson.key)),
                }
            }
        }
        let mut taught: Vec<(usize, Lesson)> = taught.into_values().collect();
        taught.sort_by_key(|(number, _)| *number);
        Ok(taught.into_iter().map(|(_, lesson)| lesson).collect())
    }

    /// The number of the last entry; 0 if there is none.
    pub async fn last(&self) -> Result<u64, StoreError> {
        let names = self.0.names("labels").await?;
        Ok(names.iter().filter_map(|name| name.rsplit('/').next()?.parse().ok()).max().unwrap_or(0))
    }
}

/// A folder for each thousand keeps folders small.
fn path(seq: u64) -> String {
    format!("labels/{:06}/{seq:010}", seq / 1000)
}
