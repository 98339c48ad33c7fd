//! Why: the words that decided, and the examples that are nearest.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::classify::engine::Engine;
use crate::domain::classify::features::Features;
use crate::domain::classify::hashing::word_feature;
use crate::domain::classify::judge::{self, Experience, Voices, quantised};
use crate::domain::classify::names::Match;
use crate::domain::classify::neighbours::Near;
use crate::domain::classify::{Evidence, Neighbour};

const WORDS_SHOWN: usize = 6;
/// What a learnt word's vote weighs beside a word of the structure.
const LEARNT: f64 = 0.3;
const NEAREST_SHOWN: usize = 3;

/// The words of the document that spoke most for a target.
pub(super) fn words(engine: &Engine, features: &Features, matches: &[Match], target: usize) -> Vec<Evidence> {
    let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
    for found in matches.iter().filter(|found| found.target == target) {
        *weights.entry(found.term).or_default() += found.score;
    }
    let experience = Experience::of(engine.compared(features), engine.len()).alike;
    for (class, label) in engine.labels.iter().enumerate().filter(|(_, label)| label.target == Some(target)) {
        if label.examples == 0 {
            continue;
        }
        for (term, found) in features.terms.iter().enumerate() {
            let vote = engine.counts.vote(&engine.logs, word_feature(found.hash), class as u16, engine.len());
            *weights.entry(term).or_default() += LEARNT * experience * vote;
        }
    }
    let mut shown: Vec<(usize, f64)> = weights.into_iter().filter(|(_, weight)| *weight >= 1e-3).collect();
    shown.sort_by(|a, b| b.1.total_cmp(&a.1).then(features.terms[a.0].word.cmp(&features.terms[b.0].word)));
    shown.truncate(WORDS_SHOWN);
    let evidence = shown.into_iter().map(|(term, weight)| Evidence {
        word: features.terms[term].shown.to_string(),
        weight: quantised(weight, 1e3),
    });
    evidence.collect()
}

/// The share of what speaks for a target that its meaning has, from 0 to 1; nothing where it does not speak for it.
pub(super) fn meaning(voices: &Voices, experience: Experience) -> Option<f64> {
    let (meant, all) = (judge::meant(voices, experience), judge::score(voices, experience));
    (meant > 0.0).then(|| quantised(meant / all.max(meant), 1e3))
}

/// The nearest examples of a target: by their words, then by what they mean.
pub(super) fn nearest(engine: &Engine, near: &[Near], alike: &[Near], target: usize) -> Vec<Neighbour> {
    let mut seen = BTreeSet::new();
    let mine = near.iter().chain(alike.iter().filter(|near| near.similarity > 0.0)).filter(|near| {
        let of_target = engine.labels.get(usize::from(near.class)).is_some_and(|label| label.target == Some(target));
        of_target && seen.insert(near.example)
    });
    let known = mine.filter_map(|near| {
        let example = engine.examples.get(near.example as usize)?.as_ref()?;
        Some(Neighbour {
            key: example.key.to_string(),
            title: example.title.to_string(),
            similarity: quantised(near.similarity, 1e3),
        })
    });
    known.take(NEAREST_SHOWN).collect()
}
