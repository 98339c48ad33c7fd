//! How like the spelling of a document is to that of a target's names: the cosine of their letter groups.
//!
//! It meets what no word of a name meets: other forms, parts of compounds, names inside names.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::classify::Target;
use crate::domain::classify::features::{Features, Field, grams};
use crate::domain::classify::names::telling;

/// The share of a word's letter groups that a document must have; fewer are chance.
const SHARE_MIN: f64 = 0.5;

/// The letter groups of the words of all targets.
#[derive(Debug, Clone)]
pub(super) struct Spelling {
    /// Per group how rare it is, and the words that have it.
    groups: BTreeMap<u32, (f64, Vec<usize>)>,
    words: Vec<Word>,
    targets: usize,
}

/// A word of names.
#[derive(Debug, Clone)]
struct Word {
    /// How rare its groups are, in sum.
    whole: f64,
    /// The targets that have it, and the length of all their groups.
    targets: Vec<(usize, f64)>,
}

impl Spelling {
    pub(super) fn new(targets: &[Target]) -> Spelling {
        let mut spread: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        let mut having: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
        for (at, target) in targets.iter().enumerate() {
            let names = std::iter::once(&target.title).chain(&target.keywords).chain(&target.aliases);
            for word in names.flat_map(|name| telling(name)) {
                for group in grams(&word) {
                    spread.entry(group).or_default().insert(at);
                }
                having.entry(word).or_default().insert(at);
            }
        }
        let rarity = |having: usize| libm::log(1.0 + targets.len() as f64 / having as f64);
        let mut groups: BTreeMap<u32, (f64, Vec<usize>)> =
            spread.iter().map(|(group, having)| (*group, (rarity(having.len()), Vec::new()))).collect();
        let mut squares = vec![0.0; targets.len()];
        let mut words = Vec::new();
        for (word, having) in &having {
            let mut whole = 0.0;
            for group in grams(word).into_iter().collect::<BTreeSet<u32>>() {
                let Some((rarity, among)) = groups.get_mut(&group) else { continue };
                among.push(words.len());
                whole += *rarity;
                having.iter().for_each(|target| squares[*target] += *rarity * *rarity);
            }
            words.push(Word { whole, targets: having.iter().map(|target| (*target, 0.0)).collect() });
        }
        for (target, length) in words.iter_mut().flat_map(|word| &mut word.targets) {
            *length = libm::sqrt(squares[*target]);
        }
        Spelling { groups, words, targets: targets.len() }
    }

    /// The cosine with the names of every target.
    pub(super) fn score(&self, features: &Features) -> Vec<f64> {
        // As if one more group were there, so that a single short word is not all like a name.
        let mut squares = 1.0;
        let unknown = libm::log(1.0 + self.targets as f64);
        // Per word: how rare what was met of it is, and its part of the product.
        let mut met = vec![(0.0, 0.0); self.words.len()];
        for seen in features.of_field(Field::Gram as usize) {
            let times = f64::from(seen.times()) / 4.0;
            let found = self.groups.get(&seen.feature);
            let weight = times * found.map_or(unknown, |(rarity, _)| *rarity);
            squares += weight * weight;
            let Some((rarity, words)) = found else { continue };
            for word in words {
                met[*word].0 += rarity;
                met[*word].1 += weight * rarity;
            }
        }
        let norm = libm::sqrt(squares);
        let mut scores = vec![0.0; self.targets];
        for (word, (share, product)) in self.words.iter().zip(met) {
            if share >= SHARE_MIN * word.whole && share > 0.0 {
                word.targets.iter().for_each(|(target, length)| scores[*target] += product / (length * norm));
            }
        }
        scores
    }
}
