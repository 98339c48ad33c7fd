//! Reads the properties of the owner's Markdown, and adds missing ones by insertion alone: the owner's block is never
//! written anew.
//!
//! Reading is tolerant, adding is not: an addition is offered only if a YAML parser reads every old property from the
//! new block as it did from the old one, and ours beside them. What cannot be added to safely is left alone.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::patch::{Insertion, Patch};
use super::properties::{Property, Value};
use super::scan::{Block, Entry, block, entries, is_blank, text_start};
use super::yaml::{property_lines, scalar};

/// A longer block is no one's properties, and parsing it is work for nothing.
const BLOCK_BYTES_MAX: usize = 64 * 1024;
/// The property that is added to even if it is there.
const TAGS: &str = "tags";

/// A value as it is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The key stands alone.
    Empty,
    /// One scalar, its text as written: `11.10` stays `11.10`.
    Text(String),
    /// A list of scalars.
    List(Vec<String>),
    /// Anything else, or broken: the raw text.
    Other(String),
}

/// The properties of a note in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrontMatter {
    /// Names as written, with their values.
    pub properties: Vec<(String, Found)>,
    /// Where the note's text begins.
    pub body_offset_bytes: usize,
}

impl FrontMatter {
    /// The value of a property; names are compared without regard to case, as Obsidian does.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Found> {
        self.properties.iter().find(|(known, _)| same(known, name)).map(|(_, value)| value)
    }

    /// The text of a property that has one scalar.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Found::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list property; a single text counts as a list of its parts between commas.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Found::List(items)) => items.iter().map(String::as_str).collect(),
            Some(Found::Text(text)) => text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Why nothing can be added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontMatterError {
    /// The file is not UTF-8, or holds NUL: file it as an original with a note of its own.
    #[error("the file is not UTF-8 text; file it as an original with a note of its own")]
    NotText,
    /// The block cannot be read or added to safely: file it as it is.
    #[error("the properties cannot be added to ({reason}); the file is left as it is")]
    LeftAlone {
        /// What is in the way.
        reason: String,
    },
}

/// Reads what properties there are; a block that is broken in one place is read in the others, prose between two lines
/// is no block.
#[must_use]
pub fn read_front_matter(text: &str) -> FrontMatter {
    let Some(found) = block(text) else {
        return FrontMatter { properties: Vec::new(), body_offset_bytes: text_start(text) };
    };
    let properties = if found.end - found.start > BLOCK_BYTES_MAX {
        Vec::new()
    } else {
        entries(text, found)
            .unwrap_or_default()
            .into_iter()
            .map(|entry| {
                let value = read_value(text, &entry);
                (entry.name, value)
            })
            .collect()
    };
    FrontMatter { properties, body_offset_bytes: found.body }
}

/// The insertions that give a Markdown file those of `properties` that it does not have. Of what the owner wrote
/// nothing is changed; only `tags` are merged, in whichever style they are in, or left alone where that cannot be done
/// safely. A file without properties gets a block, in its own line ends, after its byte order mark.
///
/// # Errors
/// `NotText` for what is not UTF-8, `LeftAlone` for a block that is broken or not in the plain form that can be added
/// to.
pub fn add_missing(original: &[u8], properties: &[Property]) -> Result<Patch, FrontMatterError> {
    let text = std::str::from_utf8(original).map_err(|_| FrontMatterError::NotText)?;
    if text.contains('\0') {
        return Err(FrontMatterError::NotText);
    }
    let end = line_end(text);
    let Some(found) = block(text) else {
        let lines: String = properties.iter().map(property_lines).collect();
        let text_block = format!("---\n{lines}---\n").replace('\n', end);
        let inserted = Insertion { offset_bytes: text_start(text), text: text_block };
        return Ok(Patch { inserted: if lines.is_empty() { Vec::new() } else { vec![inserted] } });
    };
    let old = slice(text, found.start, found.end);
    if old.len() > BLOCK_BYTES_MAX {
        return Err(left_alone("they are longer than 64 KiB"));
    }
    let known = entries(text, found).ok_or_else(|| left_alone("they are not lines of `name: value`"))?;
    let before = parse(old).map_err(|reason| left_alone(&reason))?;
    if before.len() != known.len() {
        return Err(left_alone("their lines and their meaning differ"));
    }
    let missing: Vec<&Property> =
        properties.iter().filter(|property| !known.iter().any(|entry| same(&entry.name, &property.name))).collect();
    let (with_tags, tags) = merged_tags(text, &known, properties, end);
    let attempts = if with_tags.is_empty() { vec![Vec::new()] } else { vec![with_tags, Vec::new()] };
    for mut inserted in attempts {
        let merged: &[String] = if inserted.is_empty() { &[] } else { &tags };
        let lines: String = missing.iter().map(|property| property_lines(property)).collect();
        inserted.push(Insertion { offset_bytes: found.end, text: lines.replace('\n', end) });
        inserted.retain(|insertion| !insertion.text.is_empty());
        let patch = Patch { inserted };
        if is_faithful(&before, &patch, text, found, &missing, merged) {
            return Ok(patch);
        }
    }
    Err(left_alone("an addition would change how they are read"))
}

/// The insertions that bring our tags into the owner's list, and the tags they bring.
fn merged_tags(text: &str, known: &[Entry], properties: &[Property], end: &str) -> (Vec<Insertion>, Vec<String>) {
    let ours = properties.iter().find(|property| same(&property.name, TAGS));
    let theirs = known.iter().find(|entry| same(&entry.name, TAGS));
    let (Some(Property { value: Value::List(ours), .. }), Some(entry)) = (ours, theirs) else {
        return (Vec::new(), Vec::new());
    };
    let has: Vec<String> = match read_value(text, entry) {
        Found::Empty => Vec::new(),
        Found::List(items) => items,
        Found::Text(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        Found::Other(_) => return (Vec::new(), Vec::new()),
    };
    let has = |tag: &String| has.iter().any(|known| same(known.trim_start_matches('#'), tag));
    let new: Vec<String> = ours.iter().filter(|tag| !has(tag)).cloned().collect();
    let written: Vec<String> = new.iter().map(|tag| scalar(tag)).collect();
    if new.is_empty() {
        (Vec::new(), new)
    } else {
        (tag_insertions(text, entry, &written, end).unwrap_or_default(), new)
    }
}

fn tag_insertions(text: &str, entry: &Entry, tags: &[String], end: &str) -> Option<Vec<Insertion>> {
    let region = text.get(entry.value..entry.end)?;
    let first_line = region.split_inclusive('\n').next().unwrap_or_default();
    let value = first_line.trim();
    let start = entry.value + first_line.len() - first_line.trim_start().len();
    if is_blank(value) {
        return block_list(region, entry, tags, end);
    }
    let joined = tags.join(", ");
    if value.starts_with('[') {
        let close = entry.value + region.rfind(']')?;
        let inner = text.get(start + 1..close)?.trim_end();
        let at = start + 1 + inner.len();
        let text = match inner.trim_start() {
            "" => joined,
            items if items.ends_with(',') => format!(" {joined}"),
            _ => format!(", {joined}"),
        };
        return Some(vec![Insertion { offset_bytes: at, text }]);
    }
    // A scalar, alone on its line: brackets are put around it.
    let scalar = value.split(" #").next().unwrap_or_default().trim_end();
    let plain = scalar.split(',').all(|part| {
        !part.trim().is_empty() && part.trim().chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/'))
    });
    let quoted = ['"', '\''].iter().any(|quote| {
        scalar.len() > 2 && scalar.starts_with(*quote) && scalar.ends_with(*quote) && !scalar.contains([',', ' ', '\\'])
    });
    (plain || quoted).then(|| {
        vec![
            Insertion { offset_bytes: start, text: "[".to_owned() },
            Insertion { offset_bytes: start + scalar.len(), text: format!(", {joined}]") },
        ]
    })
}

/// Items after the last one, indented as the first; or the first items of a key that stands alone.
fn block_list(region: &str, entry: &Entry, tags: &[String], end: &str) -> Option<Vec<Insertion>> {
    let mut at = entry.value;
    let mut indent = None;
    let mut after = None;
    for (number, line) in region.split_inclusive('\n').enumerate() {
        at += line.len();
        if number == 0 {
            after = Some(at);
        } else if !is_blank(line) {
            let item = line.trim_start();
            let spaces = line.get(..line.len() - item.len())?;
            indent = indent.or_else(|| (item.starts_with("- ") || item.trim_end() == "-").then_some(spaces));
            // Something else below the key is no list.
            indent?;
            after = Some(at);
        }
    }
    let indent = indent.unwrap_or("  ");
    let text = tags.iter().map(|tag| format!("{indent}- {tag}{end}")).collect();
    Some(vec![Insertion { offset_bytes: after?, text }])
}

/// Whether the new block says what the old one said, and what was to be added.
fn is_faithful(
    before: &Map<String, Json>,
    patch: &Patch,
    text: &str,
    found: Block,
    missing: &[&Property],
    tags: &[String],
) -> bool {
    let added: usize = patch.inserted.iter().map(|insertion| insertion.text.len()).sum();
    let Ok(Ok(new)) = patch.apply(text.as_bytes()).map(String::from_utf8) else { return false };
    let Some(now) = block(&new).filter(|now| now.start == found.start && now.end == found.end + added) else {
        return false;
    };
    let Ok(after) = parse(slice(&new, now.start, now.end)) else { return false };
    let kept = before.iter().all(|(name, value)| match after.get(name) {
        Some(now) if same(name, TAGS) && !tags.is_empty() => is_merged(value, now, tags),
        now => now == Some(value),
    });
    let written = missing.iter().filter(|property| !property_lines(property).is_empty());
    kept && after.len() == before.len() + written.clone().count()
        && written.into_iter().all(|property| after.get(&property.name).is_some_and(|now| says(now, &property.value)))
}

fn is_merged(before: &Json, now: &Json, tags: &[String]) -> bool {
    let Json::Array(now) = now else { return false };
    let Some((theirs, ours)) = now.split_at_checked(now.len().saturating_sub(tags.len())) else { return false };
    let same_tags = ours.iter().map(Json::as_str).eq(tags.iter().map(|tag| Some(tag.as_str())));
    same_tags
        && match before {
            Json::Null => theirs.is_empty(),
            Json::Array(before) => before.as_slice() == theirs,
            Json::String(text) => theirs.iter().map(Json::as_str).eq(text.split(',').map(|part| Some(part.trim()))),
            other => theirs == std::slice::from_ref(other),
        }
}

fn says(json: &Json, value: &Value) -> bool {
    match value {
        Value::Text(text) | Value::Date(text) => json.as_str() == Some(text),
        Value::List(items) => json
            .as_array()
            .is_some_and(|json| json.iter().map(Json::as_str).eq(items.iter().map(|item| Some(item.as_str())))),
        Value::Number(hundredths) => json.as_f64() == Some(f64::from(*hundredths) / 100.0),
    }
}

/// A block as a mapping; the reason if it is none.
fn parse(block: &str) -> Result<Map<String, Json>, String> {
    if block.lines().all(is_blank) {
        return Ok(Map::new());
    }
    match serde_saphyr::from_str::<Json>(block) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err("they are no mapping".to_owned()),
        // The first line of the parser's message says where; the rest draws a picture of it.
        Err(error) => Err(error.to_string().lines().next().unwrap_or("broken YAML").to_owned()),
    }
}

fn read_value(text: &str, entry: &Entry) -> Found {
    let raw = slice(text, entry.value, entry.end);
    let (first, rest) = raw.split_once('\n').unwrap_or((raw, ""));
    let value = first.trim();
    let alone = rest.lines().all(is_blank);
    if alone && is_blank(value) {
        return Found::Empty;
    }
    let simple = value.starts_with(char::is_alphanumeric) && !value.contains(": ") && !value.contains(" #");
    if alone && simple && !value.ends_with(':') && !value.eq_ignore_ascii_case("null") {
        return Found::Text(value.to_owned());
    }
    // The types ask for text, so that the parser does not make numbers and booleans of it.
    let whole = slice(text, entry.start, entry.end);
    if let Ok(map) = serde_saphyr::from_str::<BTreeMap<String, Option<String>>>(whole) {
        return map.into_values().next().flatten().map_or(Found::Empty, Found::Text);
    }
    if let Ok(map) = serde_saphyr::from_str::<BTreeMap<String, Vec<Option<String>>>>(whole) {
        return Found::List(map.into_values().flatten().flatten().collect());
    }
    Found::Other(raw.trim().to_owned())
}

/// The line end that the file uses first.
fn line_end(text: &str) -> &'static str {
    if text.split_inclusive('\n').next().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

fn slice(text: &str, from: usize, to: usize) -> &str {
    text.get(from..to).unwrap_or_default()
}

fn left_alone(reason: &str) -> FrontMatterError {
    FrontMatterError::LeftAlone { reason: reason.to_owned() }
}
