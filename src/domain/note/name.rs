//! One rule of naming for folder and object vaults: a name that is safe on Linux, macOS, Windows, S3 and inside
//! Obsidian's links.
//!
//! `safe_name` is total: every name has a safe form, so nothing needs to be refused. The mapping, in this order: NFC;
//! path separators join what they part with `-`, dropping `.` and `..`; `: ` becomes ` - `, and the table `REPLACED`
//! does the rest (`Ticket#12` -> `Ticket-12`, `[1]` -> `(1)`); invisible and control characters go; white space of any
//! kind becomes single spaces; dots and spaces at either end go (a leading dot hides a file from Obsidian); Windows'
//! device names get a `_`; what is longer than 200 bytes is cut between graphemes, keeping the extension (255 bytes are
//! the limit of file systems; the rest is room for suffixes of sync tools and temporaries). The rule is idempotent.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation;

/// The longest name in UTF-8 bytes, extension included.
pub const NAME_BYTES_MAX: usize = 200;

/// What a name is called of which nothing visible is left.
const FALLBACK: &str = "untitled";
/// An extension longer than this many characters is a part of the name.
const EXTENSION_CHARS_MAX: usize = 12;
/// A suffix is cut to this many bytes, so that room for a name remains.
const SUFFIX_BYTES_MAX: usize = 32;

/// So often the rule is applied to its own result.
const PASSES_MAX: usize = 8;

/// Extensions that follow a `.tar` and belong to it.
const AFTER_TAR: &[&str] = &["gz", "bz2", "xz", "zst", "lz", "lzma", "z", "br"];

/// Characters that some system or Obsidian forbids (`None` drops them).
const REPLACED: &[(char, Option<char>)] = &[
    (':', Some('-')),
    ('*', Some('-')),
    ('|', Some('-')),
    ('#', Some('-')),
    ('^', Some('-')),
    ('?', None),
    ('"', Some('\'')),
    ('`', Some('\'')),
    ('<', Some('(')),
    ('>', Some(')')),
    ('[', Some('(')),
    (']', Some(')')),
];

/// Invisible characters that carry no meaning in a name, or turn its reading direction round. The joiners U+200C and
/// U+200D stay: Persian, Indic scripts and emoji are written with them.
const INVISIBLE: &[(char, char)] = &[
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200b}'),
    ('\u{200e}', '\u{200f}'),
    ('\u{202a}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

/// Windows' device names, reserved in any folder, with any extension, in any case.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Why a name is not safe as it is; `safe_name` makes it so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum NameError {
    /// Nothing visible is in it.
    #[error("the name is empty; give the file a name")]
    Empty,
    /// Longer than `NAME_BYTES_MAX`.
    #[error("the name has {bytes} bytes, the limit is {NAME_BYTES_MAX}; shorten it to fit")]
    TooLong {
        /// Its length in UTF-8 bytes.
        bytes: usize,
    },
    /// Some system would refuse or misread it.
    #[error("the name {name:?} is not safe on every system; use {safe:?}")]
    Unsafe {
        /// The name as given.
        name: String,
        /// What `safe_name` makes of it.
        safe: String,
    },
}

/// The safe form of a single path component. Total, deterministic and idempotent; at most `NAME_BYTES_MAX` bytes, never
/// empty.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let mut name: String = name.nfc().collect();
    // What is taken out of a name may bring an extension to light (`a .p\u{200b}df`), so the rule is applied until it
    // rests; the limit is there only so that the loop surely ends.
    for _ in 0..PASSES_MAX {
        let (stem, extension) = split_extension(&name);
        let safe = assemble(stem, extension, "");
        if safe == name {
            break;
        }
        name = safe;
    }
    name
}

/// The file name of a note: its title with `.md`. The title is taken whole: `Node.js` gives `Node.js.md`.
#[must_use]
pub fn note_file_name(title: &str) -> String {
    let title: String = title.nfc().collect();
    assemble(&title, "md", "")
}

/// Tells names apart that collide: `Letter.pdf` with `1a2b3c4d` gives `Letter (1a2b3c4d).pdf`, still within
/// `NAME_BYTES_MAX`. Of the suffix, letters, digits, `-` and `_` are used, 32 bytes at most.
#[must_use]
pub fn with_suffix(name: &str, suffix: &str) -> String {
    let name: String = name.nfc().collect();
    let kept: String = suffix.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    let (stem, extension) = split_extension(&name);
    assemble(stem, extension, cut(&kept, SUFFIX_BYTES_MAX))
}

/// Two names with the same key are one file on macOS or Windows. Case is folded by going down, up and down again
/// between canonical decomposition and composition, character by character: that is Unicode's full folding (`ß` is
/// `ss`, `ς` is `σ`) with the tables of the standard library, which are newer than those of the crates for it. It is
/// fuller than either system's, and takes `ı` for `i`; that only costs a suffix now and then.
#[must_use]
pub fn collision_key(name: &str) -> String {
    if name.is_ascii() {
        // What follows comes to the same, at a hundred times the cost: most names are such, and a folder has thousands.
        return name.to_ascii_lowercase();
    }
    let fold = |text: String| -> String {
        let lower = text.chars().flat_map(char::to_lowercase);
        lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
    };
    // Twice, for the folded form of a character may be foldable again once it is decomposed.
    fold(fold(name.nfd().collect())).nfc().collect()
}

/// Stem and extension without its dot: `archive.tar.gz` -> `archive`, `tar.gz`; `.gitignore` and `v 1.2` have none. An
/// extension is short, of letters and digits, and not a number alone.
#[must_use]
pub fn split_extension(name: &str) -> (&str, &str) {
    let Some((stem, extension)) = split_last(name) else { return (name, "") };
    let compressed = AFTER_TAR.iter().any(|known| known.eq_ignore_ascii_case(extension));
    match split_last(stem) {
        Some((inner, tar)) if compressed && tar.eq_ignore_ascii_case("tar") => {
            (inner, name.get(inner.len() + 1..).unwrap_or(extension))
        }
        _ => (stem, extension),
    }
}

/// Says whether a name can be used as it is.
///
/// # Errors
/// The reason why it cannot.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if !is_visible(name) {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong { bytes: name.len() });
    }
    let safe = safe_name(name);
    if safe == name { Ok(()) } else { Err(NameError::Unsafe { name: name.to_owned(), safe }) }
}

/// The longest beginning of at most `bytes_max` bytes that ends between graphemes (between characters, if one grapheme
/// is longer).
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        if at + grapheme.len() > bytes_max {
            break;
        }
        end = at + grapheme.len();
    }
    if end == 0 {
        end = text.floor_char_boundary(bytes_max);
    }
    text.get(..end).unwrap_or_default()
}

/// Whether a character is invisible or turns the reading direction round (see `INVISIBLE`), or is a control character.
pub(super) fn is_hidden(c: char) -> bool {
    let code = u32::from(c);
    c.is_control() || code & 0xfffe == 0xfffe || INVISIBLE.iter().any(|(from, to)| (*from..=*to).contains(&c))
}

fn split_last(name: &str) -> Option<(&str, &str)> {
    let (stem, extension) = name.rsplit_once('.')?;
    let short = extension.chars().count() <= EXTENSION_CHARS_MAX;
    let plain = extension.chars().all(char::is_alphanumeric) && extension.chars().any(char::is_alphabetic);
    // The name of a hidden file is no extension.
    (short && plain && !stem.is_empty()).then_some((stem, extension))
}

fn assemble(stem: &str, extension: &str, suffix: &str) -> String {
    let mut stem = clean(stem);
    if !is_visible(&stem) {
        stem = FALLBACK.to_owned();
    }
    let dot = if extension.is_empty() { "" } else { "." };
    let suffix = if suffix.is_empty() { String::new() } else { format!(" ({suffix})") };
    let room = NAME_BYTES_MAX.saturating_sub(extension.len() + dot.len() + suffix.len());
    let stem = cut(&stem, room).trim_end_matches(at_the_edge);
    // Cutting may have left nothing visible (a run of combining marks longer than the room).
    let stem = if is_visible(stem) { stem } else { FALLBACK };
    format!("{stem}{suffix}{dot}{extension}")
}

/// Everything but length and extension.
fn clean(stem: &str) -> String {
    let joined = stem
        .split(['/', '\\', '\u{2044}', '\u{2215}', '\u{29f5}', '\u{ff0f}', '\u{ff3c}'])
        .filter(|part| !matches!(part.trim(), "" | "." | ".."))
        .collect::<Vec<_>>()
        .join("-")
        .replace(": ", " - ");
    let mut out = String::with_capacity(joined.len());
    for c in joined.chars() {
        let c = if c.is_whitespace() { ' ' } else { c };
        let replaced = match REPLACED.iter().find(|(from, _)| *from == c) {
            Some((_, to)) => *to,
            None if c != ' ' && is_hidden(c) => None,
            None => Some(c),
        };
        let Some(c) = replaced else { continue };
        // Runs of spaces become one; `%%` opens a comment in Obsidian.
        if !((c == ' ' || c == '%') && out.ends_with(c)) {
            out.push(c);
        }
    }
    let out: String = out.trim_matches(at_the_edge).nfc().collect();
    let head = out.split('.').next().unwrap_or_default().trim_end();
    if is_device(head) { format!("{head}_{}", out.get(head.len()..).unwrap_or_default()) } else { out }
}

/// Windows drops dots and spaces at the end, a leading dot hides a file; a joiner there would only hide a difference.
fn at_the_edge(c: char) -> bool {
    matches!(c, '.' | ' ' | '\u{200c}' | '\u{200d}')
}

fn is_device(head: &str) -> bool {
    let head = head.to_ascii_lowercase();
    let port = head.strip_prefix("com").or_else(|| head.strip_prefix("lpt"));
    // Windows reads superscript digits as digits here.
    let is_port =
        port.is_some_and(|n| n.chars().count() == 1 && n.chars().all(|c| c.is_ascii_digit() || "¹²³".contains(c)));
    is_port || DEVICES.contains(&head.as_str())
}

fn is_visible(text: &str) -> bool {
    text.chars().any(|c| !c.is_whitespace() && !at_the_edge(c) && !is_hidden(c) && !is_combining_mark(c))
}
