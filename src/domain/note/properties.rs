//! emm's own properties: flat, in one fixed order, each with the one type that Obsidian's vault-wide rule asks for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unicode_normalization::char::is_combining_mark;

use super::name::is_hidden;
use super::render::NoteInput;

/// Properties whose text is always quoted, so that no tool ever guesses a type from one example.
const QUOTED: &[&str] = &["jd", "emm_id", "emm_hash"];

/// The value of a property, of Obsidian's types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// One line of text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// `2020-08-21`, as `date_value` gives it; written without quotes.
    Date(String),
    /// A number in hundredths.
    Number(u32),
}

/// One property of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Property {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl Property {
    pub(super) fn is_quoted(&self) -> bool {
        QUOTED.contains(&self.name.as_str())
    }
}

/// The properties of a note in their fixed order; what is not known is left out. `description` is the text to show,
/// already chosen. A date that is none is left out: a property has one type vault-wide.
#[must_use]
pub fn note_properties(note: &NoteInput, description: &str) -> Vec<Property> {
    let text = |text: &str| Some(one_line(text)).filter(|line| !line.is_empty()).map(Value::Text);
    let list = |items: &[String]| {
        let mut kept: Vec<String> = Vec::new();
        for item in items.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()) {
            if !kept.contains(&item) {
                kept.push(item);
            }
        }
        (!kept.is_empty()).then_some(Value::List(kept))
    };
    let date = |date: &Option<String>| date.as_deref().and_then(date_value).map(Value::Date);
    let mut tags: Vec<String> = note.jd.as_deref().and_then(tag_for_code).into_iter().collect();
    tags.extend(note.tags.iter().filter_map(|name| tag(name)));
    [
        ("title", text(&note.title)),
        ("aliases", list(&note.aliases)),
        ("source", note.source.as_deref().and_then(text)),
        ("author", list(&note.author)),
        ("published", date(&note.published)),
        ("created", date(&note.created)),
        ("description", text(description)),
        ("tags", list(&tags)),
        ("jd", note.jd.as_deref().and_then(text)),
        ("emm_id", text(&note.emm_id)),
        ("emm_hash", text(&note.emm_hash)),
        ("emm_status", text(&note.status)),
        ("emm_confidence", note.confidence.and_then(hundredths).map(Value::Number)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(Property { name: name.to_owned(), value: value? }))
    .collect()
}

/// The tag of a Johnny.Decimal code: `11.01` -> `jd/11-01`, `10-19` -> `jd/10-19`.
#[must_use]
pub fn tag_for_code(code: &str) -> Option<String> {
    let code = code.trim();
    if code.is_empty() { None } else { tag(&format!("jd/{code}")) }
}

/// A valid tag of Obsidian from any text: letters, digits, `_`, `-` and `/`, at least one of them no digit; what else
/// stands there becomes one `-`. Gives nothing if no letter, digit or `_` remains, or only digits.
#[must_use]
pub fn tag(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    for c in text.trim().trim_start_matches('#').chars().filter(|c| !is_hidden(*c) || c.is_control()) {
        let c = if c.is_alphanumeric() || is_combining_mark(c) || matches!(c, '_' | '/') { c } else { '-' };
        match (c, out.chars().next_back()) {
            ('-' | '/', None) | ('-', Some('-' | '/')) | ('/', Some('/')) => {}
            ('/', Some('-')) => {
                out.pop();
                out.push('/');
            }
            _ => out.push(c),
        }
    }
    let tag = out.trim_matches(['-', '/']);
    let valid = tag.chars().any(|c| !c.is_numeric()) && tag.chars().any(|c| c.is_alphanumeric() || c == '_');
    valid.then(|| tag.to_owned())
}

/// A date of Obsidian's from ISO 8601, `2020-08-21`: the day that the document's author read on the calendar. A time is
/// left out, for a property has one type in the whole vault, and not every document tells one; the Web Clipper writes
/// the same. A year or month alone is no date.
#[must_use]
pub fn date_value(text: &str) -> Option<String> {
    let date = text.trim().split(['T', 't', ' ']).next().unwrap_or_default();
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year > 0 && (1..=days).contains(&day)).then(|| format!("{year:04}-{month:02}-{day:02}"))
}

/// The numbers between separators, if each has just the digits it should have.
fn numbers(text: &str, separator: char, digits: &[usize]) -> Option<Vec<u32>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let fits = parts.len() == digits.len() && parts.iter().zip(digits).all(|(part, digits)| part.len() == *digits);
    if !fits {
        return None;
    }
    parts.iter().map(|part| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok())?).collect()
}

/// A probability in hundredths, rounded half up; nothing for what is not a number.
fn hundredths(probability: f64) -> Option<u32> {
    if probability.is_nan() {
        return None;
    }
    // Within 0..=100 after clamping, so the cast is exact.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100 before")]
    Some((probability.clamp(0.0, 1.0) * 100.0 + 0.5) as u32)
}

/// Properties are one line each: white space of any kind becomes single spaces, control characters go.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_whitespace() || c.is_control() { ' ' } else { c }).collect();
    spaced.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}
