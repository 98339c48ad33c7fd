//! Whether two words are forms of one word, without a stemmer: they share a beginning and differ in endings that are endings.

use crate::domain::classify::hashing::prefix;

/// Two forms of one word.
const INFLECTED: f64 = 0.85;
/// Two words that share three quarters of their letters.
const ALIKE: f64 = 0.5;
/// A word inside a compound.
const COMPOUND: f64 = 0.6;
/// Letters that words must share from the start.
const SHARED_MIN: usize = 5;

/// Endings of English, German, Spanish, French, Portuguese, Italian, Dutch and Russian words, without accents; sorted.
#[rustfmt::skip]
const ENDINGS: [&str; 144] = [
    "a", "able", "ada", "adas", "ado", "ados", "age", "ages", "aje", "ajes", "al", "ally", "als", "ance", "ances",
    "ant", "ants", "ar", "are", "ary", "as", "ata", "ation", "ations", "ato", "aux", "cao", "cion", "ciones", "coes",
    "d", "dad", "e", "ed", "ees", "ein", "eine", "elle", "em", "en", "ence", "ences", "er", "ern", "ers", "es", "eur",
    "euse", "i", "ian", "ians", "ic", "ical", "ics", "ida", "idad", "ido", "ies", "in", "ing", "ings", "innen", "ion",
    "iones", "ions", "ist", "ists", "ite", "ities", "ity", "lich", "liche", "ly", "ment", "mente", "ments", "n",
    "nde", "o", "or", "ors", "os", "r", "rs", "s", "tion", "ung", "ungen", "y", "zione", "zioni", "а", "ам", "ами",
    "ах", "ая", "е", "еи", "и", "ие", "ии", "ию", "ия", "ка", "ки", "кои", "ку", "ная", "ние", "нии", "нию", "ния",
    "ного", "ное", "ные", "ныи", "ных", "о", "ов", "ого", "ое", "ои", "ок", "ом", "ому", "ская", "ские", "скии",
    "ских", "ское", "скои", "у", "ы", "ые", "ыи", "ым", "ых", "ь", "ью", "ю", "я", "ям", "ями", "ях",
];

/// How well `word` of a target and `other` of a document agree as forms of one word: 0 for not at all.
pub(super) fn inflected(word: &str, other: &str) -> f64 {
    let shared = word.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    if shared < SHARED_MIN {
        return 0.0;
    }
    let longest = word.chars().count().max(other.chars().count());
    // The boundary between stem and ending may lie a letter or two earlier: "policy", "policies".
    for cut in (shared.saturating_sub(1).max(SHARED_MIN.min(shared))..=shared).rev() {
        // Up to there both have the same bytes.
        let at = word.char_indices().nth(cut).map_or(word.len(), |(at, _)| at);
        if is_ending(word.get(at..)) && is_ending(other.get(at..)) && cut * 2 >= longest {
            return INFLECTED;
        }
    }
    if shared * 4 > longest * 3 { ALIKE } else { 0.0 }
}

/// The inner ends of a long word with the hash of their first five letters: "krankenversicherung" holds "versicherung".
pub(super) fn tails(word: &str) -> impl Iterator<Item = (u32, &str)> {
    let long = word.len() >= 10 && word.chars().count() >= 10;
    let starts = word.char_indices().skip(3).take(if long { usize::MAX } else { 0 });
    starts.filter_map(|(at, _)| {
        let tail = word.get(at..)?;
        prefix(tail).map(|stem| (stem, tail))
    })
}

/// How well `word` of a target is the end of a compound whose inner end is `tail`.
pub(super) fn compound(word: &str, tail: &str) -> f64 {
    let letters = word.chars().count();
    if letters >= 6 && (word == tail || inflected(word, tail) >= INFLECTED) { COMPOUND } else { 0.0 }
}

fn is_ending(rest: Option<&str>) -> bool {
    rest.is_some_and(|rest| rest.is_empty() || ENDINGS.binary_search(&rest).is_ok())
}
