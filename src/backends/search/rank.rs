//! Ranking by reading: how well each candidate answers the query as it was written, and which lines of it to quote.
//!
//! SQLite's BM25 counts terms. What it cannot see is read here, in the few passages that it put first: character
//! grams, which join the forms of a word in any language (compounds, cases, articles that are written together); pairs
//! of neighbouring words; and whether all that stands in one sentence. Rarity is counted among the candidates
//! themselves: what tells them apart is what matters now. The weights were measured on questions in four languages
//! (`benches/search.rs`); none belongs to a language.

use std::collections::BTreeMap;

use super::passages::sentences;
use crate::domain::text::{Family, Piece, bare, continues, pieces};

/// Letters of a gram inside a word, its borders included; longer in Thai and its kin, where no border helps.
const SPACED_GRAM: usize = 3;
const UNSPACED_GRAM: usize = 4;

/// Letters of a word that stand for it in a pair, so that its endings do not matter.
const PAIR_LETTERS: usize = 3;

/// BM25: how soon more of the same stops to matter, and how much the length of a passage does.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;

/// What the passage as a whole, its best sentence and its title add to the score of the index.
const PASSAGE_WEIGHT: f64 = 0.5;
const SENTENCE_WEIGHT: f64 = 0.5;
const TITLE_WEIGHT: f64 = 0.6;

/// A quote shorter than this goes on with the sentences after it; a longer one is cut.
const QUOTE_CHARS: usize = 240;

/// A passage to be ranked.
pub(super) struct Candidate {
    pub(super) title: String,
    pub(super) text: String,
    /// SQLite's score; higher is better.
    pub(super) found: f64,
}

/// A passage that was read.
pub(super) struct Ranked {
    pub(super) score: f64,
    pub(super) snippet: String,
}

/// Which features of the query one passage has.
struct Read {
    counts: Vec<u32>,
    length: usize,
    /// The features of each sentence, those of the title first.
    sentences: Vec<Vec<usize>>,
}

/// Ranks the candidates of a query against each other; the answer is in their order.
pub(super) fn rank(query: &str, candidates: &[Candidate]) -> Vec<Ranked> {
    let mut wanted: BTreeMap<u64, usize> = BTreeMap::new();
    features(query, |feature| {
        let next = wanted.len();
        wanted.entry(feature).or_insert(next);
    });
    let read: Vec<Read> = candidates.iter().map(|candidate| read(&wanted, candidate)).collect();
    let weights = weights(wanted.len(), &read);
    let mean = read.iter().map(|read| read.length as f64).sum::<f64>() / read.len().max(1) as f64;
    candidates.iter().zip(&read).map(|(candidate, read)| judge(candidate, read, &weights, mean)).collect()
}

fn read(wanted: &BTreeMap<u64, usize>, candidate: &Candidate) -> Read {
    let mut read = Read { counts: vec![0; wanted.len()], length: 0, sentences: Vec::new() };
    for sentence in std::iter::once(candidate.title.as_str()).chain(sentences(&candidate.text)) {
        let mut here = Vec::new();
        features(sentence, |feature| {
            read.length += 1;
            if let Some(&at) = wanted.get(&feature) {
                here.push(at);
            }
        });
        here.iter().filter_map(|&at| read.counts.get_mut(at).map(|count| *count += 1)).for_each(drop);
        here.sort_unstable();
        here.dedup();
        read.sentences.push(here);
    }
    read
}

/// The rarer among the candidates, the heavier.
fn weights(features: usize, read: &[Read]) -> Vec<f64> {
    let all = read.len() as f64;
    (0..features)
        .map(|at| read.iter().filter(|read| read.counts.get(at).is_some_and(|count| *count > 0)).count() as f64)
        .map(|with| libm::log(1.0 + (all - with + 0.5) / (with + 0.5)))
        .collect()
}

fn judge(candidate: &Candidate, read: &Read, weights: &[f64], mean_length: f64) -> Ranked {
    let long = SATURATION * (1.0 - LENGTH + LENGTH * read.length as f64 / mean_length.max(1.0));
    let passage: f64 = read
        .counts
        .iter()
        .zip(weights)
        .map(|(&count, weight)| weight * f64::from(count) * (SATURATION + 1.0) / (f64::from(count) + long))
        .sum();
    let mut best = (0.0, 0.0, 0);
    for (at, features) in read.sentences.iter().enumerate() {
        let sum: f64 = features.iter().filter_map(|&feature| weights.get(feature)).sum();
        best.0 = f64::max(best.0, sum);
        // The title is no quote.
        if at > 0 && sum > best.1 {
            (best.1, best.2) = (sum, at - 1);
        }
    }
    let title: f64 = read.sentences.first().map_or(0.0, |title| title.iter().filter_map(|&at| weights.get(at)).sum());
    let score = candidate.found + PASSAGE_WEIGHT * passage + SENTENCE_WEIGHT * best.0 + TITLE_WEIGHT * title;
    Ranked { score, snippet: quote(&candidate.text, best.2) }
}

/// The sentence at `at` and what follows it, on one line.
fn quote(text: &str, at: usize) -> String {
    let mut quote = String::new();
    let mut left = QUOTE_CHARS;
    let mut cut = false;
    let from = text.get(sentences(text).iter().take(at).map(|sentence| sentence.len()).sum()..).unwrap_or_default();
    if at > 0 {
        quote.push('…');
    }
    let mut space = false;
    for c in from.trim_start().chars() {
        if left == 0 && !continues(c) || quote.len() > QUOTE_CHARS * 8 {
            cut = true;
            break;
        }
        if c.is_whitespace() || c.is_control() {
            space = true;
            continue;
        }
        if std::mem::take(&mut space) {
            quote.push(' ');
            left = left.saturating_sub(1);
        }
        quote.push(c);
        left = left.saturating_sub(1);
    }
    if cut {
        quote.push('…');
    }
    quote
}

/// The features of a text, in reading order: grams of characters, and pairs of words in scripts with spaces.
fn features(text: &str, mut take: impl FnMut(u64)) {
    let mut letters: Vec<char> = Vec::new();
    let mut before = 0;
    for Piece { text, family } in pieces(text) {
        let (border, length) = match family {
            Family::Spaced => (Some(' '), SPACED_GRAM),
            Family::Unspaced => (None, UNSPACED_GRAM),
            Family::Ideographic | Family::Hangul | Family::Picture => (None, 1),
        };
        letters.clear();
        letters.extend(border);
        letters.extend(bare(&text).chars());
        letters.extend(border);
        letters.windows(length.min(letters.len()).max(1)).for_each(|gram| take(hash(gram)));
        if family == Family::Spaced {
            let word = hash(letters.get(..=PAIR_LETTERS).unwrap_or(&letters));
            take(word.rotate_left(7) ^ before);
            before = word;
        }
    }
}

/// FNV-1a over characters: the same on every machine.
fn hash(letters: &[char]) -> u64 {
    letters
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &c| (hash ^ u64::from(u32::from(c))).wrapping_mul(0x100_0000_01B3))
}
