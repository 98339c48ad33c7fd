//! The ledger: what left for a language model, `ledger/{day}/{time}-{id}-{sent|used}-{tokens}-{micros}`.
//!
//! A question is entered before it is sent, with the most that it can cost, and once more when its answer is there, under the
//! time at which it was sent, with what it did cost. So a listing of names is the account of a day, and a process that was
//! killed has entered too much, never too little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};
use crate::domain::opinion::Asked;

/// A question that was sent, with the most that it can take; or its answer, with what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// The version of this form.
    format: u32,
    /// The question.
    #[serde(flatten)]
    asked: Asked,
}

impl Stored for Entry {
    const FORMAT: u32 = 1;
}

/// What is entered: each kind has a budget of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// A question to a language model.
    Question,
    /// Texts whose meaning was asked for.
    Texts,
}

/// How the ids of entries about texts begin; no digit of the other ids.
const TEXTS: char = 't';

impl Sent {
    /// A new id for an entry.
    pub fn id(self) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        match self {
            Sent::Question => id,
            Sent::Texts => format!("{TEXTS}{id}"),
        }
    }

    /// Whether a name in the ledger, `{time}-{id}-...`, is of this kind.
    fn has(self, name: &str) -> bool {
        let texts = name.split('-').nth(1).is_some_and(|id| id.starts_with(TEXTS));
        texts == (self == Sent::Texts)
    }
}

/// What a day took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Tokens.
    pub tokens: u64,
    /// Money, in millionths.
    pub micros: u64,
}

/// The account of what was asked.
#[derive(Clone, Debug)]
pub struct Ledger(Store);

impl Ledger {
    /// The ledger of this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Enters a question that is about to be sent.
    pub async fn sent(&self, id: &str, asked: &Asked) -> Result<(), StoreError> {
        self.enter(id, "sent", asked).await
    }

    /// Enters what became of a question.
    pub async fn used(&self, id: &str, asked: &Asked) -> Result<(), StoreError> {
        self.enter(id, "used", asked).await
    }

    async fn enter(&self, id: &str, what: &str, asked: &Asked) -> Result<(), StoreError> {
        let Asked { at, tokens, micros, .. } = asked;
        let entry = Entry { format: Entry::FORMAT, asked: asked.clone() };
        let (day, time) = at.split_once('T').unwrap_or((at, ""));
        let time: String = time.chars().filter(char::is_ascii_digit).collect();
        self.0.create(&format!("ledger/{day}/{time}-{id}-{what}-{tokens}-{micros}"), &entry).await
    }

    /// What a day took for one kind: of each entry what it used, or the most where that is not known.
    pub async fn spent(&self, day: &str, what: Sent) -> Result<Spent, StoreError> {
        let mut spent = Spent::default();
        for name in self.last(day).await?.into_iter().filter(|name| what.has(name)) {
            let mut figures = name.rsplit('-').filter_map(|part| part.parse::<u64>().ok());
            let (Some(micros), Some(tokens)) = (figures.next(), figures.next()) else { continue };
            spent.tokens = spent.tokens.saturating_add(tokens);
            spent.micros = spent.micros.saturating_add(micros);
        }
        Ok(spent)
    }

    /// The questions of a day in order, each as it is known last.
    pub async fn of(&self, day: &str) -> Result<Vec<Asked>, StoreError> {
        let mut asked = Vec::new();
        for name in self.last(day).await? {
            asked.push(self.0.get::<Entry>(&format!("ledger/{day}/{name}")).await?.asked);
        }
        Ok(asked)
    }

    /// The last name of each question of a day, in order: both of a question begin with its time and id, and `sent` sorts before
    /// `used`.
    async fn last(&self, day: &str) -> Result<Vec<String>, StoreError> {
        let mut questions = BTreeMap::new();
        for name in self.0.names(&format!("ledger/{day}")).await? {
            let question: Vec<String> = name.split('-').take(2).map(str::to_owned).collect();
            questions.insert(question, name);
        }
        Ok(questions.into_values().collect())
    }

    /// The days that have entries, in order.
    pub async fn days(&self) -> Result<Vec<String>, StoreError> {
        let names = self.0.names("ledger").await?;
        let mut days: Vec<String> = names.iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
        days.dedup();
        Ok(days)
    }
}
