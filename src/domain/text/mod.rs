//! The one multilingual analyser: what counts as a word, in every script, for search and classification alike.
//!
//! There are no languages here, no stop words and no stemmers: rare words matter because they are rare, and a prefix
//! of five letters stands for the stem. All functions take time linear in the text and never fail.
//!
//! Accents. A *word* keeps them (`schon` is not `schön`, `мой` is not `мои`), with what writers vary at will made one
//! by their spelling: ё is е, vowel points are dropped. A *prefix* loses them, so `Muller` still finds `Müller`,
//! a little below the exact spelling; a word too short for a prefix has its bare form as a second word.

mod chars;

use std::borrow::Cow;

pub use chars::{Family, continues, is_cjk};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfd_quick, is_nfkc_quick};

/// Raised when the terms of a text change, so that what was made by an older analyser is made anew.
pub const VERSION: u32 = 2;

/// Letters of a prefix.
const PREFIX_LETTERS: usize = 5;

/// Longer words are cut: they are keys, hashes and encoded data.
const WORD_CHARS_MAX: usize = 48;

/// A stretch of text that is one word, or, in scripts without spaces, one unbroken stretch of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The word: NFKC, lower case, one spelling.
    pub text: Cow<'a, str>,
    /// What kind of script it is written in.
    pub family: Family,
}

/// What is counted and looked up. The letters of `text` are those of a [`Piece`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Term<'a> {
    /// A whole word, an emoji, or the bare form of a short accented word.
    Word(Cow<'a, str>),
    /// The first five letters of a longer word, without accents, or one character of Han or Kana: marked, so that it
    /// is never equal to a word.
    Prefix(Cow<'a, str>),
    /// Neighbours in a script that is compared by bigrams.
    Gram(Cow<'a, str>),
}

impl Term<'_> {
    /// Sets a prefix apart from words where terms are written as plain text; no word contains it.
    pub const PREFIX_MARK: char = '~';

    /// Appends the term as one token of plain text: what the index stores.
    pub fn write(&self, out: &mut String) {
        let (Term::Word(text) | Term::Prefix(text) | Term::Gram(text)) = self;
        if matches!(self, Term::Prefix(_)) {
            out.push(Self::PREFIX_MARK);
        }
        out.push_str(text);
    }
}

/// Words in reading order: lower case, NFKC, one spelling; a stretch of a script without spaces comes whole
/// (see [`is_cjk`] and [`bigrams`]); an emoji is a word.
pub fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pieces(text).map(|piece| piece.text)
}

/// Like [`words`], with the family of each.
pub fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, first) = chars.next()?;
            let Some(family) = chars::family(first) else { continue };
            let belongs =
                |c: char| chars::continues(c) || (family != Family::Picture && chars::family(c) == Some(family));
            while chars.next_if(|&(_, c)| belongs(c)).is_some() {}
            if first.is_ascii_alphabetic() {
                let alone = chars.peek().is_none_or(|&(at, _)| at == start + 1);
                let rest = text.get(start + 1..).unwrap_or_default();
                let mark = ["++", "#"].into_iter().find(|mark| alone && rest.starts_with(mark)).map_or(0, str::len);
                chars.by_ref().take(mark).for_each(|_| ());
            }
            let end = chars.peek().map_or(text.len(), |&(at, _)| at);
            let text = normal(text.get(start..end).unwrap_or_default());
            if !text.is_empty() {
                return Some(Piece { text, family });
            }
        }
    })
}

/// One spelling of a raw word.
fn normal(raw: &str) -> Cow<'_, str> {
    if raw.is_ascii() {
        return if raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
            raw.to_ascii_lowercase().into()
        } else {
            raw.into()
        };
    }
    let composed: Cow<'_, str> = match is_nfkc_quick(raw.chars()) {
        IsNormalized::Yes => raw.into(),
        _ => raw.nfkc().collect::<String>().into(),
    };
    let settled = |c: char| c != 'ß' && c.to_lowercase().eq([c]) && chars::spelling(c) == Some(c);
    if composed.chars().all(settled) {
        return composed;
    }
    let mut spelt = String::with_capacity(composed.len());
    for c in composed.chars().flat_map(char::to_lowercase) {
        match c {
            'ß' => spelt.push_str("ss"),
            ' ' => {} // a ligature of whole words
            _ => spelt.extend(chars::spelling(c)),
        }
    }
    spelt.into()
}

/// A word without its accents: `müller` is `muller`. Vowel signs that are letters stay.
pub fn bare(word: &str) -> Cow<'_, str> {
    if word.is_ascii() {
        return word.into();
    }
    if is_nfd_quick(word.chars()) == IsNormalized::Yes && word.chars().all(|c| chars::bare(c) == Some(c)) {
        return word.into();
    }
    word.nfd().filter_map(chars::bare).nfc().collect::<String>().into()
}

/// Overlapping pairs of neighbours (a base character with its marks is one), or the only one there is.
pub fn bigrams(run: &str) -> impl Iterator<Item = &str> {
    grams(run, 2)
}

/// Overlapping stretches of `length` neighbours; the whole run where it is shorter.
fn grams(run: &str, length: usize) -> impl Iterator<Item = &str> {
    let mut starts: Vec<usize> =
        run.char_indices().filter(|&(at, c)| at == 0 || !chars::continues(c)).map(|(at, _)| at).collect();
    starts.push(run.len());
    let last = starts.len().saturating_sub(length).max(1);
    (0..last).filter_map(move |from| {
        let to = starts.get(from + length).or(starts.last())?;
        run.get(*starts.get(from)?..*to).filter(|gram| !gram.is_empty())
    })
}

/// All terms of a text, in reading order.
pub fn terms(text: &str) -> Vec<Term<'static>> {
    let mut all = Vec::new();
    for_each_term(text, |term| {
        all.push(match term {
            Term::Word(text) => Term::Word(text.into_owned().into()),
            Term::Prefix(text) => Term::Prefix(text.into_owned().into()),
            Term::Gram(text) => Term::Gram(text.into_owned().into()),
        });
    });
    all
}

/// Hands each term of a text to `take` without keeping it: for whole documents.
pub fn for_each_term(text: &str, mut take: impl FnMut(Term<'_>)) {
    pieces(text).for_each(|piece| piece_terms(&piece, &mut take));
}

/// The terms of one piece.
pub fn piece_terms(piece: &Piece<'_>, take: &mut impl FnMut(Term<'_>)) {
    let word = piece.text.as_ref();
    match piece.family {
        Family::Spaced => {
            take(Term::Word(first_chars(word, WORD_CHARS_MAX).into()));
            let bare = bare(word);
            match prefix(&bare) {
                Some(prefix) => take(Term::Prefix(prefix.into())),
                None if bare != word => take(Term::Word(bare.as_ref().into())),
                None => {}
            }
        }
        Family::Picture => take(Term::Word(word.into())),
        Family::Ideographic => {
            bigrams(word).for_each(|gram| take(Term::Gram(gram.into())));
            grams(word, 1).for_each(|one| take(Term::Prefix(one.into())));
        }
        Family::Hangul => bigrams(word).for_each(|gram| take(Term::Gram(gram.into()))),
        Family::Unspaced => {
            bigrams(word).for_each(|gram| take(Term::Gram(gram.into())));
            grams(word, 3).for_each(|gram| take(Term::Gram(gram.into())));
        }
    }
}

fn first_chars(word: &str, count: usize) -> &str {
    word.char_indices().nth(count).and_then(|(at, _)| word.get(..at)).unwrap_or(word)
}

/// The first five letters of a word that has more; signs that are no letters (virama, nukta) do not count.
fn prefix(word: &str) -> Option<&str> {
    let mut letters = word.char_indices().filter(|(_, c)| c.is_alphanumeric());
    letters.nth(PREFIX_LETTERS).and_then(|(at, _)| word.get(..at))
}
