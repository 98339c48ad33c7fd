//! Writes YAML scalars and property lines such that every reader of YAML, 1.1 or 1.2, gets back the very text, list,
//! date or number.

use super::name::is_hidden;
use super::properties::{Property, Value};

/// Words that some version of YAML reads as something else than text, in lower case.
const WORDS: &[&str] = &[
    "y",
    "n",
    "yes",
    "no",
    "on",
    "off",
    "true",
    "false",
    "null",
    "nil",
    "none",
    "nan",
    "inf",
    "infinity",
    "undefined",
];

/// Punctuation that means nothing to YAML inside a plain scalar, not even in a flow list.
const PLAIN: &str = " _-/.()'!+;$@";

/// `text` as a YAML scalar, plain where nobody can misread it, else in double quotes with escapes. `<%` is broken by an
/// escape, for Templater runs what stands there, wherever in the file.
#[must_use]
pub fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// One property as lines of a front matter block, each ending in `\n`; lists in block style. An empty list gives
/// nothing.
#[must_use]
pub fn property_lines(property: &Property) -> String {
    let name = &property.name;
    match &property.value {
        // Texts that look like dates or numbers are quoted by `scalar`; ids always are, so that no tool ever types them
        // by one example.
        Value::Text(text) if property.is_quoted() => format!("{name}: {}\n", quoted(text)),
        Value::Text(text) => format!("{name}: {}\n", scalar(text)),
        Value::Date(date) => format!("{name}: {date}\n"),
        Value::Number(hundredths) => format!("{name}: {}.{:02}\n", hundredths / 100, hundredths % 100),
        Value::List(items) if items.is_empty() => String::new(),
        Value::List(items) => {
            let lines: String = items.iter().map(|item| format!("  - {}\n", scalar(item))).collect();
            format!("{name}:\n{lines}")
        }
    }
}

fn is_plain(text: &str) -> bool {
    // A letter first: not a digit, sign, dot or any indicator. That excludes all numbers, dates and times.
    text.starts_with(char::is_alphabetic)
        && !text.ends_with(' ')
        && text.chars().all(|c| c.is_alphanumeric() || PLAIN.contains(c) || is_printable(c))
        && !WORDS.contains(&text.to_lowercase().as_str())
}

/// Emoji, marks and punctuation of other scripts; no spaces but the plain one, for readers differ on what they trim.
fn is_printable(c: char) -> bool {
    !c.is_ascii() && !c.is_whitespace() && !is_hidden(c)
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '%' if before == '<' => out.push_str("\\x25"),
            ' ' => out.push(' '),
            _ if is_hidden(c) || c.is_whitespace() => match u32::from(c) {
                code @ 0..=0xff => out.push_str(&format!("\\x{code:02x}")),
                code @ 0x100..=0xffff => out.push_str(&format!("\\u{code:04x}")),
                code => out.push_str(&format!("\\U{code:08x}")),
            },
            _ => out.push(c),
        }
        before = c;
    }
    out.push('"');
    out
}
