//! What `content-classifier` answers: which places of the structure a document could belong to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tool;
use crate::domain::{
    classify::{Bar, Candidate, Earned},
    opinion::{Asked, Opinion},
};

/// Ranks the places of the structure for one document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Classify {
    /// The structure to choose from, by its hash.
    pub structure: String,
    /// The file name.
    pub name: String,
    /// The title, as found in the document or made from its name.
    pub title: String,
    /// The text; only its beginning counts.
    pub text: String,
    /// What kind of document it is.
    pub kind: String,
    /// Words from the folders it lay in, its keywords, its sender.
    #[serde(default)]
    pub hints: Vec<String>,
    /// Only places whose code begins with this category.
    #[serde(default)]
    pub category: Option<String>,
    /// What was taught up to here must be known before answering.
    #[serde(default)]
    pub at_least: u64,
    /// How many candidates to return.
    #[serde(default = "three")]
    pub top: usize,
    /// What filing without asking has to reach, to be told from which confidence on it does.
    #[serde(default)]
    pub bar: Option<Bar>,
}
tool!(Classify, ContentClassifier, "classify", Classified);

fn three() -> usize {
    3
}

/// Candidates and what they rest on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Classified {
    /// Best first. The probabilities add up to at most 1; the rest is "none of these".
    pub candidates: Vec<Candidate>,
    /// The last label that was known.
    pub labels: u64,
    /// The engine's name and version, for `emm why`.
    pub engine: String,
    /// The confidence from which emm files by itself, for the category of each candidate, where a bar was given.
    #[serde(default)]
    pub thresholds: BTreeMap<String, f64>,
}

/// What each category has earned by what people confirmed and corrected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ListEarned {
    /// What filing without asking has to reach.
    pub bar: Bar,
}
tool!(ListEarned, ContentClassifier, "list_earned", EarnedByCategory);

/// Categories that people spoke of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EarnedByCategory {
    /// By their code.
    pub categories: Vec<Titled>,
}

/// What a category has earned, and its title in the structure in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Titled {
    /// Empty where the structure does not have it.
    pub title: String,
    /// What it earned.
    #[serde(flatten)]
    pub earned: Earned,
}

/// Asks a language model about a document that the engine doubts, and weighs what it says. It never fails because of the
/// model: what goes wrong is an opinion that abstains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecondOpinion {
    /// The structure to choose from, by its hash.
    pub structure: String,
    /// The hash of the document.
    pub hash: String,
    /// Its file name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// What the engine says, best first; the model is shown the first five.
    pub candidates: Vec<Candidate>,
}
tool!(SecondOpinion, ContentClassifier, "second_opinion", Weighed, Finishes, deadline 900000);

/// An opinion and what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Weighed {
    /// The candidates with the vote weighed in, best first.
    pub candidates: Vec<Candidate>,
    /// What the model said.
    pub opinion: Opinion,
    /// The share of the model's votes that is expected to be right, from what people confirmed.
    pub accuracy: f64,
}

/// What was sent to language models, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmLog {
    /// Only this day, `YYYY-MM-DD`.
    #[serde(default)]
    pub day: Option<String>,
    /// At most so many.
    pub limit: usize,
}
tool!(LlmLog, ContentClassifier, "llm_log", LlmLogged);

/// What was sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LlmLogged {
    /// Newest first.
    pub entries: Vec<Asked>,
}
