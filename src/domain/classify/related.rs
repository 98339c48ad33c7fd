//! Which places a document belongs to by what its words are about, where no word of the place's name is met.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::classify::Target;
use crate::domain::classify::features::Features;
use crate::domain::classify::hashing::{singular, word_hash};
use crate::domain::classify::names::{Match, strength, telling};
use crate::domain::classify::thesaurus::Thesaurus;

/// The topics of all targets.
#[derive(Debug, Clone)]
pub(super) struct Related {
    /// Per topic the targets that stand for it, and how much. Looked up only, never walked.
    index: HashMap<u32, Vec<(u32, f64)>>,
    /// The words of the targets' own names, and whose they are: there they are met without, and elsewhere they say less.
    owners: HashMap<u32, BTreeSet<u32>>,
    /// Whether the thesaurus knows anything of a target.
    known: Vec<bool>,
}

impl Related {
    pub(super) fn new(targets: &[Target]) -> Related {
        let thesaurus = Thesaurus::shared();
        let mut related = Related { index: HashMap::new(), owners: HashMap::new(), known: Vec::new() };
        let mut all: Vec<BTreeMap<u32, f64>> = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            let names = || std::iter::once(&target.title).chain(&target.aliases).chain(&target.keywords);
            let mut topics: BTreeMap<u32, f64> = BTreeMap::new();
            for (topic, weight) in names().flat_map(|name| thesaurus.named(name)) {
                // Less than a part of a name: what it belongs to, of which much else speaks.
                let weight = if weight < IN_PART { weight * ABOVE } else { weight };
                let slot = topics.entry(topic).or_insert(0.0);
                *slot = slot.max(weight);
            }
            let forms = |word: String| [Some(word_hash(&word)), singular(&word), Some(word_hash(&format!("{word}s")))];
            for word in names().flat_map(|name| telling(name)).flat_map(forms).flatten() {
                related.owners.entry(word).or_default().insert(at as u32);
            }
            related.known.push(!topics.is_empty());
            all.push(topics);
        }
        let mut spread: BTreeMap<u32, f64> = BTreeMap::new();
        for (topic, weight) in all.iter().flatten() {
            *spread.entry(*topic).or_default() += weight * weight;
        }
        for (target, topics) in all.iter().enumerate() {
            for (topic, weight) in topics {
                let among = spread.get(topic).copied().unwrap_or(1.0).max(1.0);
                let telling = libm::log(1.0 + targets.len().max(8) as f64 / (among * among)) / 3.0;
                related.index.entry(*topic).or_default().push((target as u32, weight * telling));
            }
        }
        related
    }

    /// The score of every target, and which words made it. `rarity` says how telling a word is, 0 to 1. A target of which the
    /// thesaurus knows nothing gets what the others get on average, so that nobody's ignorance speaks against it.
    pub(super) fn score(&self, features: &Features, rarity: impl Fn(u32) -> f64) -> (Vec<f64>, Vec<Match>) {
        let mut scores = vec![0.0; self.known.len()];
        let mut matches: Vec<Match> = Vec::new();
        let mut best: BTreeMap<u32, f64> = BTreeMap::new();
        for of_term in features.links.chunk_by(|a, b| a.term == b.term && a.term.is_some()) {
            let term = of_term.first().and_then(|link| features.terms.get(link.term? as usize).zip(link.term));
            let strength = term.map_or(PHRASE, |(term, _)| strength(term, features.scale()) * rarity(term.hash));
            let owners = term.and_then(|(term, _)| self.owners.get(&term.hash));
            let claimed = if owners.is_some() { CLAIMED } else { 1.0 };
            best.clear();
            for link in of_term {
                for (target, weight) in self.index.get(&link.topic).into_iter().flatten() {
                    let slot = best.entry(*target).or_insert(0.0);
                    *slot = slot.max(link.weight * weight * claimed);
                }
            }
            for (target, weight) in &best {
                if owners.is_some_and(|owners| owners.contains(target)) {
                    continue;
                }
                let (target, score) = (*target as usize, weight * strength);
                scores[target] += score;
                matches.extend(term.map(|(_, term)| Match { target, term: term as usize, score }));
            }
        }
        let known = self.known.iter().filter(|known| **known).count().max(1);
        let usual = scores.iter().sum::<f64>() / known as f64;
        for (score, _) in scores.iter_mut().zip(&self.known).filter(|(_, known)| !**known) {
            *score = usual;
        }
        (scores, matches)
    }
}

/// A name of which only a part is known.
pub(super) const IN_PART: f64 = 0.6;
/// What is left of a topic that a target's name belongs to.
const ABOVE: f64 = 0.4;
/// What is left of a word that is in the name of another target.
const CLAIMED: f64 = 0.3;
/// What a phrase of the document says.
const PHRASE: f64 = 0.8;
