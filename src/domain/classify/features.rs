//! What the engine sees of a document: hashed words, pairs, title words and letter groups, computed once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::domain::classify::Document;
use crate::domain::classify::hashing::{feature, hash, hash_chars, pair, prefix};
use crate::domain::classify::language;
use crate::domain::classify::thesaurus::{Link, Thesaurus};
use crate::domain::text::{bare, bigrams, is_cjk, words};

/// A kind of evidence; each has its own space of hashes and its own counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A word of the text.
    Word = 0,
    /// A word of the title or of the file name.
    Title = 1,
    /// Two words in a row of a title.
    Pair = 2,
    /// Three letters in a row inside a word: what stands in for stemming in every language.
    Gram = 3,
    /// A word of a hint: folder names, keywords, sender, host.
    Hint = 4,
    /// What a word or a phrase is about.
    Topic = 5,
}

/// How many fields there are.
pub(super) const FIELDS: usize = 6;

/// Limits on what one document contributes, so that a book weighs no more than a letter and memory stays bounded.
const WORDS_MAX: usize = 200;
const LEAD_MAX: usize = 96;
const PAIRS_MAX: usize = 200;
const GRAMS_MAX: usize = 160;
const TITLE_MAX: usize = 40;
const HINTS_MAX: usize = 60;
const TOKENS_MAX: usize = 2_000;
const CHARS_MAX: usize = 16_000;
const WORD_CHARS_MAX: usize = 32;
const GRAM: usize = 3;
/// Words of text after which one occurrence counts less.
const LENGTH_USUAL: f64 = 250.0;
/// What a word must say at least of a topic for the topic to be a feature.
const TOPIC: f64 = 0.2;
/// Four times what a feature weighs that is there once, twice, four times, eight times: `1 + ln`.
pub(super) const TIMES: [i32; 8] = [4, 7, 10, 12, 15, 18, 21, 23];

/// A distinct word of the document, kept readable for explanations and for matching names of categories.
#[derive(Debug, Clone)]
pub(super) struct Term {
    /// As it stands in the document, lower-cased.
    pub(super) shown: Box<str>,
    /// Without accents.
    pub(super) word: Box<str>,
    pub(super) hash: u32,
    /// Hash of the first five letters, for words that have as many.
    pub(super) prefix: Option<u32>,
    /// How often it stands in the text.
    pub(super) count: u32,
    /// Position of its first occurrence among the words of the text.
    pub(super) first: u32,
    pub(super) in_title: bool,
    pub(super) in_hint: bool,
}

impl Term {
    /// A word by itself, without accents.
    pub(super) fn of(word: &str) -> Term {
        Term {
            shown: word.into(),
            word: word.into(),
            hash: hash(&[word]),
            prefix: prefix(word),
            count: 0,
            first: 0,
            in_title: false,
            in_hint: false,
        }
    }

    /// How often it stands in the text, in a title and in a hint.
    fn times(&self) -> u32 {
        self.count + u32::from(self.in_title) + u32::from(self.in_hint)
    }
}

/// A feature of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    /// `field << 24 | hash`.
    pub(super) feature: u32,
    /// How often it is there: the logarithm to base two, below 8.
    pub(super) often: u8,
}

impl Seen {
    fn new(feature: u32, count: u32) -> Seen {
        Seen { feature, often: count.max(1).ilog2().min(TIMES.len() as u32 - 1) as u8 }
    }

    /// Four times what it weighs for being there so often.
    pub(super) fn times(self) -> i32 {
        TIMES.get(usize::from(self.often)).copied().unwrap_or_default()
    }
}

/// The features of one document; learning and classifying share them.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// Sorted, distinct: the leading words and the title.
    pub(super) lead: Vec<Seen>,
    /// The same for everything else.
    pub(super) rest: Vec<Seen>,
    pub(super) terms: Vec<Term>,
    /// Hashes of two words in a row, sorted.
    pub(super) pairs: Vec<u32>,
    /// What words and phrases are about, in the order of the words.
    pub(super) links: Vec<Link>,
    /// Words in the text, capped.
    pub(super) length: u32,
    /// The feature that says the language, if it is known.
    pub(super) language: Option<u32>,
}

impl Features {
    /// Computes the features of a document; only its first 16,000 characters of text are read.
    pub fn of(document: &Document<'_>) -> Features {
        let mut gather = Gather::default();
        gather.title(document.title);
        let name = spaced(stem(document.name));
        if name != spaced(document.title) {
            gather.title(&name);
        }
        for hint in document.hints {
            gather.hint(hint);
        }
        if !document.kind.is_empty() {
            gather.hints.insert(feature(Field::Hint, hash(&["kind=", document.kind])));
        }
        gather.text(document.text);
        gather.finish()
    }

    /// The features of one field, in a fixed order.
    pub(super) fn of_field(&self, field: usize) -> impl Iterator<Item = Seen> + '_ {
        let range = move |list: &'_ [Seen]| {
            let from = list.partition_point(|seen| ((seen.feature >> 24) as usize) < field);
            let to = list.partition_point(|seen| ((seen.feature >> 24) as usize) <= field);
            from..to
        };
        let (lead, rest) = (range(&self.lead), range(&self.rest));
        self.lead[lead].iter().chain(&self.rest[rest]).copied()
    }

    /// How much one occurrence counts.
    pub(super) fn scale(&self) -> f64 {
        (LENGTH_USUAL / f64::from(self.length.max(1))).min(1.0)
    }

    /// The number of words of the text that were looked at.
    pub fn length(&self) -> usize {
        self.length as usize
    }
}

#[derive(Default)]
struct Gather {
    /// Looked up only, never walked: its order is not the same twice.
    index: HashMap<Box<str>, usize>,
    terms: Vec<Term>,
    /// The distinct words of the text, as places among the terms.
    words: Vec<usize>,
    pairs: Vec<u32>,
    title: BTreeSet<u32>,
    hints: BTreeSet<u32>,
    /// How many of the pairs are of a title.
    titled: usize,
    length: u32,
}

impl Gather {
    fn title(&mut self, text: &str) {
        let mut previous: Option<u32> = None;
        for word in split(text).take(TITLE_MAX) {
            let at = self.term(&word);
            self.terms[at].in_title = true;
            let hash = self.terms[at].hash;
            self.title.insert(feature(Field::Title, hash));
            if let Some(before) = previous {
                self.pairs.push(pair(before, hash));
            }
            previous = Some(hash);
        }
    }

    fn hint(&mut self, text: &str) {
        for word in split(text).take(TITLE_MAX) {
            let at = self.term(&word);
            self.terms[at].in_hint = true;
            if self.hints.len() < HINTS_MAX {
                self.hints.insert(feature(Field::Hint, self.terms[at].hash));
            }
        }
    }

    fn text(&mut self, text: &str) {
        let head = head(text, CHARS_MAX);
        let mut previous: Option<u32> = None;
        self.titled = self.pairs.len();
        for word in split(head).take(TOKENS_MAX) {
            self.length += 1;
            let at = self.term(&word);
            let term = &mut self.terms[at];
            if term.count == 0 {
                term.first = self.length;
                if self.words.len() < WORDS_MAX {
                    self.words.push(at);
                }
            }
            term.count += 1;
            let hash = term.hash;
            if let Some(before) = previous
                && self.pairs.len() - self.titled < PAIRS_MAX
            {
                self.pairs.push(pair(before, hash));
            }
            previous = Some(hash);
        }
    }

    /// The place of a word among the terms; spellings that differ in accents are one term.
    fn term(&mut self, shown: &str) -> usize {
        if let Some(at) = self.index.get(shown) {
            return *at;
        }
        let word = bare(shown);
        if let Some(at) = self.index.get(word.as_ref()) {
            return *at;
        }
        let at = self.terms.len();
        if shown != word.as_ref() {
            self.index.insert(shown.into(), at);
        }
        self.terms.push(Term { shown: shown.into(), ..Term::of(&word) });
        self.index.insert(word.into(), at);
        at
    }

    /// The letter groups of the first words, and how often they are in all of them.
    fn grams(&self) -> impl Iterator<Item = Seen> {
        let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
        for term in &self.terms {
            let full = counts.len() >= GRAMS_MAX;
            for gram in grams(&term.word) {
                if let Some(count) = counts.get_mut(&gram) {
                    *count += term.times();
                } else if !full {
                    counts.insert(gram, term.times());
                }
            }
        }
        counts.into_iter().map(|(gram, count)| Seen::new(gram, count))
    }

    fn finish(mut self) -> Features {
        let words = self.terms.iter().filter(|term| term.count > 0).map(|term| term.word.as_ref());
        let language = language::language(words).map(|name| feature(Field::Hint, hash(&["language=", name])));
        self.hints.extend(language);
        let once = |feature: u32| Seen::new(feature, 1);
        let word = |at: &usize| Seen::new(feature(Field::Word, self.terms[*at].hash), self.terms[*at].times());
        let (first, others) = self.words.split_at(self.words.len().min(LEAD_MAX));
        let lead = sorted(first.iter().map(word).chain(self.title.iter().copied().map(once)));
        let is_new = |seen: &Seen| lead.binary_search_by_key(&seen.feature, |known| known.feature).is_err();
        let titled = self.pairs.iter().take(self.titled).map(|pair| once(feature(Field::Pair, *pair)));
        let hints = self.hints.iter().copied().map(once);
        let mut pairs = self.pairs.clone();
        pairs.sort_unstable();
        pairs.dedup();
        let links = Thesaurus::shared().links(&self.terms, &pairs);
        let mut topics: BTreeMap<u32, u32> = BTreeMap::new();
        for link in links.iter().filter(|link| link.weight >= TOPIC) {
            let times = link.term.and_then(|at| self.terms.get(at as usize)).map_or(1, Term::times);
            *topics.entry(feature(Field::Topic, link.topic)).or_default() += times;
        }
        let topics = topics.into_iter().map(|(topic, times)| Seen::new(topic, times));
        let rest =
            sorted(others.iter().map(word).filter(is_new).chain(titled).chain(hints).chain(topics).chain(self.grams()));
        Features { lead, rest, terms: self.terms, pairs, links, length: self.length, language }
    }
}

fn sorted(features: impl Iterator<Item = Seen>) -> Vec<Seen> {
    let mut features: Vec<Seen> = features.collect();
    features.sort_unstable();
    features.dedup_by_key(|seen| seen.feature);
    features
}

/// The letter groups of a word; none where pairs of characters are words, nor in numbers.
pub(super) fn grams(word: &str) -> Vec<u32> {
    if word.chars().any(is_cjk) || word.chars().all(char::is_numeric) {
        return Vec::new();
    }
    let letters: Vec<char> = ['\u{2}'].into_iter().chain(word.chars()).chain(['\u{3}']).collect();
    letters.windows(GRAM).map(|window| feature(Field::Gram, hash_chars(window) & 0xFFFF)).collect()
}

/// The words that count: no long numbers, no overlong strings; pairs of characters where a script has no spaces.
pub(super) fn split(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    words(text).flat_map(shingles).filter(|word| {
        let length = word.chars().take(WORD_CHARS_MAX + 1).count();
        length <= WORD_CHARS_MAX && (length <= 4 || !word.chars().all(char::is_numeric))
    })
}

fn shingles(word: Cow<'_, str>) -> impl Iterator<Item = Cow<'_, str>> {
    let pairs: Vec<Cow<'_, str>> = if word.chars().next().is_some_and(is_cjk) {
        bigrams(&word).map(|pair| Cow::Owned(pair.to_owned())).collect()
    } else {
        Vec::new()
    };
    let whole = pairs.is_empty().then_some(word);
    whole.into_iter().chain(pairs)
}

/// The first `limit` characters of a text.
fn head(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    text.char_indices().nth(limit).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// A file name without its extension.
fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && extension.chars().count() <= 5 => stem,
        _ => name,
    }
}

/// Separates `camelCase`, so that `TaxReturn2024` is three words.
fn spaced(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    let mut previous = ' ';
    for character in name.chars() {
        let humps = previous.is_lowercase() && character.is_uppercase();
        let digits = previous.is_alphabetic() && character.is_ascii_digit();
        let letters = previous.is_ascii_digit() && character.is_alphabetic();
        if humps || digits || letters {
            out.push(' ');
        }
        out.push(if character == '_' { ' ' } else { character });
        previous = character;
    }
    out
}
