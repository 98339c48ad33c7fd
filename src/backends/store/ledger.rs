//! The ledger: what left for a language model, `ledger/{day}/{time}-{id}-{sent|used}-{tokens}-{micros}`.
//!
//! A question is entered before it is sent, with the most that it can cost, and once more when its answer is there, with what
//! it did cost. So a listing of names is the account of a day, and a process that was killed has entered too much, never
//! too little.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Store, StoreError, Stored};

/// A question that was sent, or its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of this form.
    pub format: u32,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// The address of the server.
    pub to: String,
    /// Whether it is beyond the reach of the owner.
    pub remote: bool,
    /// The model.
    pub model: String,
    /// The hash of the document of which text was sent.
    pub document: String,
    /// Its file name.
    pub name: String,
    /// Bytes of text that were sent.
    pub bytes: u64,
    /// Tokens: the most that it could take, or what it took.
    pub tokens: u64,
    /// Their price, in millionths of the unit of the prices.
    pub micros: u64,
    /// How it ended; nothing while it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

impl Entry {
    /// The version that is written.
    pub const FORMAT: u32 = 1;
}

impl Stored for Entry {
    const FORMAT: u32 = Entry::FORMAT;
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
    pub async fn sent(&self, id: &str, entry: &Entry) -> Result<(), StoreError> {
        self.enter(id, "sent", entry).await
    }

    /// Enters what became of a question.
    pub async fn used(&self, id: &str, entry: &Entry) -> Result<(), StoreError> {
        self.enter(id, "used", entry).await
    }

    async fn enter(&self, id: &str, what: &str, entry: &Entry) -> Result<(), StoreError> {
        let Entry { at, tokens, micros, .. } = entry;
        let (day, time) = at.split_once('T').unwrap_or((at, ""));
        let time: String = time.chars().filter(char::is_ascii_digit).collect();
        self.0.create(&format!("ledger/{day}/{time}-{id}-{what}-{tokens}-{micros}"), entry).await
    }

    /// What a day took: of each question what it used, or the most where that is not known.
    pub async fn spent(&self, day: &str) -> Result<Spent, StoreError> {
        let mut questions = BTreeMap::<String, (bool, u64, u64)>::new();
        for name in self.0.names(&format!("ledger/{day}")).await? {
            let parts: Vec<&str> = name.split('-').collect();
            let [_, id, what, tokens, micros] = parts.as_slice() else { continue };
            let (Ok(tokens), Ok(micros)) = (tokens.parse(), micros.parse()) else { continue };
            let known = questions.entry((*id).to_owned()).or_default();
            if *what == "used" || !known.0 {
                *known = (*what == "used", tokens, micros);
            }
        }
        let add = |spent: Spent, (_, tokens, micros): &(bool, u64, u64)| Spent {
            tokens: spent.tokens.saturating_add(*tokens),
            micros: spent.micros.saturating_add(*micros),
        };
        Ok(questions.values().fold(Spent::default(), add))
    }

    /// The questions of a day in order, each as it is known last.
    pub async fn of(&self, day: &str) -> Result<Vec<Entry>, StoreError> {
        let mut questions = BTreeMap::<String, (String, String)>::new();
        for name in self.0.names(&format!("ledger/{day}")).await? {
            let parts: Vec<&str> = name.split('-').collect();
            let [time, id, what, ..] = parts.as_slice() else { continue };
            match questions.get_mut(*id) {
                // The question tells when it was sent, the answer what became of it.
                Some((_, last)) if *what == "used" => last.clone_from(&name),
                Some((first, _)) => *first = (*time).to_owned(),
                None => drop(questions.insert((*id).to_owned(), ((*time).to_owned(), name.clone()))),
            }
        }
        let mut names: Vec<(String, String)> = questions.into_values().collect();
        names.sort();
        let mut entries = Vec::with_capacity(names.len());
        for (_, name) in names {
            entries.push(self.0.get::<Entry>(&format!("ledger/{day}/{name}")).await?);
        }
        Ok(entries)
    }

    /// The days that have entries, in order.
    pub async fn days(&self) -> Result<Vec<String>, StoreError> {
        let names = self.0.names("ledger").await?;
        let mut days: Vec<String> = names.iter().filter_map(|name| Some(name.split_once('/')?.0.to_owned())).collect();
        days.dedup();
        Ok(days)
    }
}
