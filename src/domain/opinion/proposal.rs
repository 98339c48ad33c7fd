//! Places that are missing: what a model wanted nowhere on its lists, and what such documents have in common.
//!
//! A model invents no place. Only documents that it voted out of every place count, only words of their titles name the
//! place, and only a person makes it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::jd::{self, Receives, Structure};

/// Fewer documents are no reason for a place.
const ITEMS_MIN: usize = 3;
/// More at a time are not looked at.
const PROPOSALS_MAX: usize = 5;
/// Words of a title.
const WORDS_MAX: usize = 4;
/// Letters by which two forms of a word are one, as in the search index.
const STEM_CHARS: usize = 5;
/// Titles shown as evidence.
const EXAMPLES_MAX: usize = 3;

/// A document that waits for a person.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// Its id.
    pub emm_id: &'a str,
    /// Its title.
    pub title: &'a str,
    /// The place that is likeliest for it.
    pub best: Option<&'a str>,
    /// Whether a model wants it in none of the places that it was shown.
    pub nowhere: bool,
    /// Those places.
    pub shown: &'a [String],
}

/// A place that documents would fit, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proposal {
    /// The place: the next free id of a category, the next category of an area if its documents lie in categories without
    /// ids, or a place that is there and that the model was not shown.
    pub code: String,
    /// Its title.
    pub title: String,
    /// Whether it is there already.
    pub exists: bool,
    /// The documents that would fit, by their ids.
    pub items: Vec<String>,
    /// The titles of the first of them.
    pub examples: Vec<String>,
}

/// The places that the waiting documents would fit, those of most documents first.
#[must_use]
pub fn proposals(waiting: &[Waiting<'_>], structure: &Structure) -> Vec<Proposal> {
    let (mut homeless, others): (Vec<&Waiting<'_>>, Vec<_>) = waiting.iter().partition(|it| it.nowhere);
    homeless.sort_unstable_by_key(|it| it.emm_id);
    let (mut found, mut taken) = (Vec::new(), BTreeSet::new());
    while found.len() < PROPOSALS_MAX {
        let Some(shared) = most_shared(&homeless, &others) else { break };
        let (fitting, rest): (Vec<_>, Vec<_>) =
            homeless.into_iter().partition(|it| phrases(it.title).contains_key(&shared));
        homeless = rest;
        found.extend(proposal(&shared, fitting, structure, &mut taken));
    }
    found
}

/// The phrase that most titles share, a longer one before a shorter one that hardly more have; nothing if too few share any.
fn most_shared(homeless: &[&Waiting<'_>], others: &[&Waiting<'_>]) -> Option<Vec<String>> {
    let count = |items: &[&Waiting<'_>]| {
        let mut counts = BTreeMap::<Vec<String>, usize>::new();
        for key in items.iter().flat_map(|it| phrases(it.title).into_keys()) {
            *counts.entry(key).or_default() += 1;
        }
        counts
    };
    let elsewhere = count(others);
    let shared = count(homeless).into_iter().filter(|(key, count)| {
        // Said as often of documents that have a place, it says nothing.
        let elsewhere = elsewhere.get(key).copied().unwrap_or_default();
        *count >= ITEMS_MIN && (elsewhere == 0 || count * others.len() > 2 * elsewhere * homeless.len())
    });
    // Of equals the first in the order of the words.
    let weight =
        |(key, count): &(Vec<String>, usize)| (count * (WORDS_MAX - 1 + key.len()), std::cmp::Reverse(key.clone()));
    shared.max_by_key(weight).map(|(key, _)| key)
}

/// The runs of words of a title that could name a place: by the stems of their words, as they are written.
fn phrases(title: &str) -> BTreeMap<Vec<String>, &str> {
    let words: Vec<(usize, &str)> = title.unicode_word_indices().collect();
    let mut found = BTreeMap::new();
    for run in (1..=WORDS_MAX).flat_map(|count| words.windows(count)) {
        let [(start, first), .., (end, last)] = run else {
            let [(start, word)] = run else { continue };
            if word.chars().count() >= STEM_CHARS && is_word(word) {
                found.entry(vec![stem(word)]).or_insert(title.get(*start..start + word.len()).unwrap_or_default());
            }
            continue;
        };
        if run.iter().all(|(_, word)| is_word(word)) && carries(first) && carries(last) {
            let written = title.get(*start..end + last.len()).unwrap_or_default();
            found.entry(run.iter().map(|(_, word)| stem(word)).collect()).or_insert(written);
        }
    }
    found
}

/// Letters only: a number or a date names no place.
fn is_word(word: &str) -> bool {
    word.chars().all(char::is_alphabetic)
}

/// Whether a word may begin or end a name: small words of most languages have up to three letters, but where a letter is a
/// word none is small.
fn carries(word: &str) -> bool {
    word.chars().count() > 3 || word.chars().any(|letter| letter >= '\u{2e80}')
}

fn stem(word: &str) -> String {
    word.to_lowercase().chars().take(STEM_CHARS).collect()
}

/// The place of the documents that share a phrase; nothing if none can be had.
fn proposal(
    shared: &[String],
    mut fitting: Vec<&Waiting<'_>>,
    structure: &Structure,
    taken: &mut BTreeSet<String>,
) -> Option<Proposal> {
    let written: Vec<&str> = fitting.iter().filter_map(|it| phrases(it.title).get(shared).copied()).collect();
    let title = capitalised(most_frequent(written.into_iter())?);
    let called_so = |place: &jd::Place<'_>| place.title().to_lowercase() == title.to_lowercase();
    let (code, exists) = match structure.targets().into_iter().find(called_so) {
        Some(place) => {
            // It was there to be chosen, and was not.
            fitting.retain(|it| it.shown.iter().all(|shown| shown != place.code()));
            (place.code().to_owned(), true)
        }
        None => {
            let category = |code: &str| jd::category_of(code).unwrap_or_else(|| code.to_owned());
            let best: Vec<String> = fitting.iter().filter_map(|it| it.best.map(category)).collect();
            (next_place(most_frequent(best.iter().map(String::as_str))?, structure, taken)?, false)
        }
    };
    if fitting.len() < ITEMS_MIN {
        return None;
    }
    taken.insert(code.clone());
    let items = fitting.iter().map(|it| it.emm_id.to_owned()).collect();
    let examples = fitting.iter().take(EXAMPLES_MAX).map(|it| it.title.to_owned()).collect();
    Some(Proposal { code, title, exists, items, examples })
}

/// The next id of a category; where its documents lie in the category itself, for which a first id would be the end, the next
/// category of its area.
fn next_place(category: &str, structure: &Structure, taken: &BTreeSet<String>) -> Option<String> {
    match structure.receives(category)? {
        Receives::Content => structure.next_category(category, taken),
        _ => structure.next_id(category, taken),
    }
}

/// Of equals the first in their order.
fn most_frequent<'a>(all: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(one, count)| (*count, std::cmp::Reverse(*one))).map(|(one, _)| one)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
