//! What one character is to the analyser: which script family, which spelling, which letter under its accent.

use unicode_normalization::char::is_combining_mark;

/// How a stretch of characters is cut into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Letters and digits of a script that puts spaces between words: one stretch is one word.
    Spaced,
    /// Han and Kana: no spaces, one character is nearly a word.
    Ideographic,
    /// Hangul: spaces, but a word carries its particles.
    Hangul,
    /// Thai, Lao, Khmer, Myanmar: an alphabet without spaces.
    Unspaced,
    /// An emoji or another pictograph: a word by itself.
    Picture,
}

use Family::{Hangul, Ideographic, Picture, Spaced, Unspaced};

/// Blocks whose family is not that of an ordinary letter, in order of code points.
const BLOCKS: &[(u32, u32, Family)] = &[
    (0x0E01, 0x0E4E, Unspaced),    // Thai without its digits
    (0x0E81, 0x0ECF, Unspaced),    // Lao without its digits
    (0x0EDC, 0x0EDF, Unspaced),    // Lao, old letters
    (0x1000, 0x103F, Unspaced),    // Myanmar without its digits
    (0x1050, 0x108F, Unspaced),    // Myanmar, letters of other languages
    (0x1100, 0x11FF, Hangul),      // Jamo, as decomposed file names have them
    (0x1780, 0x17D3, Unspaced),    // Khmer without its digits
    (0x2600, 0x27BF, Picture),     // symbols and dingbats
    (0x2B50, 0x2B55, Picture),     // stars and circles
    (0x2E80, 0x2FDF, Ideographic), // radicals
    (0x3005, 0x3007, Ideographic), // iteration marks and the ideographic zero
    (0x3021, 0x3029, Ideographic),
    (0x3031, 0x3035, Ideographic),
    (0x3041, 0x3096, Ideographic), // Hiragana
    (0x309D, 0x309F, Ideographic),
    (0x30A1, 0x30FA, Ideographic), // Katakana
    (0x30FC, 0x30FF, Ideographic), // with the long vowel mark
    (0x3105, 0x312F, Ideographic), // Bopomofo
    (0x3131, 0x318E, Hangul),      // compatibility Jamo
    (0x31A0, 0x31BF, Ideographic),
    (0x31F0, 0x31FF, Ideographic),
    (0x3400, 0x4DBF, Ideographic), // Han extension A
    (0x4E00, 0x9FFF, Ideographic), // Han
    (0xA960, 0xA97C, Hangul),
    (0xAC00, 0xD7FB, Hangul), // Hangul syllables
    (0xF900, 0xFAFF, Ideographic),
    (0xFF66, 0xFF9F, Ideographic), // half-width Katakana
    (0xFFA0, 0xFFDC, Hangul),      // half-width Jamo
    (0x1AFF0, 0x1B16F, Ideographic),
    (0x1F000, 0x1F1E5, Picture), // tiles and cards
    (0x1F1E6, 0x1F1FF, Picture), // letters of flags
    (0x1F200, 0x1F202, Picture),
    (0x1F300, 0x1F3FA, Picture), // emoji, up to the skin tones
    (0x1F400, 0x1FAFF, Picture),
    (0x20000, 0x3FFFF, Ideographic), // Han extensions
];

/// The family of a character that can begin a word; `None` for spaces, punctuation and marks.
pub(super) fn family(c: char) -> Option<Family> {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric().then_some(Spaced);
    }
    let code = u32::from(c);
    let block = BLOCKS.partition_point(|&(_, last, _)| last < code);
    match BLOCKS.get(block) {
        Some(&(first, _, family)) if first <= code => (family == Picture || is_part(c)).then_some(family),
        _ => c.is_alphanumeric().then_some(Spaced),
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c)
}

/// Whether a character belongs to the word that it follows: vowel signs, accents, joiners, soft hyphens.
pub fn continues(c: char) -> bool {
    !c.is_ascii() && (is_combining_mark(c) || is_unseen(c))
}

/// Characters that only steer the display of a word: they never tell two words apart.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200C}' | '\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{1F3FB}'..='\u{1F3FF}' | '\u{E0020}'..='\u{E01EF}')
}

/// Whether words of this character are compared by bigrams: Han, Kana, Hangul, Thai, Lao, Khmer, Myanmar.
pub fn is_cjk(c: char) -> bool {
    matches!(family(c), Some(Ideographic | Hangul | Unspaced))
}

/// Zeros of the decimal digits that people write beside ASCII's: each is followed by its one to nine.
const ZEROS: &[u32] = &[
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x17E0, 0x1810,
];

/// The spelling of a lower-case NFKC character inside a word; `None` where writers leave it out at will.
///
/// Left out: display controls, Arabic and Hebrew vowel points, the Arabic tatweel, and the dot that lower-casing `İ`
/// leaves behind. Made one: ё and е, the two sigmas, all decimal digits. (ß becomes ss in `words`.)
pub(super) fn spelling(c: char) -> Option<char> {
    match c {
        '\u{0307}'
        | '\u{0640}'
        | '\u{0591}'..='\u{05C7}'
        | '\u{064B}'..='\u{0652}'
        | '\u{0656}'..='\u{065F}'
        | '\u{0670}' => None,
        _ if is_unseen(c) => None,
        'ё' => Some('е'),
        'ς' => Some('σ'),
        _ => Some(ascii_digit(c).unwrap_or(c)),
    }
}

fn ascii_digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let zero = *ZEROS.get(ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?)?;
    char::from_digit(code - zero, 10)
}

/// A letter of a decomposed word without its accent; `None` for the accent itself.
///
/// Vowel signs of Indic and South East Asian scripts are letters, not accents, and stay.
pub(super) fn bare(c: char) -> Option<char> {
    match c {
        '\u{0300}'..='\u{036F}' | '\u{0483}'..='\u{0487}' | '\u{0653}'..='\u{0655}' => None,
        '\u{093C}' | '\u{09BC}' | '\u{0A3C}' | '\u{0ABC}' | '\u{0B3C}' | '\u{0CBC}' => None, // nukta
        'ø' => Some('o'),
        'ł' => Some('l'),
        'đ' | 'ð' => Some('d'),
        'ı' => Some('i'),
        'æ' => Some('a'),
        'œ' => Some('o'),
        'ى' | 'ی' => Some('ي'), // Arabic and Persian ways to write yeh, kaf and the feminine ending
        'ک' => Some('ك'),
        'ة' => Some('ه'),
        _ => Some(c),
    }
}
