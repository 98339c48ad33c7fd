//! How much a vote counts: by how often the same model was right where a person said so, in Bayes' way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Vote;
use crate::domain::classify::{Candidate, agrees};

/// What a model is taken for before anybody said whether it is right: so many right ones, of so many. Little more than chance among
/// five places and none: it may decide what is nearly sure, and has to earn the rest.
const BEFORE: (f64, f64) = (2.0, 6.0);

/// What a model voted for a document whose place a person decided; stands in the label of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The model.
    pub model: String,
    /// The code that it voted for.
    pub code: String,
}

/// How often models were right, by what was taught: a lesson that is taken back does not count any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    votes: BTreeMap<String, (String, bool)>,
}

impl Trust {
    /// Takes note that a document of this key belongs to `code`, or to none that is known any more, and what was voted for it.
    pub fn learn(&mut self, key: &str, code: Option<&str>, vote: Option<&Record>) {
        match (code, vote) {
            (Some(code), Some(vote)) => {
                self.votes.insert(key.to_owned(), (vote.model.clone(), agrees(&vote.code, code)));
            }
            _ => drop(self.votes.remove(key)),
        }
    }

    /// How often this model was right, and how often it was told.
    #[must_use]
    pub fn counts(&self, model: &str) -> (usize, usize) {
        let of_model = || self.votes.values().filter(|(it, _)| it == model);
        (of_model().filter(|(_, right)| *right).count(), of_model().count())
    }

    /// The share of its votes that can be expected to be right, from 0 to 1.
    #[must_use]
    pub fn accuracy(&self, model: &str) -> f64 {
        let (right, told) = self.counts(model);
        // Counts are far below where a double loses whole numbers.
        #[allow(clippy::cast_precision_loss)]
        let (right, told) = (right as f64, told as f64);
        (right + BEFORE.0) / (told + BEFORE.1)
    }
}

/// The candidates with a vote weighed in, best first. A model whose votes are no better than chance changes nothing, and what
/// it voted for keeps at most the doubt that its errors leave.
#[must_use]
pub fn weigh(candidates: &[Candidate], shortlist: &[&str], vote: &Vote, accuracy: f64) -> Vec<Candidate> {
    let voted = match vote {
        Vote::Place(code) => Some(code.as_str()),
        Vote::Nowhere => None,
        Vote::Abstained(_) => return candidates.to_vec(),
    };
    // The places of the list and "none": whoever guesses is right so often.
    #[allow(clippy::cast_precision_loss)]
    let others = shortlist.len().max(1) as f64;
    let accuracy = accuracy.clamp(1.0 / (others + 1.0), 1.0);
    let (right, wrong) = (accuracy, (1.0 - accuracy) / others);
    let listed = |code: &str| shortlist.contains(&code);
    let likelihood = |code: &str| match (voted, listed(code)) {
        (Some(voted), true) if voted == code => right,
        (None, false) => right,
        _ => wrong,
    };
    let nothing = (1.0 - candidates.iter().map(|it| it.probability).sum::<f64>()).max(0.0);
    let outside = nothing * if voted.is_none() { right } else { wrong };
    let mut weighed: Vec<Candidate> = candidates.to_vec();
    for candidate in &mut weighed {
        candidate.probability *= likelihood(&candidate.code);
    }
    let whole: f64 = weighed.iter().map(|it| it.probability).sum::<f64>() + outside;
    if whole <= 0.0 {
        return candidates.to_vec();
    }
    for candidate in &mut weighed {
        candidate.probability = (candidate.probability / whole * 1e4).round() / 1e4;
    }
    weighed.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.code.cmp(&b.code)));
    weighed
}
