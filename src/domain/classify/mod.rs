//! Where does a document belong? Candidates with honest probabilities, from the structure's words and what people taught.
//!
//! Everything is counted in whole numbers and summed in a fixed order, so the same targets and the same log of
//! lessons give the same bits on every machine. Below 64 examples the order of lessons does not matter either; from there on the
//! linear expert learns from mistakes, one lesson after the other.

mod address;
mod autonomy;
mod bayes;
mod common;
mod counts;
mod engine;
mod evidence;
mod features;
mod hashing;
mod judge;
mod kin;
mod language;
mod linear;
mod meaning;
mod measure;
mod names;
mod neighbours;
mod packed;
mod practice;
mod related;
mod snapshot;
mod spelling;
mod target;
mod thesaurus;
mod vector;

pub use address::address_words;
pub use autonomy::{Bar, Earned, Guess, Guesses, agrees, category};
pub use engine::Engine;
pub use features::Features;
pub use meaning::{document_text, place_text};
pub use measure::{Measures, Outcome, Point, accuracy, curve};
pub use snapshot::SnapshotError;
pub use target::targets;
pub use vector::Vector;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place where documents can go, with everything its owner says about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Target {
    /// The code of a category ("11") or of an id ("11.02").
    pub code: String,
    /// Its own title.
    pub title: String,
    /// The title of its category; empty for a category.
    pub category_title: String,
    /// The title of its area.
    pub area_title: String,
    /// What it is for, in a sentence or more.
    pub description: String,
    /// Words and phrases that point to it.
    pub keywords: Vec<String>,
    /// Things that belong there.
    pub examples: Vec<String>,
    /// Things that do not belong there although one may think so.
    pub not: Vec<String>,
    /// Other names for it.
    pub aliases: Vec<String>,
}

/// A document as the engine reads it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Document<'a> {
    /// The file name.
    pub name: &'a str,
    /// The title, or empty.
    pub title: &'a str,
    /// The text, or empty.
    pub text: &'a str,
    /// The kind of file ("pdf"), or empty.
    pub kind: &'a str,
    /// Folder names, keywords, sender, host.
    pub hints: &'a [String],
}

/// One place that may be right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The code of the target.
    pub code: String,
    /// How likely it is the right one, in steps of 0.0001. What is missing to 1 over all candidates is "none of these".
    pub probability: f64,
    /// The words of the document that spoke for it most.
    pub words: Vec<Evidence>,
    /// The examples of this place that are nearest.
    pub nearest: Vec<Neighbour>,
    /// The share of the evidence that is meaning and not words, in steps of 0.001; nothing where no model says what texts mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<f64>,
}

/// A word and how much it spoke for a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The word as it stands in the document, lower-cased.
    pub word: String,
    /// Its share of the evidence, in steps of 0.001.
    pub weight: f64,
}

/// An example that is like the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// The key it was learnt under.
    pub key: String,
    /// Its title.
    pub title: String,
    /// How alike, 0 to 1, in steps of 0.001.
    pub similarity: f64,
}
