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

/// Endings of English, German, Spanish, French, Portuguese, Italian, Dutch and Russian words, without accents.
const ENDINGS: &str = "s es e ed d er ers r rs ing ings ion ions ation ations tion ance ances ence ences ment ments al als ally ly y ies \
    ity ities or ors ist ists ian ians ant ants able ic ical ics ary n en em ern ung ungen lich liche ein eine in innen nde \
    o a os as ar ado ada ados adas ido ida cion ciones iones aje ajes mente idad dad eur euse age ages aux elle ees ite i cao coes \
    are ato ata zione zioni а у ы и е о ов ам ами ах ои ыи ая ое ого ому ом ые ых ым ия ие ии ию ью ь я ю еи ям ями ях \
    ние ния нии нию ка ки ку кои ок ныи ная ное ные ных ного скои скии ская ское ские ских";

/// How well `word` of a target and `other` of a document agree as forms of one word: 0 for not at all.
pub(super) fn inflected(word: &str, other: &str) -> f64 {
    let (first, second): (Vec<char>, Vec<char>) = (word.chars().collect(), other.chars().collect());
    let shared = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
    if shared < SHARED_MIN {
        return 0.0;
    }
    let longest = first.len().max(second.len());
    // The boundary between stem and ending may lie a letter or two earlier: "policy", "policies".
    for cut in (shared.saturating_sub(1).max(SHARED_MIN.min(shared))..=shared).rev() {
        if is_ending(&first, cut) && is_ending(&second, cut) && cut * 2 >= longest {
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

fn is_ending(word: &[char], cut: usize) -> bool {
    let ending: String = word[cut.min(word.len())..].iter().collect();
    ending.is_empty() || ENDINGS.split_ascii_whitespace().any(|known| known == ending)
}
