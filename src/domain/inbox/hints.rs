//! Reads the names of inbox sub-folders as hints: `11.02/` forces an id, `21 Name/` a category, `10-19 Area/` an area.
//!
//! Only the shape of the name is judged here; whether the structure has such an id is the caller's to look up, who treats
//! a number that it does not know as the words that stand beside it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Words taken from the names of one path at most.
const WORDS_MAX: usize = 64;

/// What the folders around a dropped file say about where it belongs. The innermost number wins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Hints {
    /// The id that its owner chose, as text: `11.02`.
    pub forced_id: Option<String>,
    /// The category to stay in: `21`.
    pub category: Option<String>,
    /// The area to stay in: `10-19`.
    pub area: Option<String>,
    /// Words of the folders' names, outermost first.
    pub words: Vec<String>,
}

/// Reads the folders of a path relative to the inbox (`21 Money/2024`); an empty path hints at nothing.
#[must_use]
pub fn hints(folder: &str) -> Hints {
    let mut hints = Hints::default();
    for name in folder.split('/').filter(|name| !name.is_empty()) {
        let (number, title) = number(name);
        match number {
            Some(Number::Id(id)) => (hints.forced_id, hints.category, hints.area) = (Some(id), None, None),
            Some(Number::Category(two)) => (hints.forced_id, hints.category, hints.area) = (None, Some(two), None),
            Some(Number::Area(area)) => (hints.forced_id, hints.category, hints.area) = (None, None, Some(area)),
            None => {}
        }
        let words = title.split(|c: char| c.is_whitespace() || c.is_ascii_punctuation());
        let words = words.filter(|word| word.chars().any(|c| !c.is_numeric()));
        hints.words.extend(words.map(str::to_owned).take(WORDS_MAX.saturating_sub(hints.words.len())));
    }
    hints
}

/// Whether a folder's name carries a number, so that it is a place to drop things into and not a thing that was dropped.
#[must_use]
pub fn is_hint(name: &str) -> bool {
    number(name).0.is_some()
}

enum Number {
    Id(String),
    Category(String),
    Area(String),
}

/// The number that a name begins with, and the rest of it.
fn number(name: &str) -> (Option<Number>, &str) {
    let Some((first, rest)) = digits(name) else { return (None, name) };
    if let Some((second, title)) = rest.strip_prefix('.').and_then(digits)
        && second.len() == 2
        && ends(title)
    {
        return (Some(Number::Id(format!("{first}.{second}"))), title);
    }
    if let Some((second, title)) = rest.strip_prefix('-').and_then(digits)
        && second.len() == first.len()
        && first.ends_with('0')
        && second.ends_with('9')
        && first.strip_suffix('0') == second.strip_suffix('9')
        && ends(title)
    {
        return (Some(Number::Area(format!("{first}-{second}"))), title);
    }
    if ends(rest) { (Some(Number::Category(first.to_owned())), rest) } else { (None, name) }
}

/// Two or three leading digits and what follows; more of them are a year or a serial number.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if (2..=3).contains(&end) { text.split_at_checked(end) } else { None }
}

/// Whether a number may end here: at the end, or before a title, but not inside a date (`21-03-2024`) or version (`10.1`).
fn ends(rest: &str) -> bool {
    let mut chars = rest.chars();
    match (chars.next(), chars.next()) {
        (None | Some(' ' | '_' | '+'), _) => true,
        (Some('-'), next) => next.is_some_and(|next| !next.is_ascii_digit()),
        _ => false,
    }
}
