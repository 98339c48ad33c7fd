//! A second opinion from a language model: asked of a short list only, read strictly, and weighed by how often it was right.
//!
//! The world is closed: a vote is a place of the list or none of them. A title and a description are all else that a model may
//! say, and both are cleaned before anybody sees them.

mod answer;
mod prompt;
mod proposal;
mod weight;

pub use answer::{Said, clean_description, clean_title, read};
pub use prompt::{Choice, PROMPT_VERSION, Prompt, Question, estimated_tokens, prompt, schema};
pub use proposal::{Proposal, Waiting, proposals};
pub use weight::{Record, Trust, weigh};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a model voted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Vote {
    /// This place of the list.
    Place(String),
    /// None of the list.
    Nowhere,
    /// Nothing, for this reason.
    Abstained(String),
}

/// What a model said of one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opinion {
    /// The model that was asked; empty where none was.
    pub model: String,
    /// What it voted for.
    pub vote: Vote,
    /// A title, one line of plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// A description, at most two sentences of plain words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Opinion {
    /// The title of a document: its own, else what the model calls it, else what was made of its name.
    #[must_use]
    pub fn title_of<'a>(&'a self, has_own: bool, made: &'a str) -> &'a str {
        self.title.as_deref().filter(|_| !has_own).unwrap_or(made)
    }

    /// No vote, for this reason.
    #[must_use]
    pub fn abstained(model: &str, reason: impl Into<String>) -> Opinion {
        Opinion { model: model.to_owned(), vote: Vote::Abstained(reason.into()), title: None, description: None }
    }
}

/// One question to a model, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// When it was sent, RFC 3339 in UTC.
    pub at: String,
    /// The address of the server.
    pub to: String,
    /// Whether it is beyond the reach of the owner.
    pub remote: bool,
    /// The model.
    pub model: String,
    /// The hash of the document.
    pub document: String,
    /// Its file name.
    pub name: String,
    /// Bytes of text that were sent.
    pub bytes: u64,
    /// Tokens that it took, or at most can have taken.
    pub tokens: u64,
    /// Their price, in millionths of the unit of the prices.
    pub micros: u64,
    /// How it ended; nothing if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}
