//! The numbers of Johnny.Decimal as text: `10-19`, `11`, `11.02`, and what they say about their parents.
//!
//! Codes are text everywhere (`11.10` is not 11.1, `08` is not 8). Numbers exist only inside this room, to compare and
//! to count. A house has ten areas; real ones sometimes go on with `100-109`, so areas up to `990-999` are read (and
//! linted).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of the three levels a code names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// `10-19`
    Area,
    /// `11`
    Category,
    /// `11.02`
    Id,
}

/// The level of a well-formed code; `None` for anything else.
pub fn level(code: &str) -> Option<Level> {
    if area_number(code).is_some() {
        Some(Level::Area)
    } else if category_number(code).is_some() {
        Some(Level::Category)
    } else {
        id_numbers(code).map(|_| Level::Id)
    }
}

/// The category part of an id's code: `11.02` gives `11`. `None` if the code is not an id.
pub fn category_of(id: &str) -> Option<String> {
    id_numbers(id).map(|(category, _)| category_code(category))
}

/// The code with which the name of a folder or a file begins: `11.02 Documents` gives `11.02`. That is how a hint in
/// the inbox and a folder that the owner has named are recognised. `None` if the name does not begin with a code and
/// then ends or goes on with a space.
pub fn leading_code(name: &str) -> Option<&str> {
    name.split([' ', '\u{a0}', '\u{3000}']).next().filter(|code| level(code).is_some())
}

/// `10-19` gives 1, `00-09` gives 0, `100-109` gives 10.
pub(super) fn area_number(code: &str) -> Option<u16> {
    let (first, last) = code.split_once('-')?;
    let (first, last) = (category_number(first)?, category_number(last)?);
    (first % 10 == 0 && last == first + 9).then_some(first / 10)
}

/// `11` gives 11, `08` gives 8, `101` gives 101.
pub(super) fn category_number(code: &str) -> Option<u16> {
    let two = code.len() == 2;
    let three = code.len() == 3 && !code.starts_with('0');
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (two || three) { code.parse().ok() } else { None }
}

/// `11.02` gives (11, 2).
pub(super) fn id_numbers(code: &str) -> Option<(u16, u16)> {
    let (category, id) = code.split_once('.')?;
    let two_digits = id.len() == 2 && id.bytes().all(|byte| byte.is_ascii_digit());
    if two_digits { Some((category_number(category)?, id.parse().ok()?)) } else { None }
}

pub(super) fn area_code(area: u16) -> String {
    format!("{:02}-{:02}", area * 10, area * 10 + 9)
}

pub(super) fn category_code(category: u16) -> String {
    format!("{category:02}")
}

pub(super) fn id_code(category: u16, id: u16) -> String {
    format!("{category:02}.{id:02}")
}

/// Whether a YAML reader that takes the unquoted code for a number would print other text: `11.10`, `08`, `07.12`.
pub(super) fn would_be_eaten(code: &str) -> bool {
    let leading_zero = code.starts_with('0') && level(code) != Some(Level::Area);
    let trailing_zero = code.ends_with('0') && level(code) == Some(Level::Id);
    leading_zero || trailing_zero
}
