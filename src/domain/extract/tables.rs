//! CSV as a Markdown table, JSON as it is with its leading fields.

use super::{Extracted, Limits, markdown, text};
use serde_json::Value;

/// Reads CSV; the separator is the one that splits the first lines most evenly.
pub(super) fn read_csv(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let source = text::decode(bytes).replace("\r\n", "\n").replace('\r', "\n");
    let rows = parse(&source, separator(&source));
    let mut out = markdown::Markdown::new(limits.text_bytes_max);
    out.table(&rows);
    found.facts.insert("rows".to_owned(), rows.len().to_string());
    let (text, cut) = out.finish();
    found.text = text;
    found.truncated |= cut;
}

fn separator(source: &str) -> char {
    let lines: Vec<&str> = source.lines().filter(|line| !line.trim().is_empty()).take(20).collect();
    let score = |candidate: &char| {
        let counts: Vec<usize> = lines.iter().map(|line| line.matches(*candidate).count()).collect();
        let first = counts.first().copied().unwrap_or(0);
        let even = counts.iter().filter(|count| **count == first).count();
        (if first > 0 { even } else { 0 }, first)
    };
    // The first of equals wins: `max_by_key` keeps the last, hence the order.
    ['|', '\t', ';', ','].into_iter().max_by_key(score).unwrap_or(',')
}

/// RFC 4180 with the quote anywhere; a quote that never ends takes the rest.
fn parse(source: &str, separator: char) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = source.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                quoted = true;
            }
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            other if other == separator && !quoted => row.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// Reads JSON: the text as it is; title, author and the like where the top object names them.
pub(super) fn read_json(bytes: &[u8], limits: &Limits, found: &mut Extracted) {
    let source = text::decode(bytes);
    text::set(found, source.trim(), limits);
    let Ok(Value::Object(top)) = serde_json::from_str::<Value>(&source) else { return };
    let field = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| top.get(*name))
            .and_then(Value::as_str)
            .map(|value| markdown::cut(value, 300).to_owned())
    };
    found.title = field(&["title", "name", "headline"]);
    found.author.extend(field(&["author", "creator"]));
    found.created =
        field(&["created", "createdAt", "dateCreated", "date"]).and_then(|written| super::date::normal(&written));
    found.source = field(&["url", "source"]).filter(|address| address.contains("://"));
}
