//! What a category's own words say: titles, keywords, examples and descriptions matched against a document.
//!
//! This is all there is on the first day, and it stays one voice among others when examples come.

use std::collections::BTreeMap;

use crate::domain::classify::Target;
use crate::domain::classify::common::is_common;
use crate::domain::classify::features::{Features, Term, split};
use crate::domain::classify::hashing::{pair, prefix, singular, word_hash};
use crate::domain::classify::kin;
use crate::domain::text::bare;

/// A part of a target's text: where it is, how much it counts, whether a word of a phrase says less alone.
type Part = (fn(&Target) -> Vec<&str>, f64, f64);

/// How much a word of each part of a target counts, and a word of a phrase of several words.
const PARTS: [Part; 7] = [
    (|target| vec![&target.title], 1.0, 0.8),
    (|target| texts(&target.keywords), 1.0, 0.45),
    (|target| texts(&target.aliases), 1.0, 0.45),
    (|target| texts(&target.examples), 0.7, 0.45),
    (|target| vec![&target.description], 0.4, 1.0),
    (|target| vec![&target.category_title], 0.3, 1.0),
    (|target| texts(&target.not), -0.8, 0.45),
];

/// Two words of a phrase in a row add this much of its weight.
const WHOLE_PAIR: f64 = 1.0;
/// All words of a phrase anywhere in the document add this much of its weight.
const WHOLE_PHRASE: f64 = 0.6;
/// A word that some target has as it stands is hardly a form of another one.
const EXPLAINED: f64 = 0.35;
/// The same word but for a plural "s".
const PLURAL: f64 = 0.9;

/// How a target's word can be met in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Word(u32),
    Pair(u32),
}

/// A word of a target: which one, how much it counts.
#[derive(Debug, Clone)]
struct Entry {
    target: u32,
    weight: f64,
}

/// The words of all targets, ready to be met.
#[derive(Debug, Clone)]
pub(super) struct Names {
    index: BTreeMap<Key, Vec<Entry>>,
    /// Per hash of five first letters: the longer words of targets that begin so.
    stems: BTreeMap<u32, Vec<(Box<str>, u32)>>,
    /// Phrases by their rarest word's hash: the others, target and weight.
    phrases: BTreeMap<u32, Vec<Phrase>>,
    targets: usize,
}

/// A phrase of a target: every word has to be met.
#[derive(Debug, Clone)]
struct Phrase {
    words: Vec<u32>,
    target: u32,
    weight: f64,
}

/// A word of the document that spoke for a target.
#[derive(Debug, Clone)]
pub(super) struct Match {
    pub(super) target: usize,
    pub(super) term: usize,
    pub(super) score: f64,
}

impl Names {
    pub(super) fn new(targets: &[Target]) -> Names {
        let mut stems: BTreeMap<u32, Vec<(Box<str>, u32)>> = BTreeMap::new();
        let mut phrases: BTreeMap<u32, Vec<Phrase>> = BTreeMap::new();
        let mut collected = Vec::with_capacity(targets.len());
        for (at, target) in targets.iter().enumerate() {
            let (weights, found) = collect(target, &mut stems);
            collected.push(weights);
            for (words, weight) in found {
                if let Some(first) = words.first() {
                    phrases.entry(*first).or_default().push(Phrase { words, target: at as u32, weight });
                }
            }
        }
        let mut spread: BTreeMap<Key, f64> = BTreeMap::new();
        for weights in &collected {
            for (key, weight) in weights {
                // Who only mentions a word, or rejects it, hardly makes it less telling for who claims it.
                let claim = weight.clamp(0.0, 1.0);
                *spread.entry(*key).or_default() += claim * claim;
            }
        }
        let mut index: BTreeMap<Key, Vec<Entry>> = BTreeMap::new();
        for (target, weights) in collected.iter().enumerate() {
            for (key, weight) in weights {
                let among = spread.get(key).copied().unwrap_or(1.0).max(1.0);
                let idf = libm::log(1.0 + targets.len().max(8) as f64 / (among * among)) / 3.0;
                index.entry(*key).or_default().push(Entry { target: target as u32, weight: weight * idf });
            }
        }
        for words in stems.values_mut() {
            words.sort();
            words.dedup();
        }
        Names { index, stems, phrases, targets: targets.len() }
    }

    /// The score of every target, and which words made it. `rarity` says how telling a word is, 0 to 1.
    pub(super) fn score(&self, features: &Features, rarity: impl Fn(u32) -> f64) -> (Vec<f64>, Vec<Match>) {
        let mut scores = vec![0.0; self.targets];
        let mut matches: Vec<Match> = Vec::new();
        let scale = features.scale();
        let mut best: BTreeMap<u32, f64> = BTreeMap::new();
        let mut met: BTreeMap<u32, f64> = BTreeMap::new();
        for (at, term) in features.terms.iter().enumerate() {
            best.clear();
            let forms = self.forms(term);
            if forms.is_empty() {
                continue;
            }
            let strength = strength(term, scale) * rarity(term.hash);
            for (hash, quality) in &forms {
                let slot = met.entry(*hash).or_insert(0.0);
                *slot = slot.max(strength * quality);
                for entry in self.index.get(&Key::Word(*hash)).into_iter().flatten() {
                    let slot = best.entry(entry.target).or_insert(0.0);
                    if (entry.weight * quality).abs() > slot.abs() {
                        *slot = entry.weight * quality;
                    }
                }
            }
            for (target, weight) in &best {
                let (target, score) = (*target as usize, weight * strength);
                scores[target] += score;
                matches.push(Match { target, term: at, score });
            }
        }
        for hash in &features.pairs {
            for entry in self.index.get(&Key::Pair(*hash)).into_iter().flatten() {
                scores[entry.target as usize] += entry.weight * WHOLE_PAIR;
            }
        }
        for hash in met.keys() {
            for phrase in self.phrases.get(hash).into_iter().flatten() {
                let least =
                    phrase.words.iter().map(|word| met.get(word).copied().unwrap_or(0.0)).fold(f64::MAX, f64::min);
                scores[phrase.target as usize] += phrase.weight * WHOLE_PHRASE * least;
            }
        }
        (scores, matches)
    }

    /// The words of targets that a document's word is a form of, and how well.
    fn forms(&self, term: &Term) -> Vec<(u32, f64)> {
        let mut forms: Vec<(u32, f64)> = Vec::new();
        if self.index.contains_key(&Key::Word(term.hash)) {
            forms.push((term.hash, 1.0));
        }
        let damp = if forms.is_empty() { 1.0 } else { EXPLAINED };
        let mut add = |hash: u32, quality: f64| {
            if quality > 0.0 && forms.iter().all(|(known, _)| *known != hash) {
                forms.push((hash, quality));
            }
        };
        if let Some(hash) = singular(&term.word).filter(|hash| self.index.contains_key(&Key::Word(*hash))) {
            add(hash, PLURAL);
        }
        if let Some(stem) = term.prefix {
            for (word, hash) in self.stems.get(&stem).into_iter().flatten() {
                add(*hash, damp * kin::inflected(word, &term.word));
            }
        }
        for (stem, tail) in kin::tails(&term.word) {
            for (word, hash) in self.stems.get(&stem).into_iter().flatten() {
                add(*hash, damp * kin::compound(word, tail));
            }
        }
        forms
    }
}

/// How present a word is: in the title, early, often; saturating.
pub(super) fn strength(term: &Term, scale: f64) -> f64 {
    let mut amount = f64::from(term.count) * scale;
    if term.count > 0 && term.first <= 30 {
        amount += 0.5;
    }
    if term.in_title {
        amount += 2.0;
    }
    if term.in_hint {
        amount += 1.0;
    }
    1.6 * amount / (amount + 1.0)
}

/// The words of a target's text that tell something, without accents.
pub(super) fn telling(text: &str) -> Vec<String> {
    // An address says nothing of what belongs there.
    let plain: Vec<&str> = text.split_whitespace().filter(|word| !word.contains("://")).collect();
    let plain = plain.join(" ");
    let words = || split(&plain).map(|word| bare(&word).into_owned());
    let telling: Vec<String> = words().filter(|word| !is_common(word)).collect();
    // What is called "C" or "R" is called nothing else.
    if telling.is_empty() { words().filter(|word| word.chars().count() == 1).collect() } else { telling }
}

fn texts(list: &[String]) -> Vec<&str> {
    list.iter().map(String::as_str).collect()
}

type Weights = BTreeMap<Key, f64>;

/// The words of a target with their weights, and its phrases.
fn collect(target: &Target, stems: &mut BTreeMap<u32, Vec<(Box<str>, u32)>>) -> (Weights, Vec<(Vec<u32>, f64)>) {
    let mut weights = Weights::new();
    let mut phrases = Vec::new();
    let mut put = |key: Key, weight: f64| {
        let slot = weights.entry(key).or_insert(0.0);
        if weight.abs() > slot.abs() {
            *slot = weight;
        }
    };
    for (texts, weight, of_phrase) in PARTS {
        for text in texts(target) {
            let telling = telling(text);
            let hashes: Vec<u32> = telling.iter().map(|word| word_hash(word)).collect();
            let each = if telling.len() > 1 { weight * of_phrase } else { weight };
            for (word, hash) in telling.iter().zip(&hashes) {
                put(Key::Word(*hash), each);
                if let Some(hash) = singular(word) {
                    put(Key::Word(hash), each * PLURAL);
                }
                if let Some(stem) = prefix(word) {
                    stems.entry(stem).or_default().push((word.as_str().into(), *hash));
                }
            }
            for two in hashes.windows(2) {
                if let [first, second] = two {
                    put(Key::Pair(pair(*first, *second)), weight);
                }
            }
            if of_phrase < 1.0 && hashes.len() > 1 {
                phrases.push((hashes, weight));
            }
        }
    }
    (weights, phrases)
}
